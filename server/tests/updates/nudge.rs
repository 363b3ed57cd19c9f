//! A connected device is told by MQTT that there is an update; it need not wait until it asks again.

use crate::world::{DEADLINE, World, eventually};
use microkernel_server::config::TlsFiles;
use microkernel_server::tls::client_config;
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::Packet;
use rumqttc::v5::{AsyncClient, Event, MqttOptions};
use rumqttc::{TlsConfiguration, Transport};
use serde_json::{Value, json};
use std::sync::Arc;

#[tokio::test]
async fn a_connected_device_is_told_of_its_update() {
    let world = World::start_with_broker().await;
    let server = world.server().await;
    let release = server.release(&world, "1.0.1").await;
    let folder = world.certificate("device-001");
    let files = TlsFiles {
        ca_cert: folder.join("ca.crt"),
        client_cert: folder.join("device-001.crt"),
        client_key: folder.join("device-001.key"),
    };
    let mut options = MqttOptions::new("device-001", "127.0.0.1", world.broker().port);
    options
        .set_transport(Transport::tls_with_config(TlsConfiguration::Rustls(Arc::new(client_config(&files).unwrap()))));
    let (client, mut events) = AsyncClient::new(options, 10);
    client.subscribe("devices/device-001/commands", QoS::AtLeastOnce).await.unwrap();
    let online = json!({"state": "online", "version": "1.0.0", "slot": "A"}).to_string();
    client.publish("devices/device-001/status", QoS::AtLeastOnce, true, online).await.unwrap();
    let command = tokio::spawn(async move {
        loop {
            if let Event::Incoming(Packet::Publish(message)) = events.poll().await.unwrap() {
                return serde_json::from_slice::<Value>(&message.payload).unwrap();
            }
        }
    });
    eventually("it is online", async || {
        (world.count("SELECT count(*) FROM devices WHERE state = 'online'").await == 1).then_some(())
    })
    .await;
    world.known_devices(["device-002".to_owned()], "1.0.0").await;
    server.post("/rollouts", json!({"name": "all", "release": release})).await;
    let command = tokio::time::timeout(DEADLINE, command).await.unwrap().unwrap();
    assert_eq!((&command["command"], &command["payload"]), (&json!("update"), &json!({"version": "1.0.1"})));
    assert_eq!(
        world.count("SELECT count(*) FROM commands").await,
        1,
        "the other one is not connected, and asks by itself"
    );
}
