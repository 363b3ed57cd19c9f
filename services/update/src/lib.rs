//! The OTA agent: asks the update server, has RAUC install, confirms, or explains the rollback.
//!
//! ```text
//! ddi (server) ──┐                      ┌── installer (RAUC, on the bus)
//! on_bus (calls) ┼─ event ─> agent ─ action ── ddi (feedback, download)
//! schedule, time ┘            │         └── logind (reboot)
//!                          machine (pure) ─> journal_file (on the disk before the action)
//! ```
//!
//! - [`machine`]: every decision, pure. Start reading there.
//! - [`agent`]: carries the decisions out; [`run`]: the life of the service.
//! - [`ddi`]: the server; [`installer`]: RAUC; [`system`]: the kernel's and the health check's word on earlier boots.
//! - [`settings`], [`window`]: the configuration.

pub mod agent;
pub mod cli;
pub mod ddi;
pub mod installer;
pub mod journal_file;
pub mod machine;
pub mod on_bus;
pub mod run;
pub mod schedule;
pub mod settings;
pub mod system;
pub mod window;
