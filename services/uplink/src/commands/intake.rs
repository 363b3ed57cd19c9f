//! Where the link hands commands over.

use super::response;
use crate::state::State;
use bytes::Bytes;
use microkernel_wire::{Command, ResponseStatus, decode_json};
use std::sync::Arc;
use tokio::sync::mpsc;

/// The most commands that wait to be carried out.
const MAX_WAITING: usize = 64;

/// Takes commands as they arrive. It never waits: the connection must go on.
#[derive(Debug, Clone)]
pub struct Intake {
    commands: mpsc::Sender<Bytes>,
    state: Arc<State>,
}

impl Intake {
    /// An intake, and the other end for the [`super::Executor`].
    pub fn new(state: Arc<State>) -> (Self, mpsc::Receiver<Bytes>) {
        let (commands, receiver) = mpsc::channel(MAX_WAITING);
        (Self { commands, state }, receiver)
    }

    /// Takes a command; when too many wait it is answered `failed` at once.
    pub fn take(&self, payload: Bytes) {
        let Err(error) = self.commands.try_send(payload) else { return };
        let (payload, reason) = match error {
            mpsc::error::TrySendError::Full(payload) => {
                (payload, format!("{MAX_WAITING} commands wait already: send it again later, with another id"))
            }
            mpsc::error::TrySendError::Closed(payload) => {
                (payload, "the device's uplink is finishing: send it again later, with another id".to_owned())
            }
        };
        tracing::error!("a command was turned away: {reason}");
        if let Ok(Command { id, command, .. }) = decode_json(&payload) {
            self.state.outbox.respond(response(id, command, ResponseStatus::Failed, Some(reason.into())));
        }
    }
}
