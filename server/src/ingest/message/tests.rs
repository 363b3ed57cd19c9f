//! What ingest makes of packets, good and bad.
#![allow(clippy::unwrap_used)]

use super::*;
use proptest::prelude::*;

const NOW_MICROS: i64 = 1_800_000_000_000_000;
const DAY: Duration = Duration::from_secs(86_400);

fn decoded(topic: &str, payload: &[u8]) -> Message {
    let packet = Packet { topic, payload, packet_id: 1, redelivered: false, retained: false };
    decode(packet, Time::from_micros(NOW_MICROS), &PlausibleTime { oldest: 400 * DAY, newest: DAY })
}

fn reading_at(seconds: f64) -> Message {
    let payload = format!(r#"{{"device_id":"d1","sensor":"T","value":1,"timestamp":{seconds}}}"#);
    decoded("devices/d1/telemetry", payload.as_bytes())
}

fn kinds(message: &Message) -> Vec<&'static str> {
    message.rejections.iter().map(|rejection| rejection.kind).collect()
}

#[test]
fn an_implausible_time_is_reported_and_the_reading_kept_under_its_arrival() {
    for seconds in [0.0, 4_102_444_800.0] {
        let message = reading_at(seconds);
        let Content::Telemetry(readings) = &message.content else { panic!("{message:?}") };
        assert_eq!(readings[0].ts, Time::from_micros(NOW_MICROS));
        assert_eq!(readings[0].device_ts.unwrap().0.as_seconds(), seconds);
        assert_eq!(kinds(&message), ["implausible_timestamp"]);
        assert!(message.rejections[0].reason.contains("check the device's clock"));
    }
}

#[test]
fn a_time_within_the_window_is_the_devices_own() {
    for offset in [-399.0 * 86_400.0, 0.0, 23.0 * 3600.0] {
        let seconds = NOW_MICROS as f64 / 1e6 + offset;
        let message = reading_at(seconds);
        let Content::Telemetry(readings) = &message.content else { panic!("{message:?}") };
        assert_eq!((readings[0].ts.0.as_seconds(), readings[0].device_ts), (seconds, None));
        assert!(message.rejections.is_empty());
    }
}

#[test]
fn a_bad_element_never_stops_the_good_ones() {
    let payload = br#"[{"device_id":"d1","sensor":"T","value":1,"timestamp":1800000000},
        {"device_id":"d1","sensor":"T","value":"hot","timestamp":1800000000},
        {"device_id":"d2","sensor":"T","value":1,"timestamp":1800000000},
        {"device_id":"d1","sensor":"T","value":1,"timestamp":1800000000,"seq":9223372036854775807}]"#;
    let message = decoded("devices/d1/telemetry", payload);
    let Content::Telemetry(readings) = &message.content else { panic!("{message:?}") };
    assert_eq!(readings.len(), 1);
    assert_eq!(kinds(&message), ["invalid", "wrong_device", "invalid"]);
}

#[test]
fn what_cannot_be_understood_is_refused_with_its_kind() {
    let long = vec![b' '; microkernel_wire::MAX_PAYLOAD_BYTES + 1];
    let cases: [(&str, &[u8], &str); 7] = [
        ("devices/d1/telemetry", b"{not json", "invalid"),
        ("devices/d1/telemetry", b"", "invalid"),
        ("devices/d1/telemetry", &long, "too_large"),
        ("devices/d1/status", br#"{"state":"asleep"}"#, "invalid"),
        ("devices/d1/nonsense", b"{}", "unknown_topic"),
        ("devices/-bad-/telemetry", b"{}", "unknown_topic"),
        ("devices/d1/responses", br#"{"id":"7","command":"reboot","status":"failed"}"#, "unknown_command"),
    ];
    for (topic, payload, kind) in cases {
        let message = decoded(topic, payload);
        assert!(matches!(message.content, Content::Nothing), "{topic}: {message:?}");
        assert_eq!(kinds(&message), [kind], "{topic}");
        assert!(message.rejections[0].sample.len() <= SAMPLE_BYTES);
    }
}

#[test]
fn nul_does_not_reach_the_database() {
    let message = decoded("devices/d1/status", br#"{"state":"online","version":"1\u0000"}"#);
    let Content::Status(status) = message.content else { panic!("{message:?}") };
    assert_eq!(status.version.unwrap(), "1\u{fffd}");
}

proptest! {
    #[test]
    fn any_bytes_are_understood_or_refused(topic in "devices/[a-z]{1,3}/(telemetry|status|health|responses)", payload: Vec<u8>) {
        let message = decoded(&topic, &payload);
        prop_assert!(!matches!(message.content, Content::Nothing) || !message.rejections.is_empty());
    }
}
