//! What the server is told.

use crate::machine::{CancelAnswer, Outcome, Stage};
use serde_json::{Value, json};

/// The longest detail that hawkBit keeps (its column for status messages), in bytes.
const MAX_DETAIL_BYTES: usize = 500;

/// One message about an action: `status` of the API's feedback resources.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Feedback {
    execution: &'static str,
    finished: &'static str,
    details: Vec<String>,
}

impl Feedback {
    /// How far an action is.
    pub fn stage(stage: Stage, text: &str) -> Self {
        let execution = match stage {
            Stage::Scheduled => "scheduled",
            Stage::Proceeding => "proceeding",
            Stage::Downloaded => "downloaded",
        };
        Self::new(execution, "none", &[text.to_owned()])
    }

    /// How an action ended.
    pub fn outcome(outcome: &Outcome) -> Self {
        match outcome {
            Outcome::Success { details } => Self::new("closed", "success", details),
            Outcome::Failure { details } => Self::new("closed", "failure", details),
            Outcome::Cancelled => Self::new("canceled", "success", &["it was cancelled".to_owned()]),
        }
    }

    /// The answer to a request to cancel.
    pub fn cancel(answer: &CancelAnswer) -> Self {
        match answer {
            CancelAnswer::Done(how) => Self::new("closed", "success", &[format!("cancelled: {how}")]),
            CancelAnswer::TooLate(why) => Self::new("rejected", "failure", &[format!("too late: {why}")]),
        }
    }

    fn new(execution: &'static str, finished: &'static str, details: &[String]) -> Self {
        let details = details.iter().map(|detail| shortened(detail)).collect();
        Self { execution, finished, details }
    }

    /// As the API wants it.
    pub(super) fn body(&self, action: &str) -> Value {
        json!({
            "id": action,
            "status": {
                "execution": self.execution,
                "result": { "finished": self.finished },
                "details": self.details,
            },
        })
    }
}

fn shortened(detail: &str) -> String {
    if detail.len() <= MAX_DETAIL_BYTES {
        return detail.to_owned();
    }
    format!("{}…", &detail[..detail.floor_char_boundary(MAX_DETAIL_BYTES - '…'.len_utf8())])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_details_are_cut_between_characters() {
        for length in 495..505 {
            let text = shortened(&"é".repeat(length));
            assert!(text.len() <= MAX_DETAIL_BYTES && text.ends_with('…'), "{length}");
        }
        assert_eq!(shortened("short"), "short");
    }

    #[test]
    fn an_outcome_closes_the_action() {
        let body = Feedback::outcome(&Outcome::failure("no")).body("8");
        assert_eq!(body["status"]["execution"], "closed");
        assert_eq!(body["status"]["result"]["finished"], "failure");
        assert_eq!(body["status"]["details"], json!(["no"]));
        assert_eq!(body["id"], "8");
    }
}
