//! The uplink's process.

use clap::Parser;
use microkernel_daemon::{run_with_drain_limit, state_dir};
use microkernel_uplink::cli::{Cli, check_config, load_settings};
use microkernel_uplink::{Machine, run};
use std::process::ExitCode;
use std::time::Duration;

/// Above the longest drain that can be configured (`uplink.drain_seconds`), below systemd's `TimeoutStopSec=`.
const DRAIN_LIMIT: Duration = Duration::from_secs(65);

fn main() -> ExitCode {
    if Cli::parse().check_config {
        return check_config();
    }
    run_with_drain_limit("uplink", DRAIN_LIMIT, async |daemon| {
        let state_dir = state_dir();
        let settings = load_settings(&state_dir)?;
        run(settings, Machine { root: "/".into(), state_dir }, microkernel_bus::system, daemon).await
    })
}
