//! Topics: `devices/{device_id}/{channel}`.

use crate::{DeviceId, IdError};
use std::fmt;
use std::str::FromStr;

/// A topic of one device.
///
/// ```
/// use microkernel_wire::{Channel, Topic};
/// let topic: Topic = "devices/device-001/telemetry".parse()?;
/// assert_eq!(topic.device.as_str(), "device-001");
/// assert_eq!(topic.channel, Channel::Telemetry);
/// assert_eq!(topic.to_string(), "devices/device-001/telemetry");
/// # Ok::<(), microkernel_wire::TopicError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Topic {
    /// Whose topic.
    pub device: DeviceId,
    /// Which of its channels.
    pub channel: Channel,
}

impl Topic {
    /// The topic of `device`'s `channel`.
    pub fn new(device: DeviceId, channel: Channel) -> Self {
        Self { device, channel }
    }
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "devices/{}/{}", self.device, self.channel.as_str())
    }
}

impl FromStr for Topic {
    type Err = TopicError;
    fn from_str(text: &str) -> Result<Self, TopicError> {
        let unknown = || TopicError::Unknown(text.chars().take(80).collect());
        let (device, channel) =
            text.strip_prefix("devices/").and_then(|rest| rest.split_once('/')).ok_or_else(unknown)?;
        let channel = Channel::ALL.into_iter().find(|c| c.as_str() == channel).ok_or_else(unknown)?;
        Ok(Self { device: device.parse()?, channel })
    }
}

/// Why a text is not a topic of the contract.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TopicError {
    /// Not of the form `devices/{device_id}/{channel}`.
    #[error("{0:?} is not a topic: expected devices/DEVICE_ID/ and telemetry, status, health, commands or responses")]
    Unknown(String),
    /// The device part is not a device id.
    #[error(transparent)]
    Device(#[from] IdError),
}

/// The channels of a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Channel {
    /// Readings, up.
    Telemetry,
    /// Online or offline, up, retained.
    Status,
    /// The health report, up.
    Health,
    /// Commands, down.
    Commands,
    /// Answers to commands, up.
    Responses,
}

impl Channel {
    /// All channels.
    pub const ALL: [Self; 5] = [Self::Telemetry, Self::Status, Self::Health, Self::Commands, Self::Responses];
    /// The channels that a server listens to.
    pub const UP: [Self; 4] = [Self::Telemetry, Self::Status, Self::Health, Self::Responses];

    /// The last level of the topic.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Telemetry => "telemetry",
            Self::Status => "status",
            Self::Health => "health",
            Self::Commands => "commands",
            Self::Responses => "responses",
        }
    }

    /// The subscription to this channel of every device: `devices/+/telemetry`.
    pub fn filter(self) -> String {
        format!("devices/+/{}", self.as_str())
    }

    /// The same, shared by the servers of `group` (MQTT 5, section 4.8.2): `$share/ingest/devices/+/telemetry`.
    pub fn shared_filter(self, group: &str) -> String {
        format!("$share/{group}/devices/+/{}", self.as_str())
    }
}
