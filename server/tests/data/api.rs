//! The REST API's answers, right and wrong.

use crate::device::{now, numbered, reading};
use crate::world::World;
use serde_json::{Value, json};
use uuid::Uuid;

#[tokio::test]
async fn an_empty_fleet_is_an_empty_list_and_the_server_is_ready() {
    let world = World::start().await;
    let server = world.server().await;
    assert_eq!(server.get("/api/v1/devices").await.1, json!({"devices": []}));
    let ready = json!({"database": "ok", "broker": "connected"});
    assert_eq!(server.get("/readyz").await, (axum::http::StatusCode::OK, ready));
    let answer = reqwest::get(format!("{}/healthz", server.url)).await.unwrap();
    assert_eq!(answer.text().await.unwrap(), "ok\n");
    server.stop().await;
}

#[tokio::test]
async fn readings_are_given_back_as_they_came() {
    let world = World::start().await;
    let server = world.server().await;
    let mut device = world.device("device-001").await;
    let start = now().floor();
    let mut sent = Vec::new();
    for seq in 1..=5_u64 {
        let mut reading = numbered(&device, Uuid::nil(), seq);
        reading["timestamp"] = json!(start as i64 - 10 + seq as i64);
        reading["raw"] = json!(0.5);
        reading["outcome"] = json!({"ml": "timeout", "wasm": "ok"});
        reading["clock"] = json!("synchronized");
        reading["anomaly"] = json!(seq == 5);
        sent.push(reading);
    }
    let mut other = reading(&device, 40.0);
    other["sensor"] = json!("Humidity");
    device.readings(json!(sent)).await;
    device.readings(other).await;
    world.settles("SELECT count(*) FROM telemetry", 6).await;

    let path = "/api/v1/devices/device-001/telemetry";
    let readings = async |query: &str| server.get(&format!("{path}?{query}")).await.1["readings"].clone();
    assert_eq!(readings("sensor=Temperature").await, json!(sent));
    assert_eq!(readings("").await.as_array().unwrap().len(), 6, "of all sensors");
    assert_eq!(readings("sensor=Temperature&limit=2").await, json!(sent[3..]), "the newest, ascending");
    let range = format!("sensor=Temperature&from={}&to={}", start - 8.0, start - 6.0);
    assert_eq!(readings(&range).await, json!(sent[1..3]), "from is within, to is not");
    assert_eq!(readings("sensor=Pressure").await, json!([]));

    let (_, fleet) = server.get("/api/v1/devices").await;
    let shown = &fleet["devices"][0];
    assert_eq!((&shown["id"], &shown["anomalies_24h"]), (&json!("device-001"), &json!(1)));
    let sensor = &shown["sensors"][1];
    assert_eq!((&sensor["name"], &sensor["unit"]), (&json!("Temperature"), &json!("°C")));
    assert_eq!(sensor["latest"], json!({"value": 5.0, "timestamp": start as i64 - 5, "anomaly": true}));
    assert_eq!((&sensor["readings"], &sensor["anomalies"]), (&json!(5), &json!(1)));
    server.stop().await;
}

#[tokio::test]
async fn what_is_wrong_is_answered_with_what_is_expected() {
    let world = World::start().await;
    let server = world.server().await;
    let mut device = world.device("device-001").await;
    device.readings(reading(&device, 1.0)).await;
    server.device("device-001").await;
    let telemetry = "/api/v1/devices/device-001/telemetry";
    for (path, status, words) in [
        (format!("{telemetry}?limit=0"), 400, ["limit", "1 to 10000"]),
        (format!("{telemetry}?from=yesterday"), 400, ["yesterday", "RFC 3339"]),
        (format!("{telemetry}?form=1"), 400, ["form", "sensor, from, to, limit"]),
        ("/api/v1/devices/device-009/telemetry".to_owned(), 404, ["device-009", "/api/v1/devices"]),
        ("/api/v1/devices/a%00b".to_owned(), 404, ["there is no device", "/api/v1/devices"]),
        ("/api/v1/devices/device-009/commands".to_owned(), 404, ["device-009", "there is no device"]),
        ("/api/v1/devices/device-001/commands/7".to_owned(), 400, ["7", "UUID"]),
        ("/api/v1/events?device=device-009".to_owned(), 404, ["device-009", "there is no device"]),
        ("/api/v1/nothing".to_owned(), 404, ["/nothing", "/api/v1/devices"]),
    ] {
        let answer = reqwest::get(format!("{}{path}", server.url)).await.unwrap();
        assert_eq!(answer.status(), status, "{path}");
        assert_eq!(answer.headers()["content-type"], "application/problem+json", "{path}");
        assert_eq!(answer.headers()["cache-control"], "no-store", "{path}");
        let problem: Value = answer.json().await.unwrap();
        let detail = problem["detail"].as_str().unwrap();
        assert!(words.iter().all(|word| detail.contains(word)), "{path}: {detail}");
        assert_eq!(problem["status"], status);
    }
    server.stop().await;
}

#[tokio::test]
async fn a_command_is_refused_unless_it_is_one_and_our_own_page_gives_it() {
    let world = World::start().await;
    let server = world.server().await;
    let mut device = world.device("device-001").await;
    device.readings(reading(&device, 1.0)).await;
    server.device("device-001").await;
    let url = format!("{}/api/v1/devices/device-001/commands", server.url);
    let post = |body: Value| reqwest::Client::new().post(&url).json(&body);
    let identify = json!({"command": "identify"});
    let large = json!({"command": "set_config", "payload": {"toml": "x".repeat(70_000)}});
    for (request, status) in [
        (post(json!({"command": "explode"})), 400),
        (post(json!({"command": "identify", "payload": [1]})), 400),
        (post(json!({"command": "identify", "payload": {"text": "a\u{0}b"}})), 400),
        (post(json!({"command": "identify", "paylaod": {}})), 422),
        (post(large), 413),
        (reqwest::Client::new().post(&url).body("command=identify"), 415),
        (post(identify.clone()).header("origin", "http://evil.example"), 403),
        (post(identify.clone()).header("sec-fetch-site", "cross-site"), 403),
        (post(identify.clone()).header("host", "evil.example"), 403),
        (reqwest::Client::new().put(&url).json(&identify), 405),
        (post(identify.clone()).header("origin", &server.url).header("sec-fetch-site", "same-origin"), 202),
    ] {
        let answer = request.send().await.unwrap();
        let answered = answer.status();
        let body: Value = answer.json().await.unwrap();
        assert_eq!(answered, status, "{body}");
        assert!(status == 202 || !body["detail"].as_str().unwrap().is_empty(), "{body}");
    }
    assert_eq!(world.count("SELECT count(*) FROM commands").await, Some(1));
    server.stop().await;
}
