//! Every reading that the broker took is in the database exactly once.

use crate::device::{numbered, reading};
use crate::proxy::Proxy;
use crate::world::{World, eventually};
use serde_json::{Value, json};
use std::time::Duration;
use uuid::Uuid;

const READINGS: &str = "SELECT count(*) FROM telemetry";

#[tokio::test]
async fn duplicates_and_gaps_are_counted_and_duplicates_are_not_stored() {
    let world = World::start().await;
    let server = world.server().await;
    let mut device = world.device("device-001").await;
    let boot_id = Uuid::new_v4();
    for numbers in [vec![1, 2, 3], vec![2, 3], vec![7, 8, 8], vec![5], vec![10], vec![1]] {
        let batch: Vec<Value> = numbers.into_iter().map(|seq| numbered(&device, boot_id, seq)).collect();
        device.readings(json!(batch)).await;
    }
    let another = Uuid::new_v4();
    device.readings(numbered(&device, another, 3)).await;

    let ledger = eventually("both ledgers are complete", async || {
        let ledger = server.device("device-001").await["ledger"].clone();
        (ledger[0]["boot_id"] == json!(another) && ledger[1]["duplicates"] == 4).then_some(ledger)
    })
    .await;
    let (second, first) = (&ledger[0], &ledger[1]);
    assert_eq!((&first["received"], &first["late"], &first["missing"]), (&json!(7), &json!(1), &json!(3)), "{first}");
    assert_eq!(first["gaps"], json!([[4, 4], [6, 6], [9, 9]]));
    assert_eq!((&second["received"], &second["missing"]), (&json!(1), &json!(2)), "{second}");
    assert_eq!(second["gaps"], json!([[1, 2]]), "numbering begins at 1");
    assert_eq!(world.count(READINGS).await, Some(8));
    let sensor = &server.device("device-001").await["sensors"][0];
    assert_eq!((&sensor["readings"], &sensor["latest"]["value"]), (&json!(8), &json!(3.0)));
    server.stop().await;
}

#[tokio::test]
async fn a_message_that_was_stored_but_not_acknowledged_is_not_stored_again() {
    let world = World::start().await;
    let proxy = Proxy::start(world.broker.address()).await;
    let server = world.server_on(&proxy.address).await;
    let mut device = world.device("device-001").await;
    let boot_id = Uuid::new_v4();

    proxy.swallow();
    device.readings(numbered(&device, boot_id, 1)).await;
    device.readings(reading(&device, 20.0)).await;
    device.readings(json!([reading(&device, 21.0), numbered(&device, boot_id, 2)])).await;
    world.settles(READINGS, 4).await;
    proxy.cut();
    // Comes after everything that is delivered again.
    device.readings(reading(&device, 22.0)).await;

    eventually("the numbered ones came again", async || {
        (world.count("SELECT duplicate_count FROM reading_ledger").await == Some(2)).then_some(())
    })
    .await;
    world.settles(READINGS, 5).await;
    // The same content is not a redelivery.
    let same = reading(&device, 23.0);
    device.readings(same.clone()).await;
    device.readings(same).await;
    world.settles(READINGS, 7).await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn servers_that_are_killed_under_load_lose_nothing_and_store_nothing_twice() {
    const MESSAGES: u64 = 3_000;
    let world = World::start().await;
    // The session exists before the first message.
    world.server().await.stop().await;
    let boot_ids = [Uuid::new_v4(), Uuid::new_v4()];
    let mut devices = [world.device("device-001").await, world.device("device-002").await];
    let floods = devices.iter_mut().zip(boot_ids).map(|(device, boot_id)| {
        let message = |device: &_, index| {
            let (first, second) = (numbered(device, boot_id, 2 * index + 1), numbered(device, boot_id, 2 * index + 2));
            json!([first, second]).to_string().into_bytes()
        };
        let payloads = (0..MESSAGES).map(|index| message(device, index)).collect();
        device.flood(payloads)
    });
    let kills = async {
        for stored in [300, 2_000, 5_000, 8_000] {
            let server = world.server().await;
            eventually("some are stored", async || (world.count(READINGS).await? >= stored).then_some(())).await;
            server.kill();
        }
    };
    futures_util::future::join(futures_util::future::join_all(floods), kills).await;
    let server = world.server().await;
    world.settles(READINGS, 4 * MESSAGES as i64).await;
    world.settles("SELECT count(DISTINCT (ledger_key, seq)) FROM telemetry", 4 * MESSAGES as i64).await;
    for device in ["device-001", "device-002"] {
        let device = server.device(device).await;
        let ledger = &device["ledger"][0];
        assert_eq!((&ledger["received"], &ledger["missing"]), (&json!(2 * MESSAGES), &json!(0)), "{ledger}");
        assert_eq!(device["sensors"][0]["readings"], json!(2 * MESSAGES));
    }
    server.stop().await;
}

#[tokio::test]
async fn what_comes_while_no_server_runs_is_stored_by_the_next() {
    let world = World::start().await;
    world.server().await.stop().await;
    let mut device = world.device("device-001").await;
    for value in 0..50 {
        device.readings(reading(&device, f64::from(value))).await;
    }
    tokio::time::timeout(Duration::from_secs(60), async {
        let server = world.server().await;
        world.settles(READINGS, 50).await;
        server.stop().await;
    })
    .await
    .unwrap();
}
