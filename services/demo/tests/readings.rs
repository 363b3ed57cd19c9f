//! A reading's way, from a sensor or from anyone with a device's certificate to the API; and who may not go it.
#![allow(clippy::unwrap_used)]

mod support;

use serde_json::json;
use support::{SOON, System, eventually};

/// The original platform's reading, byte for byte.
const ORIGINAL: &str = r#"{"device_id":"device-001","sensor":"Temperature","value":23.5,"unit":"°C","timestamp":1704067200,"anomaly":false,"confidence":0.95}"#;

#[tokio::test]
async fn readings_of_device_processes_arrive_through_the_broker() {
    let system = System::start(2).await;
    for device in ["device-001", "device-002"] {
        for (sensor, unit) in [("Temperature", "°C"), ("Humidity", "%"), ("Motion", "")] {
            let readings = eventually(&format!("three of {device}'s {sensor}"), SOON, async || {
                let readings = system.readings(device, sensor).await;
                (readings.len() >= 3).then_some(readings)
            })
            .await;
            for pair in readings.windows(2) {
                assert!(pair[0]["timestamp"].as_f64() <= pair[1]["timestamp"].as_f64(), "{pair:?}");
                assert!(pair[0]["seq"].as_u64() < pair[1]["seq"].as_u64(), "{pair:?}");
            }
            assert_eq!(readings[0]["device_id"], device);
            assert_eq!(readings[0]["unit"], unit);
            assert!(readings[0]["boot_id"].is_string(), "{}", readings[0]);
        }
    }
    let fleet = system.get("/devices").await;
    let states: Vec<_> = fleet["devices"].as_array().unwrap().iter().map(|device| &device["state"]).collect();
    assert_eq!(states, ["online", "online"]);
    let ledger = &system.get("/devices/device-001").await["ledger"][0];
    assert_eq!((&ledger["missing"], &ledger["gaps"]), (&json!(0), &json!([])), "{ledger}");
    system.stop().await;
}

#[tokio::test]
async fn the_original_reading_is_taken_from_its_device_and_refused_on_another_ones_topic() {
    let system = System::start(0).await;
    let first = system.certificate("device-001").await;
    let second = system.certificate("device-002").await;

    let output = system.mosquitto_pub(&first, "devices/device-001/telemetry", ORIGINAL.as_bytes()).await;
    assert!(output.status.success(), "{output:?}");
    let readings = eventually("the reading in the API", SOON, async || {
        let readings = system.readings("device-001", "Temperature").await;
        (!readings.is_empty()).then_some(readings)
    })
    .await;
    let mut sent: serde_json::Map<_, _> = serde_json::from_str(ORIGINAL).unwrap();
    // A time long ago may be told apart from the time that the reading is shown at.
    let claimed = readings[0].get("device_timestamp").unwrap_or(&readings[0]["timestamp"]);
    assert_eq!(Some(claimed), sent.remove("timestamp").as_ref());
    for (field, value) in &sent {
        assert_eq!(&readings[0][field], value, "{field} of {}", readings[0]);
    }

    // As itself on the other's topic, and as the other on its own topic.
    let stolen = ORIGINAL.replace("device-001", "device-002").replace("Temperature", "Stolen");
    let output = system.mosquitto_pub(&first, "devices/device-002/telemetry", stolen.as_bytes()).await;
    let said = String::from_utf8_lossy(&output.stderr).to_lowercase();
    assert!(said.contains("not authorized"), "MQTT 5 answers 0x87: {output:?}");
    let output = system.mosquitto_pub(&first, "devices/device-001/telemetry", stolen.as_bytes()).await;
    assert!(output.status.success(), "{output:?}");

    // What comes later has arrived, so what did not arrive by then never will.
    let own = ORIGINAL.replace("device-001", "device-002");
    let output = system.mosquitto_pub(&second, "devices/device-002/telemetry", own.as_bytes()).await;
    assert!(output.status.success(), "{output:?}");
    eventually("the other device's own reading", SOON, async || {
        (system.readings("device-002", "Temperature").await.len() == 1).then_some(())
    })
    .await;
    let (count, reason) = eventually("the refusal in the API", SOON, async || {
        let rejected = system.rejected("device-001", "wrong_device").await;
        (rejected.0 > 0).then_some(rejected)
    })
    .await;
    assert_eq!(count, 1);
    assert!(reason.contains(r#"device_id: is "device-002""#), "{reason}");
    assert_eq!(system.readings("device-002", "Stolen").await.len(), 0);
    assert_eq!(system.readings("device-001", "Stolen").await.len(), 0);
    assert_eq!(system.readings("device-001", "Temperature").await.len(), 1);
    system.stop().await;
}

#[tokio::test]
async fn without_a_certificate_of_this_ca_nobody_gets_in() {
    let (system, other) = (System::start(0).await, System::start(0).await);
    let own = system.certificate("device-001").await;
    let mut foreign = other.certificate("device-001").await;
    foreign.ca_cert.clone_from(&own.ca_cert);
    let output = system.mosquitto_pub(&foreign, "devices/device-001/telemetry", ORIGINAL.as_bytes()).await;
    assert!(!output.status.success(), "a certificate of another CA was taken: {output:?}");
    let output = system.mosquitto_pub(&own, "devices/device-001/telemetry", ORIGINAL.as_bytes()).await;
    assert!(output.status.success(), "{output:?}");
    eventually("the rightful reading", SOON, async || {
        (system.readings("device-001", "Temperature").await.len() == 1).then_some(())
    })
    .await;
    other.stop().await;
    system.stop().await;
}
