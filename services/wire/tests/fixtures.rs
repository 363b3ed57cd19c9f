//! The golden fixtures: what the contract takes and what it refuses, and why.
#![allow(clippy::unwrap_used)]

#[path = "support/decoded.rs"]
mod decoded;

use microkernel_wire::{
    Command, CommandName, DecodeError, DeviceId, DeviceState, Health, MAX_PAYLOAD_BYTES, Response, ServiceState,
    StageOutcome, Status, Timestamp, decode_json, decode_telemetry, encode_telemetry,
};
use std::fs;
use std::path::{Path, PathBuf};

fn device() -> DeviceId {
    "device-001".parse().unwrap()
}

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(name)
}

fn valid(name: &str) -> Vec<u8> {
    fs::read(folder("valid").join(name)).unwrap()
}

/// All fixtures of a folder: name without extension, and bytes.
fn fixtures(name: &str) -> Vec<(String, Vec<u8>)> {
    let paths = fs::read_dir(folder(name)).unwrap().map(|entry| entry.unwrap().path());
    let json = paths.filter(|path| path.extension().is_some_and(|extension| extension == "json"));
    json.map(|path| (path.file_stem().unwrap().to_str().unwrap().to_owned(), fs::read(path).unwrap())).collect()
}

/// Decodes a fixture by the kind in its name: how many parts were taken, and the errors' texts.
fn decode_by_name(kind: &str, payload: &[u8]) -> (usize, Vec<String>) {
    fn one<T>(decoded: Result<T, DecodeError>) -> (usize, Vec<String>) {
        decoded.map_or_else(|error| (0, vec![error.to_string()]), |_| (1, vec![]))
    }
    match kind {
        "telemetry" => match decode_telemetry(&device(), payload) {
            Ok(telemetry) => {
                let errors = telemetry.rejected.iter().map(|rejection| rejection.error.to_string());
                (telemetry.readings.len(), errors.collect())
            }
            Err(error) => (0, vec![error.to_string()]),
        },
        "status" => one(decode_json::<Status>(payload)),
        "health" => one(decode_json::<Health>(payload)),
        "command" => one(decode_json::<Command>(payload)),
        "response" => one(decode_json::<Response>(payload)),
        other => panic!("a fixture's name says its kind, this one says {other:?}"),
    }
}

#[test]
fn every_valid_fixture_is_taken_whole() {
    let all = fixtures("valid");
    assert!(all.len() >= 25, "only {} fixtures found", all.len());
    for (name, payload) in all {
        let (_, errors) = decode_by_name(name.split('_').next().unwrap(), &payload);
        assert_eq!(errors, Vec::<String>::new(), "{name}");
    }
}

