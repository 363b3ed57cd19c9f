//! What the feed hands out.

use crate::Reading;
use serde::{Deserialize, Serialize};
use zbus::Type;

/// The answer to `ReadSince`; three out arguments on the bus.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
pub struct Batch {
    /// The epoch that the numbers of `readings` belong to: a fresh UUID at every start of the sensor service.
    pub epoch: String,
    /// How many readings were overwritten between the asked number and the first one here.
    pub lost: u64,
    /// The readings, oldest first, numbers ascending without a gap.
    pub readings: Vec<Reading>,
}

/// How a configured sensor is doing: `(sssssittd)` on the bus.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
pub struct SensorState {
    /// The sensor's name, for example `Temperature`.
    pub name: String,
    /// The driver, for example `tmp105`.
    pub driver: String,
    /// Where it is, for example `i2c-1 0x48`.
    pub address: String,
    /// `ok`, `failing` or `starting`.
    pub state: String,
    /// Empty when ok; else the operation, the bus address and the errno's text.
    pub error: String,
    /// The errno of the last failure; 0 when there is none.
    pub errno: i32,
    /// How many attempts have failed since the service started.
    pub failures: u64,
    /// How many readings were taken since the service started.
    pub readings: u64,
    /// The time between two readings, in seconds.
    pub interval_seconds: f64,
}
