//! What is wrong is counted, shown to the operator, and never stops what is right beside it.
#![allow(clippy::unwrap_used)]

mod support;

use nix::sys::signal::Signal;
use serde_json::json;
use std::time::Duration;
use support::{SOON, System, eventually};

const TOPIC: &str = "devices/bad-001/telemetry";

fn reading(value: &str, timestamp: &str) -> String {
    format!(r#"{{"device_id":"bad-001","sensor":"Temperature","value":{value},"unit":"°C","timestamp":{timestamp}}}"#)
}

fn now() -> String {
    (microkernel_wire::Timestamp::now().as_micros() / 1_000_000).to_string()
}

#[tokio::test]
async fn bad_messages_are_counted_and_the_good_ones_beside_them_arrive() {
    let system = System::start(0).await;
    let identity = system.certificate("bad-001").await;
    // Each with the kind and the place in the reason that the operator is shown.
    let bad: Vec<(String, &str, &str)> = vec![
        (reading("1", &now())[..40].to_owned(), "invalid", "EOF while parsing"),
        ("[".repeat(10_000), "invalid", "payload: EOF while parsing"),
        (reading("\"23.5\"", &now()), "invalid", "value: invalid type: string"),
        (reading("null", &now()), "invalid", "value: invalid type: null"),
        (reading("NaN", &now()), "invalid", "value: expected value"),
        (reading("-Infinity", &now()), "invalid", "value: invalid number"),
        (reading("1e999", &now()), "invalid", "value: number out of range"),
        (reading("1", "\"today\""), "invalid", "timestamp: invalid type: string"),
        (reading("1", &now()).replace("bad-001", "other"), "wrong_device", "device_id: is \"other\""),
        (format!("[{}]", vec![reading("1", &now()); 4000].join(",")), "too_large", "the payload has"),
    ];
    let mut counts = std::collections::HashMap::<&str, u64>::new();
    for (good, (payload, kind, reason)) in bad.iter().enumerate() {
        let output = system.mosquitto_pub(&identity, TOPIC, payload.as_bytes()).await;
        assert!(output.status.success(), "{output:?}");
        let expected = counts.entry(kind).or_default();
        *expected += 1;
        let last_reason = eventually(&format!("{kind} is counted {expected} times"), SOON, async || {
            let (count, reason) = system.rejected("bad-001", kind).await;
            assert!(count <= *expected, "{kind} is counted {count} times, not {expected}");
            (count == *expected).then_some(reason)
        })
        .await;
        assert!(last_reason.contains(reason), "{last_reason:?} does not say {reason:?}");

        let value = good.to_string();
        system.mosquitto_pub(&identity, TOPIC, reading(&value, &now()).as_bytes()).await;
        eventually(&format!("the good message after {kind}"), SOON, async || {
            (system.readings("bad-001", "Temperature").await.len() == good + 1).then_some(())
        })
        .await;
    }

    let mixed = format!("[{},{},{}]", reading("100", &now()), reading("true", &now()), reading("101", &now()));
    system.mosquitto_pub(&identity, TOPIC, mixed.as_bytes()).await;
    eventually("the good elements of an array with a bad one", SOON, async || {
        let readings = system.readings("bad-001", "Temperature").await;
        (readings.len() == bad.len() + 2).then_some(())
    })
    .await;
    let (_, reason) = system.rejected("bad-001", "invalid").await;
    assert!(reason.starts_with("[1].value: invalid type: boolean `true`"), "{reason}");
    system.stop().await;
}

#[tokio::test]
async fn ten_megabytes_are_refused_by_the_broker_and_the_next_message_arrives() {
    let system = System::start(0).await;
    let identity = system.certificate("bad-001").await;
    let output = system.mosquitto_pub(&identity, TOPIC, &vec![b' '; 10 * 1024 * 1024]).await;
    assert!(!output.status.success(), "10 MB were taken: {output:?}");
    let output = system.mosquitto_pub(&identity, TOPIC, reading("1", &now()).as_bytes()).await;
    assert!(output.status.success(), "{output:?}");
    eventually("the next message", SOON, async || {
        (system.readings("bad-001", "Temperature").await.len() == 1).then_some(())
    })
    .await;
    system.stop().await;
}

#[tokio::test]
async fn a_reading_from_1970_or_2100_is_kept_under_its_arrival_and_told() {
    let system = System::start(0).await;
    let identity = system.certificate("bad-001").await;
    let before = microkernel_wire::Timestamp::now().as_seconds();
    for (count, (timestamp, reason)) in [("12", "1970-01-01"), ("4102444800", "2100-01-01")].into_iter().enumerate() {
        system.mosquitto_pub(&identity, TOPIC, reading("1", timestamp).as_bytes()).await;
        let readings = eventually("the reading", SOON, async || {
            let readings = system.readings("bad-001", "Temperature").await;
            (readings.len() == count + 1).then_some(readings)
        })
        .await;
        let newest = readings.last().unwrap();
        assert_eq!(newest["device_timestamp"].to_string(), timestamp, "{newest}");
        assert!((newest["timestamp"].as_f64().unwrap() - before).abs() < 2.0 * SOON.as_secs_f64(), "{newest}");
        let rejected = eventually("the problem is counted", SOON, async || {
            let rejected = system.rejected("bad-001", "implausible_timestamp").await;
            (rejected.0 == count as u64 + 1).then_some(rejected)
        })
        .await;
        assert!(rejected.1.contains(reason), "{rejected:?}");
    }
    system.stop().await;
}

#[tokio::test]
async fn an_unknown_command_is_answered_failed_and_known_ones_go_on() {
    let system = System::start(1).await;
    for (command, state) in [("make_coffee", "failed"), ("identify", "succeeded")] {
        let request = json!({"command": command, "payload": {}});
        let (status, created) = system.post("/devices/device-001/commands", &request).await;
        assert_eq!(status, 202, "{created}");
        let answered = eventually(&format!("{command} is {state}"), SOON, async || {
            let list = system.get("/devices/device-001/commands").await;
            let commands = list["commands"].as_array().unwrap().clone();
            let found = commands.into_iter().find(|entry| entry["id"] == created["id"])?;
            ["failed", "succeeded"].contains(&found["state"].as_str()?).then_some(found)
        })
        .await;
        assert_eq!(answered["state"], state, "{answered}");
        if state == "failed" {
            assert!(answered["detail"].to_string().contains("make_coffee"), "{answered}");
        }
    }
    system.stop().await;
}

/// Both ways that a service reads its configuration: when told to (SIGHUP), and when it starts.
#[tokio::test]
async fn with_a_bad_configuration_the_sensor_service_goes_on_with_the_last_good_one() {
    let system = System::start(1).await;
    let device = &system.running.devices[0];
    let newest = async || {
        let readings = system.readings("device-001", "Temperature").await;
        readings.last().map_or(0.0, |reading| reading["timestamp"].as_f64().unwrap())
    };
    eventually("a reading", SOON, async || (newest().await > 0.0).then_some(())).await;

    let good = std::fs::read_to_string(&device.config_file).unwrap();
    std::fs::write(&device.config_file, good.replace("interval_seconds", "intervall_seconds")).unwrap();
    let log = || std::fs::read_to_string(&device.sensor.program().log).unwrap();
    let complains = |log: &str| log.contains("intervall_seconds") && log.contains("10-demo.toml");
    assert!(!complains(&log()));

    assert!(device.sensor.signal(Signal::SIGHUP));
    eventually("the log names file and key", SOON, async || complains(&log()).then_some(())).await;
    let after_reload = microkernel_wire::Timestamp::now().as_seconds();
    eventually("readings after the reload", SOON, async || (newest().await > after_reload).then_some(())).await;
    assert_eq!(device.sensor.starts(), 1, "{}", device.sensor.program().log_tail());

    let complaints = log().matches("intervall_seconds").count();
    assert!(device.sensor.signal(Signal::SIGKILL));
    eventually("the log names the key again", SOON, async || {
        (log().matches("intervall_seconds").count() > complaints).then_some(())
    })
    .await;
    let after_restart = microkernel_wire::Timestamp::now().as_seconds();
    eventually("readings after the restart", SOON + Duration::from_secs(30), async || {
        (newest().await > after_restart).then_some(())
    })
    .await;
    assert_eq!(device.sensor.starts(), 2, "{}", device.sensor.program().log_tail());
    system.stop().await;
}
