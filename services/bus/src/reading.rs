//! A reading as it travels between services.

use serde::{Deserialize, Serialize};
use zbus::Type;

/// One value of one sensor at one time: `(tsdsxtb)` on the bus.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
pub struct Reading {
    /// Its number within the sensor service's epoch; the first is 1.
    pub seq: u64,
    /// The sensor's name, for example `Temperature`.
    pub sensor: String,
    /// The value, in `unit`.
    pub value: f64,
    /// The unit, for example `°C`; empty for a plain number.
    pub unit: String,
    /// When it was measured, by the wall clock: microseconds since 1970-01-01T00:00:00Z.
    pub timestamp_us: i64,
    /// When it was measured, by `CLOCK_BOOTTIME` in nanoseconds: never steps.
    pub monotonic_ns: u64,
    /// Whether the wall clock was disciplined (by NTP or PTP) at that time.
    pub synchronized: bool,
}
