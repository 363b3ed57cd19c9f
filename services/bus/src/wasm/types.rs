//! What the scripts make of readings.

use serde::{Deserialize, Serialize};
use serde_repr::{Deserialize_repr, Serialize_repr};
use zbus::Type;

/// The answer to `Transform`; three out arguments on the bus.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, Type)]
pub struct Transformed {
    /// One for each reading that was asked about, in the same order.
    pub verdicts: Vec<Verdict>,
    /// New readings that scripts made from those.
    pub derived: Vec<Derived>,
    /// What scripts want an operator to know.
    pub alerts: Vec<Alert>,
}

/// What becomes of one reading: `(tyd)` on the bus.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
pub struct Verdict {
    /// The reading's number.
    pub seq: u64,
    /// What to do with it.
    pub action: Action,
    /// The new value where `action` is [`Action::Change`], else the reading's own.
    pub value: f64,
}

/// What to do with a reading: `y` on the bus.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize_repr, Deserialize_repr, Type)]
#[repr(u8)]
pub enum Action {
    /// It goes on as it is.
    Keep = 0,
    /// It goes on with another value; the raw one is kept beside it.
    Change = 1,
    /// It goes no further.
    Drop = 2,
}

/// A reading made by a script: `(tsdsx)` on the bus.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
pub struct Derived {
    /// The number of the reading that it was made from.
    pub source_seq: u64,
    /// Its sensor's name, for example `DewPoint`.
    pub sensor: String,
    /// Its value, in `unit`.
    pub value: f64,
    /// Its unit, for example `°C`.
    pub unit: String,
    /// The time that it stands for, in microseconds since 1970-01-01T00:00:00Z.
    pub timestamp_us: i64,
}

/// Something that an operator should know: `(tss)` on the bus.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Type)]
pub struct Alert {
    /// The number of the reading that caused it.
    pub seq: u64,
    /// `info`, `warning` or `critical`.
    pub severity: String,
    /// For people.
    pub message: String,
}

/// A script and how it is doing: `(sss)` on the bus.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Type)]
pub struct Script {
    /// The script's name.
    pub name: String,
    /// `ok`, `failing` or `refused`.
    pub state: String,
    /// Empty when ok; else what is wrong.
    pub detail: String,
}
