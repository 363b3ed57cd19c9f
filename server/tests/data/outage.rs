//! The database or the broker is away: ingest pauses, resumes, and nothing is lost.

use crate::device::{numbered, reading};
use crate::world::{World, eventually};
use serde_json::json;
use std::time::Duration;
use uuid::Uuid;

const READINGS: &str = "SELECT count(*) FROM telemetry";

#[tokio::test]
async fn what_comes_while_the_database_is_away_is_stored_when_it_is_back() {
    // More than the server holds in memory.
    const MESSAGES: u64 = 1_500;
    let mut world = World::start().await;
    let server = world.server().await;
    let mut device = world.device("device-001").await;
    let boot_id = Uuid::new_v4();
    device.readings(numbered(&device, boot_id, 1)).await;
    world.settles(READINGS, 1).await;

    world.stop_postgres().await;
    let payloads =
        (2..=MESSAGES).map(|seq| numbered(&device, boot_id, seq).to_string().into_bytes()).collect::<Vec<_>>();
    device.flood(payloads).await;
    eventually("the server says that it is not ready", async || {
        let answer = reqwest::get(format!("{}/readyz", server.url)).await.ok()?;
        (answer.status() == 503).then_some(())
    })
    .await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    world.start_postgres().await;

    world.settles(READINGS, MESSAGES as i64).await;
    let ledger = server.device("device-001").await["ledger"][0].clone();
    assert_eq!((&ledger["received"], &ledger["missing"]), (&json!(MESSAGES), &json!(0)), "{ledger}");
    assert!(*server.state.broker.borrow(), "the connection to the broker was kept");
    server.stop().await;
}

#[tokio::test]
async fn a_broker_that_comes_back_is_used_again() {
    let world = World::start().await;
    let server = world.server().await;
    let mut device = world.device("device-001").await;
    device.readings(reading(&device, 1.0)).await;
    world.settles(READINGS, 1).await;
    drop(device);

    let world = world.restart_broker(Duration::from_secs(2)).await;
    let mut connected = server.state.broker.clone();
    tokio::time::timeout(crate::world::DEADLINE, connected.wait_for(|connected| *connected)).await.unwrap().unwrap();
    let mut device = world.device("device-001").await;
    device.readings(reading(&device, 2.0)).await;
    world.settles(READINGS, 2).await;
    server.stop().await;
}
