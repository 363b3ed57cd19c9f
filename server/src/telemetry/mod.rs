//! Readings: how they are stored and read back.

mod codes;
pub mod series;
pub(crate) mod store;

pub use store::history;

use crate::time::Time;
use microkernel_wire::{Reading, Timestamp};
use serde::Serialize;
use utoipa::ToSchema;

/// Which readings of a device are asked for.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Range {
    /// One sensor's; all sensors' where absent.
    pub sensor: Option<String>,
    /// Measured at or after.
    pub from: Option<Time>,
    /// Measured before.
    pub to: Option<Time>,
    /// At most so many, the newest of them.
    pub limit: u32,
}

/// A reading as it was stored.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct StoredReading {
    /// As on the wire.
    #[serde(flatten)]
    #[schema(value_type = crate::api::schema::Reading)]
    pub reading: Reading,
    /// The device's own timestamp where it was implausible, and `timestamp` is the time of arrival instead.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<f64>)]
    pub device_timestamp: Option<Timestamp>,
}

/// A point on a live chart.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Point {
    /// The sensor's name.
    pub sensor: String,
    /// When it was measured, in Unix seconds.
    pub timestamp: Timestamp,
    /// The value.
    pub value: f64,
    /// Its unit.
    pub unit: String,
    /// Whether the device's model calls it an anomaly.
    pub anomaly: bool,
}
