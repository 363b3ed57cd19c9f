//! The telemetry payload: one reading or an array of readings.

use crate::error::{checked_text, decode_any, decode_object};
use crate::{DecodeError, DeviceId, Reading};
use serde_json::value::RawValue;

/// The longest payload that is decoded: about 1,000 readings in one message.
pub const MAX_PAYLOAD_BYTES: usize = 256 * 1024;

/// A decoded telemetry payload: the readings that are valid and, beside them, those that are not.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Telemetry {
    /// The valid readings, in the payload's order.
    pub readings: Vec<Reading>,
    /// The elements that were refused; a bad element never stops the good ones beside it.
    pub rejected: Vec<Rejection>,
}

/// An element of a telemetry payload that was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    /// Its place in the array; 0 for a single reading.
    pub index: usize,
    /// Why.
    pub error: DecodeError,
}

/// Decodes a telemetry payload that came by `device`'s topic.
///
/// # Errors
/// [`DecodeError`] when the payload as a whole is too long or is not JSON. What is wrong with one element only is in
/// [`Telemetry::rejected`].
pub fn decode_telemetry(device: &DeviceId, payload: &[u8]) -> Result<Telemetry, DecodeError> {
    let text = checked_text(payload)?;
    if !text.trim_ascii_start().starts_with('[') {
        return decode_reading(device, text).map(|reading| Telemetry { readings: vec![reading], rejected: vec![] });
    }
    // Elements are cut out first and decoded one by one, so that each can fail alone.
    let elements: Vec<Box<RawValue>> = decode_any(text)?;
    let mut telemetry = Telemetry { readings: Vec::with_capacity(elements.len()), rejected: vec![] };
    for (index, element) in elements.iter().enumerate() {
        match decode_reading(device, element.get()) {
            Ok(reading) => telemetry.readings.push(reading),
            Err(error) => telemetry.rejected.push(Rejection { index, error: error.within(index) }),
        }
    }
    Ok(telemetry)
}

/// Encodes readings: one as an object, any other number as an array.
///
/// A value that is not finite becomes `null`, JSON having no word for it, and is refused by the receiver; a producer
/// does not make a reading of it.
pub fn encode_telemetry(readings: &[Reading]) -> Vec<u8> {
    let json = match readings {
        [one] => serde_json::to_vec(one),
        many => serde_json::to_vec(many),
    };
    json.unwrap_or_else(|error| unreachable!("a reading has only string keys and finite numbers: {error}"))
}

/// Joins readings that [`encode_telemetry`] encoded one by one: the same bytes as if it had encoded them together.
///
/// So a spool can hold readings encoded and make payloads of them without decoding any.
pub fn join_telemetry(encoded: &[impl AsRef<[u8]>]) -> Vec<u8> {
    if let [one] = encoded {
        return one.as_ref().to_vec();
    }
    let mut payload = Vec::with_capacity(2 + encoded.iter().map(|reading| reading.as_ref().len() + 1).sum::<usize>());
    payload.push(b'[');
    for (index, reading) in encoded.iter().enumerate() {
        if index > 0 {
            payload.push(b',');
        }
        payload.extend_from_slice(reading.as_ref());
    }
    payload.push(b']');
    payload
}

fn decode_reading(device: &DeviceId, json: &str) -> Result<Reading, DecodeError> {
    let reading: Reading = decode_object(json)?;
    if let Some(confidence) = reading.confidence.filter(|c| !(0.0..=1.0).contains(c)) {
        let reason = format!("{confidence} is not a confidence: expected 0 to 1");
        return Err(DecodeError::invalid("confidence", reason));
    }
    if reading.device_id != *device {
        return Err(DecodeError::WrongDevice {
            path: "device_id".to_owned(),
            claimed: reading.device_id.to_string(),
            expected: device.to_string(),
        });
    }
    Ok(reading)
}
