//! What a device says of a deployment (hawkBit DDI, feedback), and what it means for the deployment's state.
//!
//! DDI has no status of its own for two things that matter to us; they are read from the first words of the details,
//! which every client may send: `rebooting …` with `proceeding`, and `rolled back …` with a failure. A failure after the
//! device said that it reboots is a rollback in any case: a device that can still tell runs its old version.

use super::{DeploymentState, Event};
use serde::{Deserialize, Serialize};

/// Lines of details that are kept of one feedback.
const LINES: usize = 50;
/// Characters that are kept of each.
const LINE_CHARS: usize = 512;

/// How the execution goes (DDI `status.execution`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Execution {
    /// It is over.
    Closed,
    /// It goes on.
    Proceeding,
    /// The device downloads.
    Download,
    /// The device has downloaded.
    Downloaded,
    /// The device has cancelled it.
    Canceled,
    /// The device has put it off.
    Scheduled,
    /// The device does not want it, or not the cancellation.
    Rejected,
    /// The device goes on after a break.
    Resumed,
}

impl Execution {
    /// As in the database and DDI.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Proceeding => "proceeding",
            Self::Download => "download",
            Self::Downloaded => "downloaded",
            Self::Canceled => "canceled",
            Self::Scheduled => "scheduled",
            Self::Rejected => "rejected",
            Self::Resumed => "resumed",
        }
    }
}

/// The result so far (DDI `status.result.finished`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Finished {
    /// It went well.
    Success,
    /// It did not.
    Failure,
    /// It is not over.
    None,
}

/// One message of a device about a deployment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Feedback {
    /// How it goes.
    pub execution: Execution,
    /// The result.
    pub finished: Finished,
    /// How much of the present step is done, in percent.
    pub progress_percent: Option<i16>,
    /// For people, a line each; at most 50 of 512 characters.
    pub details: Vec<String>,
}

impl Feedback {
    /// From what the device sent; details are cut to what is kept. `progress` is `(done, of)`.
    pub fn new(
        execution: Execution,
        finished: Finished,
        progress: Option<(u64, u64)>,
        code: Option<i64>,
        details: Vec<String>,
    ) -> Self {
        let percent = |(done, of): (u64, u64)| (of > 0).then(|| (done.min(of) as u128 * 100 / of as u128) as i16);
        let code = code.map(|code| format!("status code {code}"));
        let kept = |line: String| line.chars().filter(|char| *char != '\0').take(LINE_CHARS).collect();
        let details = details.into_iter().take(LINES).map(kept).chain(code).collect();
        Self { execution, finished, progress_percent: progress.and_then(percent), details }
    }

    /// What it means for a deployment in `state`; `None` where the state stays.
    pub fn event(&self, state: DeploymentState) -> Option<Event> {
        match self.execution {
            Execution::Closed if self.finished != Finished::Failure => Some(Event::Succeed),
            Execution::Closed if state == DeploymentState::Rebooting || self.says("rolled back") => {
                Some(Event::RollBack)
            }
            Execution::Closed => Some(Event::Fail),
            Execution::Canceled => Some(Event::Cancel),
            Execution::Download | Execution::Downloaded => Some(Event::Download),
            Execution::Proceeding if self.says("rebooting") => Some(Event::Reboot),
            Execution::Proceeding if self.says("download") => Some(Event::Download),
            Execution::Proceeding => Some(Event::Install),
            Execution::Scheduled | Execution::Rejected | Execution::Resumed => None,
        }
    }

    /// What it means as the answer to a request to cancel.
    pub fn cancel_answer(&self) -> CancelAnswer {
        match self.execution {
            Execution::Canceled => CancelAnswer::Agreed,
            Execution::Closed if self.finished != Finished::Failure => CancelAnswer::Agreed,
            Execution::Closed | Execution::Rejected => CancelAnswer::Refused,
            _ => CancelAnswer::Pending,
        }
    }

    fn says(&self, words: &str) -> bool {
        let begins = |line: &String| line.get(..words.len()).is_some_and(|start| start.eq_ignore_ascii_case(words));
        self.details.iter().any(begins)
    }
}

/// A device's answer to a request to cancel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CancelAnswer {
    /// It has cancelled.
    Agreed,
    /// It can't any more: the deployment goes on.
    Refused,
    /// It has not decided.
    Pending,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn feedback(execution: Execution, finished: Finished, detail: &str) -> Feedback {
        Feedback::new(execution, finished, None, None, vec![detail.to_owned()])
    }

    #[test]
    fn a_failure_after_the_reboot_is_a_rollback() {
        let failure = feedback(Execution::Closed, Finished::Failure, "kernel panic");
        assert_eq!(failure.event(DeploymentState::Rebooting), Some(Event::RollBack));
        assert_eq!(failure.event(DeploymentState::Installing), Some(Event::Fail));
        let told = feedback(Execution::Closed, Finished::Failure, "Rolled back: slot B was given up");
        assert_eq!(told.event(DeploymentState::Installing), Some(Event::RollBack));
    }

    #[test]
    fn the_first_words_tell_the_step() {
        let proceeding =
            |detail| feedback(Execution::Proceeding, Finished::None, detail).event(DeploymentState::Offered);
        assert_eq!(proceeding("Rebooting into slot B"), Some(Event::Reboot));
        assert_eq!(proceeding("downloading: 10 %"), Some(Event::Download));
        assert_eq!(proceeding("writing slot B"), Some(Event::Install));
        assert_eq!(proceeding("re"), Some(Event::Install));
    }

    #[test]
    fn closed_is_success_unless_it_says_failure_as_for_hawkbit() {
        let closed = |finished| feedback(Execution::Closed, finished, "").event(DeploymentState::Installing);
        assert_eq!(closed(Finished::Success), Some(Event::Succeed));
        assert_eq!(closed(Finished::None), Some(Event::Succeed));
        assert_eq!(closed(Finished::Failure), Some(Event::Fail));
    }

    #[test]
    fn what_is_kept_is_bounded_and_fits_the_database() {
        let details = vec!["é\0".repeat(1_000); 100];
        let feedback = Feedback::new(Execution::Proceeding, Finished::None, Some((u64::MAX, 7)), None, details);
        assert_eq!(feedback.details.len(), LINES);
        assert!(feedback.details.iter().all(|line| line.chars().count() == LINE_CHARS && !line.contains('\0')));
        assert_eq!(feedback.progress_percent, Some(100));
        assert_eq!(
            Feedback::new(Execution::Proceeding, Finished::None, Some((1, 0)), None, vec![]).progress_percent,
            None
        );
    }
}
