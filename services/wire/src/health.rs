//! A device's health report.

use crate::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How a device fares; what it cannot measure is absent.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Health {
    /// When the report was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<Timestamp>,
    /// Seconds since boot.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uptime_seconds: Option<f64>,
    /// Load average over 1, 5 and 15 minutes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub load: Option<[f64; 3]>,
    /// Main memory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory: Option<Memory>,
    /// The data partition.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub storage: Option<Storage>,
    /// The processor's temperature, °C.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub temperature_celsius: Option<f64>,
    /// What waits to be published.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub spool: Option<SpoolHealth>,
    /// Each service by its name: `sensor`, `wasm`, `ml`, `uplink`, `update`.
    pub services: BTreeMap<String, ServiceHealth>,
}

/// Main memory, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Memory {
    /// All of it.
    pub total_bytes: u64,
    /// What could be given to a new program without swapping (`MemAvailable`).
    pub available_bytes: u64,
}

/// A file system, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Storage {
    /// All of it.
    pub total_bytes: u64,
    /// What an unprivileged process may still write.
    pub available_bytes: u64,
}

/// The uplink's spool.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct SpoolHealth {
    /// Readings that wait to be acknowledged by the broker.
    pub depth: u64,
    /// Bytes that they take.
    pub bytes: u64,
    /// Readings dropped by the overflow policy since the service started.
    pub dropped: u64,
    /// Readings that the sensor's ring overwrote before the uplink could read them.
    pub lost: u64,
}

/// The state of one service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceHealth {
    /// How it fares.
    pub state: ServiceState,
    /// Why, where it is not well: for example the sensor that fails, with its bus address and errno.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// How a service fares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ServiceState {
    /// It does its work.
    Ok,
    /// It runs, with part of its work failing.
    Degraded,
    /// It fails.
    Failed,
    /// It is not there.
    Absent,
    /// A state that this version does not know.
    #[serde(other)]
    Unknown,
}
