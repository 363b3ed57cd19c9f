//! Commands from the server: each id is carried out once and answered `accepted`, `running`, then `succeeded` or
//! `failed` with the reason and the remedy.
//!
//! A command is acknowledged to the broker when it arrives, before it is carried out: one that ends the process (a
//! reboot) must not come again after it. So a device that loses power in between has not answered, and the server sees
//! that.

mod actions;
mod arguments;
mod identify;
mod intake;
mod journal;
mod reboot;
mod remembered;

pub use identify::Led;
pub use intake::Intake;

use crate::state::State;
use actions::{Actions, Done};
use bytes::Bytes;
use microkernel_bus::zbus::Connection;
use microkernel_wire::{Command, CommandName, DecodeError, Response, ResponseStatus, Timestamp, decode_json};
use remembered::Remembered;
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

/// How long a command may take.
const DEADLINE: Duration = Duration::from_secs(30);

/// The longest id that is accepted: ids are remembered.
const MAX_ID_BYTES: usize = 128;

/// Carries out commands, one after the other.
#[derive(Debug)]
pub struct Executor {
    state: Arc<State>,
    actions: Actions,
    remembered: Remembered,
}

impl Executor {
    /// An executor that reaches the services over whatever connection `bus` has at the time.
    pub fn new(state: Arc<State>, bus: watch::Receiver<Option<Connection>>, led: Option<Led>) -> Self {
        Self { state, actions: Actions { bus, led }, remembered: Remembered::default() }
    }

    /// Carries out what arrives, until `stop` is cancelled; a command that has begun is finished and answered.
    pub async fn run(mut self, mut commands: mpsc::Receiver<Bytes>, stop: CancellationToken) {
        while let Some(Some(payload)) = stop.run_until_cancelled(commands.recv()).await {
            self.take(&payload).await;
        }
    }

    async fn take(&mut self, payload: &[u8]) {
        let command = match decode_json::<Command>(payload) {
            Ok(command) => command,
            Err(error) => return self.refuse_malformed(payload, &error),
        };
        if command.id.is_empty() || command.id.len() > MAX_ID_BYTES {
            let reason = format!("its id has {} bytes: expected 1 to {MAX_ID_BYTES}", command.id.len());
            return self.refuse(&command.id, command.command, reason);
        }
        if let Some(answer) = self.remembered.answer(&command.id) {
            tracing::info!(id = command.id, "a command came again: its answer is repeated");
            self.state.outbox.respond(answer);
            return;
        }
        tracing::info!(id = command.id, command = command.command.as_str(), "command");
        if !matches!(command.command, CommandName::Unknown(_)) {
            self.answer(&command, ResponseStatus::Accepted, None);
            self.answer(&command, ResponseStatus::Running, None);
        }
        let result = match tokio::time::timeout(DEADLINE, self.actions.carry_out(&command)).await {
            Ok(result) => result,
            Err(_) => Err(format!("not finished within {DEADLINE:?}")),
        };
        match result {
            Ok(Done(detail)) => self.answer(&command, ResponseStatus::Succeeded, detail),
            Err(reason) => {
                tracing::warn!(id = command.id, command = command.command.as_str(), "command failed: {reason}");
                self.answer(&command, ResponseStatus::Failed, Some(reason.into()));
            }
        }
    }

    fn answer(&mut self, command: &Command, status: ResponseStatus, detail: Option<Value>) {
        let response = response(command.id.clone(), command.command.clone(), status, detail);
        self.remembered.remember(&response);
        self.state.outbox.respond(response);
    }

    /// What can't be understood is answered if it has at least an id to answer to.
    fn refuse_malformed(&self, payload: &[u8], error: &DecodeError) {
        let value: Value = serde_json::from_slice(payload).unwrap_or_default();
        let text = |field: &str| value.get(field).and_then(Value::as_str).map(str::to_owned);
        match text("id") {
            Some(id) => self.refuse(&id, text("command").unwrap_or_default().into(), error.to_string()),
            None => {
                let total = self.state.counters.malformed_commands.add(1);
                tracing::error!(total, "a command that can't be understood, nor answered for want of an id: {error}");
            }
        }
    }

    fn refuse(&self, id: &str, command: CommandName, reason: String) {
        let total = self.state.counters.malformed_commands.add(1);
        tracing::error!(id, total, "a command that can't be understood: {reason}");
        self.state.outbox.respond(response(id.to_owned(), command, ResponseStatus::Failed, Some(reason.into())));
    }
}

/// An answer of this moment.
fn response(id: String, command: CommandName, status: ResponseStatus, detail: Option<Value>) -> Response {
    Response { id, command, status, detail, timestamp: Some(Timestamp::now()) }
}

#[cfg(test)]
mod tests;
