//! Joining encoded readings.
#![allow(clippy::unwrap_used)]

use microkernel_wire::{Reading, Timestamp, encode_telemetry, join_telemetry};

#[test]
fn joined_readings_are_the_bytes_of_readings_encoded_together() {
    let reading = |number: u32| Reading {
        device_id: "device-001".parse().unwrap(),
        sensor: "Temperature".parse().unwrap(),
        value: f64::from(number) / 3.0,
        unit: "°C".to_owned(),
        timestamp: Timestamp::from_micros(1_704_067_200_000_000),
        anomaly: false,
        confidence: None,
        seq: None,
        boot_id: None,
        raw: None,
        outcome: None,
        clock: None,
    };
    for count in 0..4 {
        let readings: Vec<Reading> = (0..count).map(reading).collect();
        let encoded: Vec<Vec<u8>> = readings.iter().map(|one| encode_telemetry(std::slice::from_ref(one))).collect();
        assert_eq!(join_telemetry(&encoded), encode_telemetry(&readings));
    }
}