/// Beside each fixture a text: the number of readings that are taken all the same, then a line for each error.
#[test]
fn every_reject_fixture_is_refused_with_its_reason() {
    let all = fixtures("reject");
    assert!(all.len() >= 40, "only {} fixtures found", all.len());
    let mut wrong = Vec::new();
    for (name, payload) in all {
        let kind = name.strip_prefix("reject_").unwrap().split('_').next().unwrap();
        let (taken, errors) = decode_by_name(kind, &payload);
        assert!(!errors.is_empty(), "{name} was taken");
        let found = format!("taken: {taken}\n{}\n", errors.join("\n"));
        let expected = fs::read_to_string(folder("reject").join(&name).with_extension("txt")).unwrap_or_default();
        if found != expected {
            wrong.push(format!("{name}\nexpected:\n{expected}\nfound:\n{found}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_fixture_goes_round_unchanged() {
    for (_, payload) in fixtures("valid").into_iter().chain(fixtures("reject")) {
        decoded::check_all(&payload);
    }
}

#[test]
fn the_original_reading_decodes_unchanged_in_any_order() {
    for name in ["telemetry_original.json", "telemetry_original_other_order.json"] {
        let telemetry = decode_telemetry(&device(), &valid(name)).unwrap();
        let [reading] = &telemetry.readings[..] else { panic!("{name}: {telemetry:?}") };
        assert_eq!(reading.device_id, device());
        assert_eq!(reading.sensor.as_str(), "Temperature");
        assert_eq!(reading.value, 23.5);
        assert_eq!(reading.unit, "°C");
        assert_eq!(reading.timestamp, Timestamp::from_micros(1_704_067_200_000_000));
        assert!(!reading.anomaly);
        assert_eq!(reading.confidence, Some(0.95));
        assert_eq!((reading.seq, reading.boot_id, reading.raw, reading.clock), (None, None, None, None));
        assert_eq!(encode_telemetry(&telemetry.readings), valid("telemetry_original.json"), "encoded again");
    }
}

#[test]
fn a_bad_element_does_not_stop_the_good_ones_beside_it() {
    let payload = fs::read(folder("reject").join("reject_telemetry_array_one_bad.json")).unwrap();
    let telemetry = decode_telemetry(&device(), &payload).unwrap();
    assert_eq!(telemetry.readings.len(), 2);
    let rejected: Vec<_> = telemetry.rejected.iter().map(|r| (r.index, r.error.kind())).collect();
    assert_eq!(rejected, [(1, "invalid"), (2, "wrong_device"), (3, "invalid")]);
}

#[test]
fn what_a_newer_device_says_is_read_as_unknown() {
    let telemetry = decode_telemetry(&device(), &valid("telemetry_unknown_words.json")).unwrap();
    let outcome = telemetry.readings[0].outcome.clone().unwrap();
    assert_eq!(outcome["wasm"], StageOutcome::Unknown);
    assert_eq!(outcome["gpu"], StageOutcome::Ok);
    let health: Health = decode_json(&valid("health_newer_device.json")).unwrap();
    assert_eq!(health.services["sensor"].state, ServiceState::Unknown);
    let command: Command = decode_json(&valid("command_unknown.json")).unwrap();
    assert_eq!(command.command, CommandName::Unknown("make_coffee".to_owned()));
    let status: Status = decode_json(&valid("status_newer_device.json")).unwrap();
    assert_eq!(status.state, DeviceState::Online);
}

#[test]
fn times_far_away_and_between_seconds_are_kept() {
    let micros = |name| decode_telemetry(&device(), &valid(name)).unwrap().readings[0].timestamp.as_micros();
    assert_eq!(micros("telemetry_timestamp_1970.json"), 12_000_000);
    assert_eq!(micros("telemetry_timestamp_2100.json"), 4_102_444_800_000_000);
    assert_eq!(micros("telemetry_timestamp_before_1970.json"), -1_500_000);
    assert_eq!(micros("telemetry_timestamp_fractional.json"), 1_704_067_200_000_001);
    assert_eq!(micros("telemetry_timestamp_exponent.json"), 1_704_067_200_000_000);
}

#[test]
fn a_payload_above_the_limit_is_refused_before_it_is_parsed() {
    let spaces = vec![b' '; MAX_PAYLOAD_BYTES + 1];
    let error = decode_telemetry(&device(), &spaces).unwrap_err();
    assert_eq!(error.kind(), "too_large");
    assert_eq!(error.to_string(), "the payload has 262145 bytes: send at most 262144 in one message");
    let mut longest = valid("telemetry_original.json");
    longest.resize(MAX_PAYLOAD_BYTES, b' ');
    assert_eq!(decode_telemetry(&device(), &longest).unwrap().readings.len(), 1);
}

#[test]
fn an_error_stays_short_however_long_the_payload() {
    let payload = format!(r#"{{"state":"{}"}}"#, "x".repeat(200_000));
    let error = decode_json::<Status>(payload.as_bytes()).unwrap_err().to_string();
    assert!(error.starts_with("state: unknown variant `xxx"), "{error}");
    assert!(error.contains("expected `online` or `offline`"), "{error}");
    assert!(error.chars().count() < 300, "{error}");
}
