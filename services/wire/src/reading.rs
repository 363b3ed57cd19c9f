//! A reading.

use crate::{BootId, DeviceId, SensorName, Seq, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One value of one sensor at one time.
///
/// The first seven fields are the original platform's; a message with those alone, in any order, is valid. `unit`,
/// `anomaly` and `confidence` may be missing too. What is absent is not serialized.
///
/// Every number that was decoded is finite: JSON has no NaN or infinity, and one too large for a double is refused.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reading {
    /// The device, the same as in the topic.
    pub device_id: DeviceId,
    /// The sensor, for example `Temperature`.
    pub sensor: SensorName,
    /// The value, in `unit`; after the edge scripts where there are any.
    pub value: f64,
    /// The unit, for example `°C`; empty for a plain number.
    #[serde(default)]
    pub unit: String,
    /// When it was measured, by the device's clock (see `clock`).
    pub timestamp: Timestamp,
    /// Whether the device's model calls it an anomaly.
    #[serde(default)]
    pub anomaly: bool,
    /// The model's confidence in that judgement, 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confidence: Option<f64>,
    /// Its number within `boot_id`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seq: Option<Seq>,
    /// Which run of the numbering `seq` belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boot_id: Option<BootId>,
    /// The value before an edge script changed it; absent where none did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub raw: Option<f64>,
    /// What each stage of the device's pipeline did with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
    /// How far `timestamp` can be trusted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock: Option<Clock>,
}

/// What each stage (`wasm`, `ml`) did with a reading, by the stage's name.
pub type Outcome = BTreeMap<String, StageOutcome>;

/// How one stage of the pipeline fared with a reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StageOutcome {
    /// It answered in time.
    Ok,
    /// It is not there (not installed, not running).
    Absent,
    /// It did not answer within its deadline.
    Timeout,
    /// It answered with an error.
    Error,
    /// Its circuit breaker is open after repeated failures: it was not asked.
    Open,
    /// An outcome that this version does not know.
    #[serde(other)]
    Unknown,
}

/// The quality of the clock that stamped a reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Clock {
    /// Disciplined by NTP or PTP (the kernel's `STA_UNSYNC` is clear).
    Synchronized,
    /// Running, but not disciplined since boot: may be off by much.
    Unsynchronized,
    /// A quality that this version does not know.
    #[serde(other)]
    Unknown,
}
