//! The device registry: which devices there are, how they fare, their sensors with the newest reading of each.
//!
//! A device is registered by its first message: the broker has authenticated it by its certificate.

pub(crate) mod store;

pub use store::{find, list};

use crate::ledger::LedgerEntry;
use crate::rejections::RejectionCount;
use crate::time::Time;
use microkernel_wire::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Whether a device is connected to the broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum DeviceState {
    /// It has not said yet.
    Unknown,
    /// Connected.
    Online,
    /// Not connected.
    Offline,
}

impl DeviceState {
    /// As in the database and the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Online => "online",
            Self::Offline => "offline",
        }
    }

    fn from_database(text: &str) -> Self {
        match text {
            "online" => Self::Online,
            "offline" => Self::Offline,
            _ => Self::Unknown,
        }
    }
}

impl From<microkernel_wire::DeviceState> for DeviceState {
    fn from(state: microkernel_wire::DeviceState) -> Self {
        match state {
            microkernel_wire::DeviceState::Online => Self::Online,
            microkernel_wire::DeviceState::Offline => Self::Offline,
        }
    }
}

/// A device as the fleet's overview shows it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Device {
    /// Its identity.
    pub id: String,
    /// Whether it is connected.
    pub state: DeviceState,
    /// Since when.
    pub state_changed_at: Option<Time>,
    /// The version of its software.
    pub version: Option<String>,
    /// Its booted slot, `A` or `B`.
    pub slot: Option<String>,
    /// When its last message arrived.
    pub last_seen_at: Option<Time>,
    /// When its first message arrived.
    pub created_at: Time,
    /// Readings of the last 24 hours that its model calls anomalies.
    pub anomalies_24h: i64,
    /// Its sensors by name.
    pub sensors: Vec<Sensor>,
    /// Messages and readings refused so far.
    pub rejected: i64,
    /// Its tags, by name.
    pub tags: Vec<String>,
}

/// A sensor of a device.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Sensor {
    /// Its name on the device.
    pub name: String,
    /// The unit of its newest reading.
    pub unit: String,
    /// Its newest reading: the last that arrived in order, whatever the device's clock says.
    pub latest: Option<Latest>,
    /// Readings so far.
    pub readings: i64,
    /// Anomalies among them.
    pub anomalies: i64,
}

/// A sensor's newest reading.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Latest {
    /// The value, in the sensor's unit.
    pub value: f64,
    /// When it was measured, in Unix seconds.
    #[schema(value_type = f64)]
    pub timestamp: Timestamp,
    /// Whether the device's model calls it an anomaly.
    pub anomaly: bool,
}

/// A device with everything that its own page shows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct DeviceDetail {
    /// What the overview shows.
    #[serde(flatten)]
    pub device: Device,
    /// Its newest health report, a [`microkernel_wire::Health`].
    pub health: Option<serde_json::Value>,
    /// When that arrived.
    pub health_at: Option<Time>,
    /// What arrived of each run of its numbering, the newest run first.
    pub ledger: Vec<LedgerEntry>,
    /// What was refused, by kind, the newest first.
    pub rejections: Vec<RejectionCount>,
}
