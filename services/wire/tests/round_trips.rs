//! Properties: every payload and topic goes round unchanged, and no bytes make a decoder panic.
#![allow(clippy::unwrap_used)]

#[path = "support/decoded.rs"]
mod decoded;

use microkernel_wire::*;
use proptest::collection::{btree_map, vec};
use proptest::option::of;
use proptest::prelude::*;
use proptest::sample::select;

fn device_id() -> impl Strategy<Value = DeviceId> {
    "[A-Za-z0-9][A-Za-z0-9._-]{0,63}".prop_map(|text| text.parse().unwrap())
}

fn sensor_name() -> impl Strategy<Value = SensorName> {
    "\\PC{1,64}".prop_map(|text| text.parse().unwrap())
}

/// Any text that a payload may hold: everything but U+0000.
fn text() -> impl Strategy<Value = String> {
    any::<String>().prop_map(|text| text.replace('\0', ""))
}

fn finite() -> impl Strategy<Value = f64> {
    any::<f64>().prop_filter("JSON has finite numbers only", |value| value.is_finite())
}

fn timestamp() -> impl Strategy<Value = Timestamp> {
    prop_oneof![any::<i64>(), 0..4_102_444_800_000_000_i64].prop_map(Timestamp::from_micros)
}

fn boot_id() -> impl Strategy<Value = BootId> {
    any::<u128>().prop_map(|bits| BootId(uuid::Uuid::from_u128(bits)))
}

fn json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        finite().prop_map(Into::into),
        text().prop_map(Into::into),
    ];
    leaf.prop_recursive(4, 32, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Into::into),
            btree_map(text(), inner, 0..4).prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
        ]
    })
}

prop_compose! {
    fn reading_of(device_id: DeviceId)(
        (sensor, value, unit, timestamp) in (sensor_name(), finite(), text(), timestamp()),
        (anomaly, confidence, raw) in (any::<bool>(), of(0.0..=1.0), of(finite())),
        (seq, boot_id) in (of(0..=i64::MAX as u64), of(boot_id())),
        outcome in of(btree_map(text(), select(&[StageOutcome::Ok, StageOutcome::Absent, StageOutcome::Timeout,
            StageOutcome::Error, StageOutcome::Open, StageOutcome::Unknown][..]), 0..3)),
        clock in of(select(&[Clock::Synchronized, Clock::Unsynchronized, Clock::Unknown][..])),
    ) -> Reading {
        let seq = seq.map(|number| Seq::try_from(number).unwrap());
        let device_id = device_id.clone();
        Reading { device_id, sensor, value, unit, timestamp, anomaly, confidence, seq, boot_id, raw, outcome, clock }
    }
}

fn readings() -> impl Strategy<Value = (DeviceId, Vec<Reading>)> {
    device_id().prop_flat_map(|id| (Just(id.clone()), vec(reading_of(id), 0..5)))
}

prop_compose! {
    fn status()(
        state in select(&[DeviceState::Online, DeviceState::Offline][..]),
        version in of(text()), slot in of(text()), boot_id in of(boot_id()), timestamp in of(timestamp()),
    ) -> Status {
        Status { state, version, slot, boot_id, timestamp }
    }
}

fn service_health() -> impl Strategy<Value = ServiceHealth> {
    let states =
        [ServiceState::Ok, ServiceState::Degraded, ServiceState::Failed, ServiceState::Absent, ServiceState::Unknown];
    (select(states.to_vec()), of(text())).prop_map(|(state, detail)| ServiceHealth { state, detail })
}

prop_compose! {
    fn health()(
        (timestamp, uptime_seconds, temperature_celsius) in (of(timestamp()), of(finite()), of(finite())),
        load in of([finite(), finite(), finite()]),
        memory in of(any::<(u64, u64)>()),
        storage in of(any::<(u64, u64)>()),
        spool in of(any::<[u64; 4]>()),
        services in btree_map(text(), service_health(), 0..4),
    ) -> Health {
        Health {
            timestamp, uptime_seconds, load, temperature_celsius, services,
            memory: memory.map(|(total_bytes, available_bytes)| Memory { total_bytes, available_bytes }),
            storage: storage.map(|(total_bytes, available_bytes)| Storage { total_bytes, available_bytes }),
            spool: spool.map(|[depth, bytes, dropped, lost]| SpoolHealth { depth, bytes, dropped, lost }),
        }
    }
}

fn command_name() -> impl Strategy<Value = CommandName> {
    prop_oneof![select(CommandName::KNOWN.to_vec()), text().prop_map(CommandName::from)]
}

