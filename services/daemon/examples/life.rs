//! A service that does nothing but live: the tests run it as a process.
//!
//! Its environment says how it misbehaves: `LIFE_STALL_AFTER` (rounds of work after which it makes no progress),
//! `LIFE_DRAIN_MS`, `LIFE_DRAIN_LIMIT_MS`, `LIFE_BLOCK` (a blocking thread that never ends), `LIFE_FAIL`.

use anyhow::Context;
use microkernel_daemon::{
    DRAIN_LIMIT, Daemon,
    config::{Device, Layers, Log},
    run_with_drain_limit, state_dir,
};
use serde::{Deserialize, Serialize};
use std::{process::ExitCode, time::Duration};
use tokio::time::MissedTickBehavior;

#[derive(Debug, Serialize, Deserialize)]
struct Config {
    #[serde(default)]
    device: Device,
    #[serde(default)]
    log: Log,
}

fn main() -> ExitCode {
    let drain_limit = setting("LIFE_DRAIN_LIMIT_MS").map_or(DRAIN_LIMIT, Duration::from_millis);
    run_with_drain_limit("life", drain_limit, live)
}

async fn live(daemon: Daemon) -> anyhow::Result<()> {
    configure()?;
    if setting("LIFE_FAIL").is_some() {
        return Err(std::io::Error::other("no such device")).context("open i2c-1");
    }
    if setting("LIFE_BLOCK").is_some() {
        tokio::task::spawn_blocking(std::thread::park);
    }
    daemon.ready();
    let stall_after = setting("LIFE_STALL_AFTER").unwrap_or(u64::MAX);
    let mut rounds = 0;
    let mut round = tokio::time::interval(Duration::from_millis(5));
    round.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = daemon.shutdown().cancelled() => break,
            () = daemon.reload() => {
                daemon.reloading();
                configure()?;
                daemon.ready();
            }
            _ = round.tick() => {
                rounds += 1;
                if rounds <= stall_after {
                    daemon.progress();
                }
            }
        }
    }
    daemon.status("flushing 3 readings");
    tokio::time::sleep(Duration::from_millis(setting("LIFE_DRAIN_MS").unwrap_or(0))).await;
    println!("flushed");
    Ok(())
}

fn configure() -> anyhow::Result<()> {
    let loaded = Layers::system().load_with_last_good::<Config>(&state_dir().join("life.toml"))?;
    if let Some(problem) = loaded.problem {
        tracing::error!("{problem}");
    }
    tracing::info!(device = loaded.value.device.id, "configured");
    tracing::debug!("logging at {:?}", loaded.value.log.level);
    Ok(())
}

fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}
