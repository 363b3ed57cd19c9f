//! The sensor service: reads the hardware and keeps a bounded ring of readings, which others pull over D-Bus.
//!
//! ```text
//! settings ──> roster ──> worker (a thread per source) ──> recorder (ring) ──> feed (D-Bus)
//!                            └─ driver: opened, read, on failure dropped and retried
//! ```
//!
//! - [`driver`]: what measures. Blocking; knows nothing of rates or retries.
//! - [`worker`]: one thread per source, with the [`schedule`] of each of its sensors and the [`backoff`] of failures.
//! - [`roster`]: brings the workers in line with the [`settings`].
//! - [`config_files`]: where the settings are read from and kept; [`service`]: the bus's view; [`run`]: the life.
//! - [`read_once`]: the short way, for technicians: each sensor once, to the terminal.
//! - [`recorder`]: stamps with the [`clock`], numbers and keeps readings in the [`ring`].

pub mod backoff;
pub mod cli;
pub mod clock;
pub mod config_files;
pub mod driver;
pub mod quantity;
pub mod read_once;
pub mod recorder;
pub mod ring;
pub mod roster;
pub mod run;
pub mod schedule;
pub mod service;
pub mod settings;
pub mod state;
pub mod worker;