prop_compose! {
    fn command()(id in text(), command in command_name(), payload in json(), timestamp in of(timestamp())) -> Command {
        Command { id, command, payload, timestamp }
    }
}

prop_compose! {
    fn response()(
        id in text(), command in command_name(), timestamp in of(timestamp()),
        status in select(&[ResponseStatus::Accepted, ResponseStatus::Running, ResponseStatus::Succeeded,
            ResponseStatus::Failed][..]),
        // A detail of null is the same as none.
        detail in of(json().prop_filter("null is no detail", |detail| !detail.is_null())),
    ) -> Response {
        Response { id, command, status, detail, timestamp }
    }
}

/// Encodes and decodes one object.
fn round<T: serde::Serialize + serde::de::DeserializeOwned>(object: &T) -> Result<T, DecodeError> {
    decode_json(&serde_json::to_vec(object).unwrap())
}

proptest! {
    #[test]
    fn telemetry_goes_round((device, readings) in readings()) {
        let telemetry = decode_telemetry(&device, &encode_telemetry(&readings)).unwrap();
        prop_assert_eq!(telemetry, Telemetry { readings, rejected: vec![] });
    }

    #[test]
    fn readings_of_another_device_are_refused((device, readings) in readings(), other in device_id()) {
        prop_assume!(device != other);
        let telemetry = match decode_telemetry(&other, &encode_telemetry(&readings)) {
            Ok(telemetry) => telemetry,
            Err(error) => { prop_assert_eq!(error.kind(), "wrong_device"); return Ok(()) }
        };
        prop_assert_eq!(telemetry.readings, vec![]);
        prop_assert_eq!(telemetry.rejected.len(), readings.len());
    }

    #[test]
    fn status_goes_round(status in status()) {
        prop_assert_eq!(round(&status).unwrap(), status);
    }

    #[test]
    fn health_goes_round(health in health()) {
        prop_assert_eq!(round(&health).unwrap(), health);
    }

    #[test]
    fn commands_go_round(command in command()) {
        prop_assert_eq!(round(&command).unwrap(), command);
    }

    #[test]
    fn responses_go_round(response in response()) {
        prop_assert_eq!(round(&response).unwrap(), response);
    }

    #[test]
    fn topics_go_round(device in device_id(), channel in select(&Channel::ALL[..])) {
        let topic = Topic::new(device, channel);
        prop_assert_eq!(topic.to_string().parse::<Topic>().unwrap(), topic);
    }

    #[test]
    fn a_time_in_seconds_is_the_time_in_microseconds(time in timestamp()) {
        prop_assert_eq!(Timestamp::from_seconds(time.as_seconds()), Some(time));
    }

    #[test]
    fn any_bytes_are_decoded_or_refused(bytes in vec(any::<u8>(), 0..256)) {
        decoded::check_all(&bytes);
    }

    /// Bytes that are nearly a payload reach deeper than random ones do.
    #[test]
    fn damaged_payloads_are_decoded_or_refused(
        (_, readings) in readings(), health in health(), command in command(),
        damage in vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let payloads = [encode_telemetry(&readings), serde_json::to_vec(&health).unwrap(), serde_json::to_vec(&command).unwrap()];
        for mut payload in payloads {
            for (place, byte) in &damage {
                let place = place.index(payload.len());
                payload[place] = *byte;
            }
            decoded::check_all(&payload);
        }
    }
}

#[test]
fn texts_outside_the_contract_are_not_topics() {
    for text in [
        "",
        "devices",
        "devices/device-001",
        "devices/device-001/",
        "devices//telemetry",
        "devices/+/telemetry",
        "devices/device-001/telemetry/",
        "devices/device-001/telemetry/x",
        "/devices/device-001/telemetry",
        "Devices/device-001/telemetry",
        "devices/device-001/Telemetry",
        "devices/-device/telemetry",
        "devices/device 1/telemetry",
    ] {
        assert!(text.parse::<Topic>().is_err(), "{text:?}");
    }
}

#[test]
fn a_value_that_is_not_finite_is_refused_by_the_receiver() {
    let device: DeviceId = "device-001".parse().unwrap();
    let payload = br#"{"device_id":"device-001","sensor":"Temperature","value":1,"timestamp":1}"#;
    let mut reading = decode_telemetry(&device, payload).unwrap().readings.remove(0);
    reading.value = f64::NAN;
    let error = decode_telemetry(&device, &encode_telemetry(&[reading])).unwrap_err();
    assert_eq!(error.to_string(), "value: invalid type: null, expected f64 at line 1 column 61");
}
