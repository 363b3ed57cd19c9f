//! A command's life, from the request to the device's last answer.

use crate::device::rejection;
use crate::world::{Server, World, eventually};
use serde_json::{Value, json};

async fn post(server: &Server, body: &Value) -> (u16, Value) {
    let request = reqwest::Client::new().post(format!("{}/api/v1/devices/device-001/commands", server.url));
    let answer = request.json(body).send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

async fn until(server: &Server, id: &Value, expected: &str) -> Value {
    let path = format!("/api/v1/devices/device-001/commands/{}", id.as_str().unwrap());
    eventually(&format!("the command is {expected}"), async || {
        let (_, command) = server.get(&path).await;
        (command["state"] == expected).then_some(command)
    })
    .await
}

fn answer(id: &Value, status: &str, detail: Value) -> String {
    json!({"id": id, "command": "identify", "status": status, "detail": detail}).to_string()
}

#[tokio::test]
async fn a_command_goes_from_queued_to_succeeded_and_never_back() {
    let world = World::start().await;
    let server = world.server().await;
    let mut device = world.device("device-001").await;
    device.publish("status", r#"{"state":"online"}"#).await;
    server.device("device-001").await;

    let (status, command) = post(&server, &json!({"command": "identify", "payload": {"seconds": 5}})).await;
    assert_eq!((status, &command["state"]), (202, &json!("queued")), "{command}");
    let id = &command["id"];
    // Nobody listens yet: the broker has nothing to keep it for.
    device.listen().await;
    device.publish("status", r#"{"state":"online"}"#).await;
    let received = device.command().await;
    assert_eq!((&received["id"], &received["command"]), (id, &json!("identify")));
    assert_eq!(received["payload"], json!({"seconds": 5}));
    until(&server, id, "sent").await;

    device.publish("responses", answer(id, "accepted", Value::Null)).await;
    until(&server, id, "accepted").await;
    device.publish("responses", answer(id, "running", json!("10 %"))).await;
    assert_eq!(until(&server, id, "running").await["detail"], "10 %");
    device.publish("responses", answer(id, "succeeded", json!({"blinked": 5, "note": "a\u{0}b"}))).await;
    let done = until(&server, id, "succeeded").await;
    assert_eq!(done["detail"], json!({"blinked": 5, "note": "a\u{fffd}b"}));

    device.publish("responses", answer(id, "failed", json!("late"))).await;
    device.publish("responses", answer(&json!(uuid::Uuid::nil()), "failed", Value::Null)).await;
    rejection(&server, "device-001", "unknown_command", 1).await;
    assert_eq!(until(&server, id, "succeeded").await["detail"], done["detail"]);
    server.stop().await;
}

#[tokio::test]
async fn a_command_that_was_queued_is_sent_by_the_next_server() {
    let world = World::start().await;
    let server = world.server().await;
    let mut device = world.device("device-001").await;
    device.publish("status", r#"{"state":"online"}"#).await;
    server.device("device-001").await;
    let (_, command) = post(&server, &json!({"command": "reboot"})).await;
    server.kill();

    device.listen().await;
    let server = world.server().await;
    assert_eq!(device.command().await["id"], command["id"]);
    until(&server, &command["id"], "sent").await;
    let (_, list) = server.get("/api/v1/devices/device-001/commands").await;
    assert_eq!(list["commands"][0]["id"], command["id"]);
    server.stop().await;
}
