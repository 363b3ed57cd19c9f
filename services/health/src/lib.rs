//! Judges once a boot whether this slot is fit to stay.
//!
//! Only what is on this device counts, never whether the broker or the server can be reached: an outage there must not
//! roll a fleet back. The checks, each with a deadline:
//! - [`daemons`]: every daemon that is enabled is ready and does not crash again;
//! - [`pipeline`]: the sensors are being read, and the uplink takes their readings;
//! - [`storage`]: the data partition can be written.
//!
//! The verdict is added to the [health record](microkernel_daemon::health_record) on the data partition, where the OTA
//! agent finds it after the device has fallen back, and tells the server what was wrong.

pub mod daemons;
mod limits;
pub mod pipeline;
mod poll;
pub mod storage;
pub mod verdict;

pub use limits::Limits;
pub use verdict::{Check, Report, Slot};

use std::path::Path;
use zbus::Connection;

/// Runs every check, also after one has failed: whoever has to explain a rollback wants to know all.
pub async fn judge(bus: &Connection, state_dir: &Path, slot: Slot, limits: &Limits) -> Report {
    let storage = Check::new("storage", storage::check(state_dir).map_err(|error| error.to_string()));
    let started = daemons::ready(bus, limits).await;
    // Also when a daemon is missing: the others may do well.
    let pipeline = Check::new("pipeline", pipeline::check(bus, limits).await);
    let daemons = match started {
        Ok(started) => daemons::unchanged(bus, started).await,
        Err(reason) => Err(reason),
    };
    Report { slot, checks: vec![storage, Check::new("daemons", daemons), pipeline] }
}
