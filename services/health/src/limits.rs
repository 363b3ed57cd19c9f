//! How long the checks may take.

use std::time::Duration;

/// The deadlines. Their sum must stay below the unit's `TimeoutStartSec=`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// How long daemons may take to be ready, from the start of the check.
    pub ready: Duration,
    /// How long the pipeline may take to show that it moves: longer than the longest interval of a sensor (100 s)
    /// would delay every boot, so a device whose sensors are all slower than this configures a faster one.
    pub pipeline: Duration,
    /// How often it is looked.
    pub poll: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { ready: Duration::from_secs(60), pipeline: Duration::from_secs(90), poll: Duration::from_millis(500) }
    }
}
