//! The spool: what was read from the sensors and not yet acknowledged by the broker.
//!
//! Invariants of every [`Spool`]:
//! - a batch and the cursor behind it are appended together or not at all;
//! - a reading leaves only when it is acknowledged, discarded after a refusal, or dropped by the overflow policy, and
//!   the latter two are counted by sensor;
//! - readings are taken in the order in which they were appended; what is released is taken again first.

mod memory;
mod shared;

pub use memory::MemorySpool;
pub use shared::SharedSpool;

use microkernel_wire::SensorName;
use std::collections::BTreeMap;

/// How far the sensor's readings were appended: the arguments of the next `ReadSince`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Cursor {
    /// The sensor's epoch; empty before the first batch.
    pub epoch: String,
    /// The number of the last reading.
    pub seq: u64,
}

/// A reading, encoded by `wire`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encoded {
    /// Whose reading: drops are counted by it.
    pub sensor: SensorName,
    /// The reading as one JSON object.
    pub json: Box<[u8]>,
}

/// Names a batch that was taken and is on its way to the broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BatchId(u64);

/// Readings on their way to the broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// To acknowledge, release or discard it by.
    pub id: BatchId,
    /// Encoded readings, oldest first; at least one.
    pub readings: Vec<Box<[u8]>>,
}

/// The most that one [`Spool::take`] returns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// Readings.
    pub readings: usize,
    /// Bytes of their JSON together with a separator each. A single longer reading is returned alone.
    pub bytes: usize,
}

/// What the spool holds and what it had to give up.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Usage {
    /// Readings not yet acknowledged, with those on their way.
    pub depth: u64,
    /// Bytes of their JSON.
    pub bytes: u64,
    /// Readings dropped by the overflow policy, by sensor.
    pub overflowed: BTreeMap<SensorName, u64>,
    /// Readings that the broker refused for good, by sensor.
    pub refused: BTreeMap<SensorName, u64>,
}

impl Usage {
    /// All readings given up since the service started.
    pub fn dropped(&self) -> u64 {
        self.overflowed.values().chain(self.refused.values()).sum()
    }
}

/// Why the spool could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum SpoolError {
    /// A batch that was not taken, or was settled before.
    #[error("{operation}: batch {batch} is not on its way to the broker (settled twice?)")]
    NotInFlight {
        /// What was asked.
        operation: &'static str,
        /// Of which batch.
        batch: u64,
    },
    /// The storage below failed.
    #[error("{operation}: {source}; check the free space and the health of the data partition")]
    Storage {
        /// What was asked.
        operation: &'static str,
        /// What the storage said.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// A queue of readings between the sensor and the broker; see the module for its invariants.
pub trait Spool: Send {
    /// Appends readings and moves the cursor, in one transaction. Returns how many readings the overflow policy
    /// dropped for it.
    ///
    /// # Errors
    /// [`SpoolError::Storage`]; nothing was appended then.
    fn append(&mut self, readings: Vec<Encoded>, cursor: Cursor) -> Result<u64, SpoolError>;

    /// Where the next batch is to be read from.
    fn cursor(&self) -> Cursor;

    /// Takes the oldest readings that are not on their way yet; `None` when there are none.
    ///
    /// # Errors
    /// [`SpoolError::Storage`].
    fn take(&mut self, limit: Limit) -> Result<Option<Batch>, SpoolError>;

    /// The broker has the batch: forget it.
    ///
    /// # Errors
    /// [`SpoolError`].
    fn acknowledge(&mut self, batch: BatchId) -> Result<(), SpoolError>;

    /// The broker does not have the batch: take it again, before everything younger.
    ///
    /// # Errors
    /// [`SpoolError`].
    fn release(&mut self, batch: BatchId) -> Result<(), SpoolError>;

    /// The broker will never take the batch: forget it and count it as refused.
    ///
    /// # Errors
    /// [`SpoolError`].
    fn discard(&mut self, batch: BatchId) -> Result<(), SpoolError>;

    /// What it holds.
    fn usage(&self) -> Usage;
}
