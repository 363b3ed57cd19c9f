//! What the model thinks of readings.

use serde::{Deserialize, Serialize};
use zbus::Type;

/// The judgement on one reading: `(tbdds)` on the bus.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
pub struct Score {
    /// The reading's number.
    pub seq: u64,
    /// Whether it is an anomaly.
    pub anomaly: bool,
    /// How sure the model is of that, 0 to 1.
    pub confidence: f64,
    /// The raw score; its scale is the model's own.
    pub score: f64,
    /// Why, for people; empty where there is nothing to explain.
    pub reason: String,
}

/// A model and how it is doing: `(sss)` on the bus.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Type)]
pub struct Model {
    /// The model's name.
    pub name: String,
    /// `ok`, `failing` or `refused`.
    pub state: String,
    /// Empty when ok; else what is wrong.
    pub detail: String,
}
