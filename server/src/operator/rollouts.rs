//! `rollouts`.

use super::find_release;
use super::show::{facts, or_dash, show, table, time};
use super::watch::watch;
use crate::cli::{NewRolloutArguments, Output, RolloutsAction, ServerArguments};
use crate::client::Client;
use crate::deployments::DeploymentState;
use crate::rollouts::{NewRollout, Rollout, RolloutDetail, Wave};
use std::process::ExitCode;

pub(super) async fn run(client: &Client, server: &ServerArguments, action: RolloutsAction) -> anyhow::Result<ExitCode> {
    let output = server.output;
    let (id, action) = match action {
        RolloutsAction::Create(new) => return create(client, output, *new).await,
        RolloutsAction::List => {
            show(output, &client.rollouts().await?, |rollouts| list(rollouts))?;
            return Ok(ExitCode::SUCCESS);
        }
        RolloutsAction::Show(rollout) => {
            show(output, &client.rollout(rollout.id).await?, details)?;
            return Ok(ExitCode::SUCCESS);
        }
        RolloutsAction::Watch(rollout) => return watch(client, output, rollout.id).await,
        RolloutsAction::Pause(rollout) => (rollout.id, "pause"),
        RolloutsAction::Resume(rollout) => (rollout.id, "resume"),
        RolloutsAction::Cancel(rollout) => (rollout.id, "cancel"),
        RolloutsAction::Retry(rollout) => (rollout.id, "retry"),
    };
    show(output, &client.change_rollout(id, action).await?, summary)?;
    Ok(ExitCode::SUCCESS)
}

async fn create(client: &Client, output: Output, new: NewRolloutArguments) -> anyhow::Result<ExitCode> {
    let release = find_release(client, &new.release).await?;
    let wanted = NewRollout {
        name: new.name.unwrap_or(release.version),
        release: release.id,
        target: new.target.into(),
        from_versions: (!new.from_version.is_empty()).then_some(new.from_version),
        waves: new.wave,
        max_in_flight: new.at_once,
        starts_at: new.start,
        window: new.window,
    };
    let created = client.create_rollout(&wanted).await?;
    if new.watch {
        return watch(client, output, created.id).await;
    }
    show(output, &created, summary)?;
    Ok(ExitCode::SUCCESS)
}

/// How many of a rollout's devices are what `of` counts.
pub(super) fn sum(rollout: &Rollout, of: impl Fn(&Wave) -> i64) -> i64 {
    rollout.waves.iter().map(of).sum()
}

/// How far a rollout is, in words.
pub(super) fn progress(rollout: &Rollout) -> String {
    format!(
        "{} of {} done, {} in flight, {} failed",
        sum(rollout, |wave| wave.succeeded),
        sum(rollout, |wave| wave.size.into()),
        sum(rollout, |wave| wave.in_flight),
        sum(rollout, |wave| wave.failed + wave.rolled_back),
    )
}

fn list(rollouts: &[Rollout]) -> String {
    let row = |rollout: &Rollout| {
        [
            rollout.id.to_string(),
            rollout.name.clone(),
            rollout.version.clone(),
            rollout.state.as_str().to_owned(),
            progress(rollout),
            time(rollout.created_at),
        ]
    };
    let header = ["id", "name", "version", "state", "progress", "created"];
    table(header, rollouts.iter().map(row), "No rollouts yet.")
}

fn summary(rollout: &Rollout) -> String {
    let window = rollout.window.and_then(|window| serde_json::to_value(window).ok());
    let window = window.map_or_else(
        || "always".to_owned(),
        |window| format!("{}-{} UTC", window["from"].as_str().unwrap_or(""), window["to"].as_str().unwrap_or("")),
    );
    let facts = facts(&[
        ("rollout", rollout.id.to_string()),
        ("name", rollout.name.clone()),
        ("version", rollout.version.clone()),
        ("state", rollout.state.as_str().to_owned()),
        ("reason", or_dash(rollout.reason.as_deref())),
        ("progress", progress(rollout)),
        ("at once", rollout.max_in_flight.to_string()),
        ("starts", rollout.starts_at.map_or_else(|| "at once".to_owned(), time)),
        ("window", window),
    ]);
    let row = |wave: &Wave| {
        [
            wave.number.to_string(),
            wave.size.to_string(),
            time(wave.started_at),
            wave.scheduled.to_string(),
            wave.in_flight.to_string(),
            wave.succeeded.to_string(),
            (wave.failed + wave.rolled_back).to_string(),
            format!("{} %", wave.success_threshold_percent),
            format!("{} %", wave.error_threshold_percent),
        ]
    };
    let header = ["wave", "devices", "started", "waiting", "in flight", "done", "failed", "next at", "halts at"];
    format!("{facts}\n\n{}", table(header, rollout.waves.iter().map(row), ""))
}

fn details(rollout: &RolloutDetail) -> String {
    let has_failed = |state| matches!(state, DeploymentState::Failed | DeploymentState::RolledBack);
    let failures = rollout.deployments.iter().filter(|deployment| has_failed(deployment.state)).map(|deployment| {
        [
            deployment.device_id.clone(),
            deployment.state.as_str().replace('_', " "),
            or_dash(deployment.detail.as_deref()),
            time(deployment.finished_at),
        ]
    });
    let log = rollout.log.iter().map(|entry| [time(entry.at), entry.event.clone()]);
    format!(
        "{}\n\n{}\n\n{}",
        summary(&rollout.rollout),
        table(["device", "state", "reason", "when"], failures, "No failures."),
        table(["when", "what"], log, "")
    )
}
