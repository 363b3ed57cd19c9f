//! Online, offline, and what a server learns that was not there.

use crate::world::{World, eventually};
use serde_json::{Value, json};

async fn state(server: &crate::world::Server, expected: &str) -> Value {
    eventually(&format!("the device is {expected}"), async || {
        let device = server.device("device-001").await;
        (device["state"] == expected).then_some(device)
    })
    .await
}

#[tokio::test]
async fn a_device_is_online_until_its_connection_ends() {
    let world = World::start().await;
    let server = world.server().await;
    let mut device = world.device("device-001").await;
    device.publish("status", r#"{"state":"online","version":"1.0.0","slot":"A"}"#).await;
    device.publish("health", r#"{"uptime_seconds":12.5,"spool":{"depth":3}}"#).await;
    state(&server, "online").await;
    eventually("health", async || server.device("device-001").await["health"].is_object().then_some(())).await;
    // Asked once more: the answer that shows the health first may have its other parts from just before.
    let online = server.device("device-001").await;
    assert_eq!((&online["version"], &online["slot"]), (&json!("1.0.0"), &json!("A")));
    assert_eq!((&online["health"]["uptime_seconds"], &online["health"]["spool"]["depth"]), (&json!(12.5), &json!(3)));
    drop(device);
    let offline = state(&server, "offline").await;
    assert_eq!(offline["version"], "1.0.0", "the last will does not know, and does not erase");
    assert_eq!(offline["last_seen_at"], online["last_seen_at"], "the will is the broker's word, not the device's");
    server.stop().await;
}

#[tokio::test]
async fn a_server_that_starts_learns_the_state_of_devices_it_never_heard() {
    let world = World::start().await;
    let mut device = world.device("device-001").await;
    device.publish("status", r#"{"state":"online","version":"2.0.0"}"#).await;
    let server = world.server().await;
    let online = state(&server, "online").await;
    assert_eq!((&online["version"], &online["last_seen_at"]), (&json!("2.0.0"), &Value::Null));
    server.stop().await;

    drop(device);
    let server = world.server().await;
    state(&server, "offline").await;
    server.stop().await;
}
