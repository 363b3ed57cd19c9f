//! Identities: device, sensor, numbering.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use uuid::Uuid;

/// Why a text is not a valid identity.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// Not a device identity.
    #[error(
        "{0:?} is not a device id: expected 1 to 64 characters of A-Z a-z 0-9 . _ -, the first a letter or a digit"
    )]
    Device(String),
    /// Not a sensor name.
    #[error("{0:?} is not a sensor name: expected 1 to 64 characters, none of them a control character")]
    Sensor(String),
    /// Not a sequence number.
    #[error("{0} is not a sequence number: expected 0 to 9223372036854775807")]
    Seq(u64),
}

/// A device's identity: the common name of its certificate and the second level of its topics.
///
/// 1 to 64 characters of `A-Z a-z 0-9 . _ -`, the first a letter or a digit: safe in a topic (no wildcard, no
/// separator), in a file name and in an X.509 common name (at most 64 characters, RFC 5280 `ub-common-name`).
///
/// ```
/// use microkernel_wire::DeviceId;
/// assert!("device-001".parse::<DeviceId>().is_ok());
/// assert!("device/+".parse::<DeviceId>().is_err());
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct DeviceId(String);

impl DeviceId {
    /// The identity as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for DeviceId {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        let valid = (1..=64).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
            && text.as_bytes()[0].is_ascii_alphanumeric();
        if valid { Ok(Self(text.to_owned())) } else { Err(IdError::Device(clip(text))) }
    }
}

/// A sensor's name on its device, for example `Temperature`: 1 to 64 characters, no control characters.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SensorName(String);

impl SensorName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for SensorName {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        let valid = !text.is_empty() && text.chars().count() <= 64 && !text.chars().any(char::is_control);
        if valid { Ok(Self(text.to_owned())) } else { Err(IdError::Sensor(clip(text))) }
    }
}

macro_rules! text_conversions {
    ($($type:ty),*) => {$(
        impl TryFrom<String> for $type {
            type Error = IdError;
            fn try_from(text: String) -> Result<Self, IdError> {
                text.parse()
            }
        }
        impl From<$type> for String {
            fn from(id: $type) -> Self {
                id.0
            }
        }
        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )*};
}
text_conversions!(DeviceId, SensorName);

/// Identifies one run of the numbering [`Seq`]: new at each start of the sensor service, and so at every boot.
///
/// `(device, boot_id, seq)` identifies a reading for good; the server ingests each such triple once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct BootId(pub Uuid);

impl fmt::Display for BootId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A reading's number within its [`BootId`]: counts up by one for each reading; a hole is a lost reading.
///
/// At most 2^63 - 1, so that it fits a signed 64-bit column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "u64", into = "u64")]
pub struct Seq(u64);

impl Seq {
    /// The number.
    pub fn get(self) -> u64 {
        self.0
    }
}

impl TryFrom<u64> for Seq {
    type Error = IdError;
    fn try_from(number: u64) -> Result<Self, IdError> {
        if number <= i64::MAX as u64 { Ok(Self(number)) } else { Err(IdError::Seq(number)) }
    }
}

impl From<Seq> for u64 {
    fn from(seq: Seq) -> Self {
        seq.0
    }
}

/// At most the first 80 characters of untrusted text, for an error message.
fn clip(text: &str) -> String {
    text.chars().take(80).collect()
}
