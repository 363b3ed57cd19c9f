//! Commands to devices: from the request to the device's last answer.
//!
//! A command is first a row, `queued`; the [`CommandDispatcher`] publishes it and notes `sent` when the broker has
//! taken it for the device; the device's answers do the rest. So a command survives the end of any process, and a
//! device that was told twice knows it by its id.

mod dispatch;
mod publish;
pub(crate) mod store;

pub use dispatch::{CommandDispatcher, Dispatch};
pub use store::{find, list};

use crate::time::Time;
use microkernel_wire::ResponseStatus;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

/// How far a command has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum CommandState {
    /// Not yet with the broker: the device has no session there, or the broker is away.
    Queued,
    /// The broker keeps it for the device, or has delivered it.
    Sent,
    /// The device understood it.
    Accepted,
    /// The device is at it.
    Running,
    /// Done.
    Succeeded,
    /// Not done; the detail says why.
    Failed,
}

impl CommandState {
    /// All states.
    const ALL: [Self; 6] = [Self::Queued, Self::Sent, Self::Accepted, Self::Running, Self::Succeeded, Self::Failed];

    /// As in the database and the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Sent => "sent",
            Self::Accepted => "accepted",
            Self::Running => "running",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
        }
    }

    /// Whether nothing can follow.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed)
    }

    /// The state after a device's answer; `None` where the answer changes nothing, because it is older than what is
    /// known. Answers may come twice and out of order: a command never goes back, and never leaves a final state.
    pub(crate) fn after(self, answer: ResponseStatus) -> Option<Self> {
        let next = match answer {
            ResponseStatus::Accepted => Self::Accepted,
            ResponseStatus::Running => Self::Running,
            ResponseStatus::Succeeded => Self::Succeeded,
            ResponseStatus::Failed => Self::Failed,
        };
        // `running` may follow `running`: its detail tells the progress.
        (!self.is_final() && next >= self).then_some(next)
    }

    fn from_database(text: &str) -> Self {
        // The column's check constraint admits no other text.
        Self::ALL.into_iter().find(|state| state.as_str() == text).unwrap_or(Self::Failed)
    }
}

/// A command to a device.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct CommandRecord {
    /// Names it in the device's answers.
    pub id: Uuid,
    /// What to do.
    pub command: String,
    /// Its arguments.
    pub payload: serde_json::Value,
    /// How far it has come.
    pub state: CommandState,
    /// The device's newest result, or the reason of a failure.
    pub detail: Option<serde_json::Value>,
    /// When it was given.
    pub created_at: Time,
    /// When its state changed.
    pub updated_at: Time,
}

#[cfg(test)]
mod tests {
    use super::CommandState;
    use microkernel_wire::ResponseStatus::{Accepted, Failed, Running, Succeeded};
    use proptest::prelude::*;

    #[test]
    fn an_answer_moves_a_command_forward() {
        assert_eq!(CommandState::Sent.after(Accepted), Some(CommandState::Accepted));
        assert_eq!(CommandState::Accepted.after(Running), Some(CommandState::Running));
        assert_eq!(CommandState::Running.after(Running), Some(CommandState::Running));
        assert_eq!(CommandState::Queued.after(Failed), Some(CommandState::Failed));
    }

    #[test]
    fn an_older_answer_changes_nothing() {
        assert_eq!(CommandState::Running.after(Accepted), None);
        assert_eq!(CommandState::Succeeded.after(Failed), None);
        assert_eq!(CommandState::Failed.after(Running), None);
    }

    proptest! {
        #[test]
        fn no_sequence_of_answers_goes_back(
            answers in proptest::collection::vec(proptest::sample::select(vec![Accepted, Running, Succeeded, Failed]), 0..12)
        ) {
            let mut state = CommandState::Queued;
            for answer in answers {
                let next = state.after(answer).unwrap_or(state);
                prop_assert!(next >= state && (!state.is_final() || next == state));
                state = next;
            }
        }
    }
}
