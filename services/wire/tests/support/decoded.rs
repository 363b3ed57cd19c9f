//! The body of the fuzz target and of the tests: bytes through every decoder of the contract.

use microkernel_wire::{Command, Health, Reading, Response, Status, decode_json, decode_telemetry, encode_telemetry};
use serde::{Serialize, de::DeserializeOwned};
use std::fmt::Debug;

/// Gives `bytes` to every decoder; what is decoded must encode, and decode again to the same.
///
/// # Panics
/// When it does not.
pub(crate) fn check_all(bytes: &[u8]) {
    check_telemetry(bytes);
    check_object::<Reading>(bytes);
    check_object::<Status>(bytes);
    check_object::<Health>(bytes);
    check_object::<Command>(bytes);
    check_object::<Response>(bytes);
    if let Ok(text) = std::str::from_utf8(bytes)
        && let Ok(topic) = text.parse::<microkernel_wire::Topic>()
    {
        assert_eq!(topic.to_string(), text, "a topic changes on its way round");
    }
}

fn check_telemetry(bytes: &[u8]) {
    let device = "device-001".parse().expect("a device id");
    let Ok(first) = decode_telemetry(&device, bytes) else { return };
    for rejection in &first.rejected {
        assert!(rejection.error.to_string().chars().count() <= 500, "a long error: {}", rejection.error);
    }
    let again = decode_telemetry(&device, &encode_telemetry(&first.readings)).expect("encoded readings decode");
    assert_eq!(again.readings, first.readings, "readings change on their way round");
    assert_eq!(again.rejected, [], "an encoded reading is refused");
}

fn check_object<T: DeserializeOwned + Serialize + PartialEq + Debug>(bytes: &[u8]) {
    let Ok(first) = decode_json::<T>(bytes) else { return };
    let json = serde_json::to_vec(&first).expect("a decoded object encodes");
    match decode_json::<T>(&json) {
        Ok(again) => assert_eq!(again, first, "an object changes on its way round"),
        // Escapes and defaults make it longer than it came: only at the very limit of the length.
        Err(error) => assert_eq!(error.kind(), "too_large", "{error}"),
    }
}
