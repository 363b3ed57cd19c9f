//! How a sensor is doing.

use crate::settings::SensorSettings;
use microkernel_bus::sensor::SensorState;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The condition of a sensor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// Not read yet.
    Starting,
    /// The last attempt succeeded.
    Ok,
    /// The last attempt failed.
    Failing {
        /// Operation, address and cause: `read i2c-1 address 0x48: Remote I/O error (errno 121)`.
        error: String,
        /// The error number, not 0.
        errno: i32,
    },
}

/// What is known about one sensor.
#[derive(Debug, Clone, PartialEq)]
pub struct SensorRecord {
    /// Its settings, with the rate at which it is read now.
    pub settings: SensorSettings,
    /// Its condition.
    pub condition: Condition,
    /// Readings taken since the service started.
    pub readings: u64,
    /// Attempts that failed since the service started.
    pub failures: u64,
    /// Deadlines that passed without a reading, because the sensor was slow or failing.
    pub missed: u64,
}

/// A record that a sensor's thread writes and the bus reads.
#[derive(Debug, Clone)]
pub struct SharedRecord(Arc<Mutex<SensorRecord>>);

impl SharedRecord {
    /// The record of a sensor that has not been read yet.
    pub fn new(settings: SensorSettings) -> Self {
        let condition = Condition::Starting;
        Self(Arc::new(Mutex::new(SensorRecord { settings, condition, readings: 0, failures: 0, missed: 0 })))
    }

    /// The record. Hold it only for a moment.
    pub fn lock(&self) -> MutexGuard<'_, SensorRecord> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SensorRecord {
    /// Sets the condition; returns whether it is another than before.
    pub fn set_condition(&mut self, condition: Condition) -> bool {
        let changed = self.condition != condition;
        self.condition = condition;
        changed
    }

    /// Counts a failed attempt; returns whether the condition is another than before.
    pub fn fail(&mut self, error: String, errno: i32) -> bool {
        self.failures += 1;
        self.set_condition(Condition::Failing { error, errno })
    }

    /// The state as the bus shows it.
    pub fn report(&self, name: &str) -> SensorState {
        let (state, error, errno) = match &self.condition {
            Condition::Starting => ("starting", "", 0),
            Condition::Ok => ("ok", "", 0),
            Condition::Failing { error, errno } => ("failing", error.as_str(), *errno),
        };
        SensorState {
            name: name.to_owned(),
            driver: self.settings.source.driver().to_owned(),
            address: self.settings.source.address(),
            state: state.to_owned(),
            error: error.to_owned(),
            errno,
            failures: self.failures,
            readings: self.readings,
            interval_seconds: self.settings.interval.seconds(),
        }
    }
}
