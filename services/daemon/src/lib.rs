//! What every service of the device shares: configuration, logging, readiness, watchdog, shutdown.
//!
//! A service's `main` is
//! ```no_run
//! use microkernel_daemon::{Daemon, config::{Device, Layers}, run};
//!
//! #[derive(serde::Deserialize)]
//! struct Config {
//!     #[serde(default)]
//!     device: Device,
//! }
//!
//! fn main() -> std::process::ExitCode {
//!     run("example", async |daemon: Daemon| {
//!         let config: Config = Layers::system().load()?;
//!         daemon.ready();
//!         daemon.status(&format!("serving {:?}", config.device.id));
//!         daemon.shutdown().cancelled().await;
//!         Ok(())
//!     })
//! }
//! ```

pub mod config;
mod daemon;
pub mod health_record;
mod logging;
mod notify;
mod recent;
mod replace;
mod run;
mod state;

pub use daemon::Daemon;
pub use recent::recent_log;
pub use replace::replace_file;
pub use run::{DRAIN_LIMIT, DrainError, EXIT_CONFIG, run, run_with_drain_limit};
pub use state::{STATE_DIR_VARIABLE, state_dir};
pub use tokio_util::sync::CancellationToken;
