//! The delivery ledger: for each run of a device's numbering, which readings arrived.
//!
//! It makes ingest idempotent on `(device, boot_id, seq)` and shows what is missing.

pub(crate) mod store;

use crate::time::Time;
use serde::{Deserialize, Serialize};
use std::collections::HashSet;
use utoipa::ToSchema;
use uuid::Uuid;

/// What arrived of one run of a device's numbering.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LedgerEntry {
    /// Which run.
    pub boot_id: Uuid,
    /// Readings that were stored.
    pub received: i64,
    /// Readings that came again, and were not stored again.
    pub duplicates: i64,
    /// Stored readings that came after one with a higher number.
    pub late: i64,
    /// Numbers from 1 to the highest received that did not arrive.
    pub missing: i64,
    /// Those as inclusive ranges, the lowest 100.
    #[schema(value_type = Vec<[i64; 2]>)]
    pub gaps: Vec<(i64, i64)>,
    /// When the first of them arrived.
    pub first_received_at: Time,
    /// When the last of them arrived.
    pub last_received_at: Time,
}

/// What a numbered reading is to the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Arrival {
    /// New, with the highest number so far.
    InOrder,
    /// New, but a higher number was here before it.
    Late,
    /// It is here already.
    Duplicate,
}

/// The arrivals of one run of a numbering within one transaction: judges each number in the order of arrival and
/// collects what the ledger's row is to gain.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// The highest number received before, and so far.
    highest: Option<i64>,
    accepted: HashSet<i64>,
    /// Readings that came again.
    pub(crate) duplicates: i64,
    /// Accepted readings that came after one with a higher number.
    pub(crate) late: i64,
}

impl Tally {
    /// Begins with the highest number that the ledger holds.
    pub(crate) fn new(highest: Option<i64>) -> Self {
        Self { highest, ..Self::default() }
    }

    /// Judges the next number; `recorded` says whether the ledger held it before this transaction.
    pub(crate) fn arrive(&mut self, seq: i64, recorded: bool) -> Arrival {
        if recorded || !self.accepted.insert(seq) {
            self.duplicates += 1;
            return Arrival::Duplicate;
        }
        if self.highest.is_some_and(|highest| seq < highest) {
            self.late += 1;
            return Arrival::Late;
        }
        self.highest = Some(seq);
        Arrival::InOrder
    }

    /// How many were accepted.
    pub(crate) fn received(&self) -> i64 {
        self.accepted.len() as i64
    }

    /// The accepted numbers as the fewest inclusive ranges, ascending.
    pub(crate) fn runs(&self) -> Vec<(i64, i64)> {
        let mut numbers: Vec<i64> = self.accepted.iter().copied().collect();
        numbers.sort_unstable();
        let mut runs: Vec<(i64, i64)> = Vec::new();
        for number in numbers {
            match runs.last_mut() {
                Some((_, last)) if *last + 1 == number => *last = number,
                _ => runs.push((number, number)),
            }
        }
        runs
    }
}

#[cfg(test)]
mod tests;
