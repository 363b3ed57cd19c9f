//! What is wrong is counted and shown, and never stops what is right beside it.

use crate::device::{now, reading, rejection};
use crate::world::World;
use serde_json::json;

const READINGS: &str = "SELECT count(*) FROM telemetry";

#[tokio::test]
async fn a_bad_message_is_counted_and_sampled_and_the_good_ones_are_stored() {
    let world = World::start().await;
    let server = world.server().await;
    let mut device = world.device("device-001").await;
    device.publish("telemetry", "{ not json").await;
    device.publish("telemetry", r#"{"device_id":"device-001","sensor":"T","value":NaN,"timestamp":1}"#).await;
    device.publish("telemetry", r#"{"device_id":"device-001","sensor":"T","value":1e999,"timestamp":1}"#).await;
    device.publish("telemetry", vec![b' '; 300_000]).await;
    device.publish("telemetry", vec![0xff, 0xfe, 0x00]).await;
    let mut stranger = reading(&device, 1.0);
    stranger["device_id"] = json!("device-002");
    device.readings(json!([reading(&device, 1.0), {"sensor": "T"}, stranger, reading(&device, 2.0)])).await;
    device.publish("status", r#"{"state":"asleep"}"#).await;
    device.publish("health", r#"{"uptime_seconds":"long"}"#).await;

    let invalid = rejection(&server, "device-001", "invalid", 7).await;
    assert_eq!(invalid["last_topic"], "devices/device-001/health");
    assert!(invalid["last_reason"].as_str().unwrap().starts_with("uptime_seconds: "), "{invalid}");
    assert_eq!(invalid["last_sample"], r#"{"uptime_seconds":"long"}"#);
    let wrong = rejection(&server, "device-001", "wrong_device", 1).await;
    assert!(wrong["last_reason"].as_str().unwrap().contains("device-002"), "{wrong}");
    let large = rejection(&server, "device-001", "too_large", 1).await;
    assert_eq!(large["last_sample"].as_str().unwrap().len(), 512);
    world.settles(READINGS, 2).await;
    assert_eq!(server.device("device-001").await["rejected"], 9);
    server.stop().await;
}

#[tokio::test]
async fn an_implausible_time_is_reported_and_the_reading_kept() {
    let world = World::start().await;
    let server = world.server().await;
    let mut device = world.device("device-001").await;
    for timestamp in [0.0, 4_102_444_800.0] {
        let mut reading = reading(&device, timestamp);
        reading["timestamp"] = json!(timestamp);
        device.readings(reading).await;
    }
    let implausible = rejection(&server, "device-001", "implausible_timestamp", 2).await;
    assert!(implausible["last_reason"].as_str().unwrap().contains("2100-01-01T00:00:00.000Z"), "{implausible}");
    let (_, history) = server.get("/api/v1/devices/device-001/telemetry").await;
    let readings = history["readings"].as_array().unwrap();
    assert_eq!(readings.len(), 2);
    for reading in readings {
        assert_eq!(reading["device_timestamp"].as_f64(), reading["value"].as_f64());
        assert!((reading["timestamp"].as_f64().unwrap() - now()).abs() < 60.0, "{reading}");
    }
    server.stop().await;
}

#[tokio::test]
async fn a_message_that_the_database_refuses_does_not_stop_the_others() {
    let world = World::start().await;
    sqlx::query("ALTER TABLE sensors ADD CHECK (name <> 'Poison')").execute(&world.pool).await.unwrap();
    sqlx::query("ALTER TABLE telemetry ADD CHECK (value <> 666)").execute(&world.pool).await.unwrap();
    // All in one batch: they wait for the server.
    world.server().await.stop().await;
    let mut device = world.device("device-001").await;
    for number in 0..20 {
        let mut reading = reading(&device, if number == 3 { 666.0 } else { f64::from(number) });
        if number == 11 {
            reading["sensor"] = json!("Poison");
        }
        device.readings(reading).await;
    }
    device.publish("status", "{\"state\":\"online\",\"version\":\"1\\u0000\"}").await;
    device.publish("health", r#"{"services":{"sensor":{"state":"ok","detail":"a\u0000b"}}}"#).await;

    let server = world.server().await;
    let refused = rejection(&server, "device-001", "unstorable", 2).await;
    assert!(refused["last_sample"].as_str().unwrap().contains("Poison"), "{refused}");
    world.settles(READINGS, 18).await;
    let shown = server.device("device-001").await;
    assert_eq!(shown["version"], "1\u{fffd}");
    assert_eq!(shown["health"]["services"]["sensor"]["detail"], "a\u{fffd}b");
    server.stop().await;

    // Acknowledged all the same: the next server does not meet it again.
    let server = world.server().await;
    device.readings(reading(&device, 1.0)).await;
    world.settles(READINGS, 19).await;
    assert_eq!(rejection(&server, "device-001", "unstorable", 2).await["count"], 2);
    server.stop().await;
}

#[tokio::test]
async fn a_ten_megabyte_message_ends_only_its_senders_connection() {
    let world = World::start().await;
    let server = world.server().await;
    let mut good = world.device("device-001").await;
    let mut bad = world.device("device-002").await;
    assert!(bad.is_cut_off_by(vec![b'1'; 10 << 20]).await);
    good.readings(reading(&good, 1.0)).await;
    world.settles(READINGS, 1).await;
    assert!(*server.state.broker.borrow());
    server.stop().await;
}
