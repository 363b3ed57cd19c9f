//! `microkernel-health`: run by the unit that guards `boot-complete.target`; fails when this slot is not fit to stay.

use anyhow::Context;
use microkernel_daemon::{health_record::HealthRecord, state_dir};
use microkernel_health::{Limits, Slot, judge};
use std::process::ExitCode;

fn main() -> ExitCode {
    microkernel_daemon::run("microkernel-health", async |_| {
        let bus = microkernel_bus::connect().await.context("connect to the system bus")?;
        let report = judge(&bus, &state_dir().join("health"), Slot::booted(), &Limits::default()).await;
        for check in &report.checks {
            tracing::info!("{}: {}", check.name, check.result.as_ref().map_or_else(String::as_str, String::as_str));
        }
        // A verdict that can't be kept is no reason to judge otherwise: the storage check has said so already.
        if let Err(error) = HealthRecord::below(&state_dir()).add(report.verdict()) {
            tracing::warn!("{error}");
        }
        report.into_result()
    })
}
