//! The event streams, and live changes between servers.

use crate::device::{numbered, reading};
use crate::world::{DEADLINE, Server, World};
use futures_util::StreamExt;
use microkernel_server::live::Live;
use serde_json::{Value, json};
use std::pin::Pin;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

/// An open event stream.
struct Events {
    chunks: Pin<Box<dyn futures_util::Stream<Item = Vec<u8>> + Send>>,
    text: String,
}

/// One event.
#[derive(Debug)]
struct Event {
    name: String,
    id: Option<String>,
    data: Value,
}

impl Events {
    async fn open(server: &Server, query: &str, last_event_id: Option<&str>) -> Self {
        let mut request = reqwest::Client::new().get(format!("{}/api/v1/events{query}", server.url));
        if let Some(id) = last_event_id {
            request = request.header("last-event-id", id);
        }
        let answer = request.send().await.unwrap();
        assert_eq!(answer.headers()["content-type"], "text/event-stream");
        let chunks = answer.bytes_stream().map(|chunk| chunk.unwrap().to_vec());
        Self { chunks: Box::pin(chunks), text: String::new() }
    }

    /// The next event of this name.
    async fn next(&mut self, name: &str) -> Event {
        tokio::time::timeout(DEADLINE, async {
            loop {
                let Some((event, rest)) = self.text.split_once("\n\n") else {
                    let chunk = self.chunks.next().await.expect("the stream goes on");
                    self.text.push_str(std::str::from_utf8(&chunk).unwrap());
                    continue;
                };
                let field = |name: &str| {
                    event.lines().find_map(|line| Some(line.strip_prefix(name)?.strip_prefix(": ")?.to_owned()))
                };
                let data = field("data").map_or(Value::Null, |data| serde_json::from_str(&data).unwrap());
                let event = Event { name: field("event").unwrap_or_default(), id: field("id"), data };
                self.text = rest.to_owned();
                if event.name == name {
                    return event;
                }
            }
        })
        .await
        .unwrap_or_else(|_| panic!("no {name} event"))
    }
}

#[tokio::test]
async fn a_page_sees_readings_states_and_commands_as_they_come() {
    let world = World::start().await;
    let server = world.server().await;
    let mut device = world.device("device-001").await;
    device.publish("status", r#"{"state":"online"}"#).await;
    device.readings(reading(&device, 1.0)).await;
    world.settles("SELECT count(*) FROM telemetry", 1).await;

    let mut events = Events::open(&server, "?device=device-001", None).await;
    assert_eq!(events.next("device").await.data["state"], "online", "the present state comes first");
    let boot_id = Uuid::new_v4();
    device.readings(json!([numbered(&device, boot_id, 2), numbered(&device, boot_id, 3)])).await;
    let readings = events.next("readings").await;
    let values: Vec<f64> = readings.data.as_array().unwrap().iter().map(|r| r["value"].as_f64().unwrap()).collect();
    assert_eq!(values, [2.0, 3.0], "only what is new");
    assert_eq!((&readings.data[0]["sensor"], &readings.data[0]["unit"]), (&json!("Temperature"), &json!("°C")));

    let body = json!({"command": "identify"});
    let url = format!("{}/api/v1/devices/device-001/commands", server.url);
    reqwest::Client::new().post(url).json(&body).send().await.unwrap();
    assert_eq!(events.next("command").await.data["command"], "identify");
    drop(events);

    // What came while the page was away.
    device.readings(numbered(&device, boot_id, 4)).await;
    world.settles("SELECT count(*) FROM telemetry", 4).await;
    let mut events = Events::open(&server, "?device=device-001", readings.id.as_deref()).await;
    let missed = events.next("readings").await.data;
    assert_eq!((missed.as_array().unwrap().len(), &missed[0]["value"]), (1, &json!(4.0)), "{missed}");
    drop(device);
    while events.next("device").await.data["state"] != "offline" {}
    server.stop().await;
}

#[tokio::test]
async fn a_live_chart_survives_a_clock_that_is_set_back() {
    let world = World::start().await;
    let server = world.server().await;
    let mut device = world.device("device-001").await;
    let mut ahead = reading(&device, 1.0);
    ahead["timestamp"] = json!(crate::device::now() + 3600.0);
    device.readings(ahead).await;
    world.settles("SELECT count(*) FROM telemetry", 1).await;
    let mut events = Events::open(&server, "?device=device-001", None).await;
    for value in [2.0, 3.0] {
        device.readings(reading(&device, value)).await;
        let readings = events.next("readings").await.data;
        assert_eq!(readings.as_array().unwrap().last().unwrap()["value"], value, "{readings}");
    }
    server.stop().await;
}

#[tokio::test]
async fn the_fleets_page_sees_devices_on_every_server() {
    let world = World::start().await;
    let server = world.server().await;
    // A server that receives nothing itself.
    let (tasks, shutdown) = (TaskTracker::new(), CancellationToken::new());
    let mut elsewhere = Live::start(world.pool.clone(), &tasks, shutdown.clone()).subscribe();
    let mut events = Events::open(&server, "", None).await;
    let mut device = world.device("device-001").await;
    device.publish("status", r#"{"state":"online","version":"1.0.0"}"#).await;
    let shown = events.next("device").await.data;
    assert_eq!((&shown["id"], &shown["version"]), (&json!("device-001"), &json!("1.0.0")));
    let change = tokio::time::timeout(DEADLINE, elsewhere.next()).await.unwrap().unwrap();
    assert!(change.concerns("device-001"));
    shutdown.cancel();
    server.stop().await;
}
