//! Follows a rollout until it ends or halts: a bar on a terminal, else a line at each change.

use super::NOT_FINISHED;
use super::rollouts::{progress, sum};
use crate::cli::Output;
use crate::client::{Client, ClientError};
use crate::rollouts::{Rollout, RolloutState};
use indicatif::{ProgressBar, ProgressStyle};
use std::process::ExitCode;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// How often the server is asked.
const INTERVAL: Duration = Duration::from_secs(1);
/// A server that can't be reached is asked again for so long: it may be starting anew.
const PATIENCE: Duration = Duration::from_secs(60);

pub(super) async fn watch(client: &Client, output: Output, id: i64) -> anyhow::Result<ExitCode> {
    let bar = ProgressBar::new(1).with_style(ProgressStyle::with_template("{bar:40} {msg}")?);
    let (mut shown, mut answered) = (None, Instant::now());
    let state = loop {
        match client.rollout(id).await {
            Ok(found) => {
                answered = Instant::now();
                let rollout = found.rollout;
                let line = line(&rollout);
                bar.set_length(sum(&rollout, |wave| wave.size.into()).unsigned_abs());
                bar.set_position(sum(&rollout, |wave| wave.succeeded + wave.failed + wave.rolled_back).unsigned_abs());
                bar.set_message(line.clone());
                let changed = shown.as_ref() != Some(&line);
                match output {
                    Output::Json if changed => println!("{}", serde_json::to_string(&rollout)?),
                    Output::Table if changed && bar.is_hidden() => println!("{line}"),
                    _ => {}
                }
                shown = Some(line);
                if is_over(rollout.state) {
                    break rollout.state;
                }
            }
            Err(ClientError::Unreachable { .. }) if answered.elapsed() < PATIENCE && shown.is_some() => {
                bar.set_message("the server can't be reached; trying again");
            }
            Err(error) => return Err(error.into()),
        }
        sleep(INTERVAL).await;
    };
    if !bar.is_hidden() {
        bar.abandon();
    }
    let finished = state == RolloutState::Finished;
    Ok(if finished { ExitCode::SUCCESS } else { ExitCode::from(NOT_FINISHED) })
}

fn is_over(state: RolloutState) -> bool {
    matches!(state, RolloutState::Finished | RolloutState::Halted | RolloutState::Cancelled)
}

fn line(rollout: &Rollout) -> String {
    let reason = rollout.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
    format!("{}: {}{reason}", rollout.state.as_str(), progress(rollout))
}
