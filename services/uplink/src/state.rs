//! What the parts of the uplink share: spool, outbox, counters, the state of the link.

use crate::outbox::Outbox;
use crate::spool::SharedSpool;
use microkernel_wire::{ServiceHealth, ServiceState, SpoolHealth};
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::watch;

/// Shared by all parts.
#[derive(Debug)]
pub struct State {
    /// Readings on their way to the broker.
    pub spool: SharedSpool,
    /// Everything else on its way to the broker.
    pub outbox: Outbox,
    /// What has happened so far.
    pub counters: Counters,
    /// The link to the broker.
    pub link: watch::Sender<LinkState>,
}

/// Counts since the service started.
#[derive(Debug, Default)]
pub struct Counters {
    /// Readings acknowledged by the broker.
    pub published: Counter,
    /// Readings that the sensor's ring overwrote before they were read.
    pub lost: Counter,
    /// Readings that an edge script dropped.
    pub filtered: Counter,
    /// Readings that can't be told to anybody: a value that is not a number, a name that is none.
    pub unusable: Counter,
    /// Readings that edge scripts derived and this version does not publish.
    pub derived: Counter,
    /// Commands that could not be understood.
    pub malformed_commands: Counter,
}

/// A count that only grows.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Adds `count` and returns the new total.
    pub fn add(&self, count: u64) -> u64 {
        self.0.fetch_add(count, Ordering::Relaxed) + count
    }

    /// The total.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// The link to the broker.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LinkState {
    /// What it is doing.
    pub phase: LinkPhase,
    /// Why it does not work; empty while it does.
    pub last_error: String,
}

/// What the link is doing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum LinkPhase {
    /// Trying to connect.
    #[default]
    Connecting,
    /// The broker has accepted the connection.
    Connected,
    /// Waiting before the next attempt.
    Waiting,
}

impl LinkPhase {
    /// The word on the bus.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Connecting => "connecting",
            Self::Connected => "connected",
            Self::Waiting => "waiting",
        }
    }
}

impl State {
    /// Nothing has happened yet.
    pub fn new(spool: SharedSpool) -> Self {
        Self { spool, outbox: Outbox::default(), counters: Counters::default(), link: watch::Sender::default() }
    }

    /// The spool's part of the health report. What the broker refused for good is dropped, too.
    pub fn spool_health(&self) -> SpoolHealth {
        let usage = self.spool.usage();
        SpoolHealth { depth: usage.depth, bytes: usage.bytes, dropped: usage.dropped(), lost: self.counters.lost.get() }
    }

    /// The uplink's own part of the health report.
    pub fn uplink_health(&self) -> ServiceHealth {
        let error = self.link.borrow().last_error.clone();
        let unusable = self.counters.unusable.get();
        let problems = [
            (!error.is_empty()).then_some(error),
            (unusable > 0).then(|| format!("{unusable} readings of the sensor service were unusable (see the log)")),
        ];
        let detail = problems.into_iter().flatten().collect::<Vec<_>>().join("; ");
        if detail.is_empty() {
            ServiceHealth { state: ServiceState::Ok, detail: None }
        } else {
            ServiceHealth { state: ServiceState::Degraded, detail: Some(detail) }
        }
    }
}
