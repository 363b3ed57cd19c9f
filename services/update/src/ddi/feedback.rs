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
    progress_percent: Option<u32>,
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

    /// How far what is under way is.
    pub fn progress(what: &str, percent: u32) -> Self {
        let feedback = Self::stage(Stage::Proceeding, &format!("{what}: {percent} %"));
        Self { progress_percent: Some(percent), ..feedback }
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
        Self { execution, finished, details, progress_percent: None }
    }

    /// As the API wants it.
    pub(super) fn body(&self, action: &str) -> Value {
        let mut result = json!({ "finished": self.finished });
        if let Some(percent) = self.progress_percent {
            result["progress"] = json!({ "cnt": percent, "of": 100 });
        }
        json!({
            "id": action,
            "status": { "execution": self.execution, "result": result, "details": self.details },
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
    fn progress_is_told_in_words_and_numbers() {
        let body = Feedback::progress("installing", 46).body("8");
        assert_eq!(body["status"]["details"], json!(["installing: 46 %"]));
        assert_eq!(body["status"]["result"], json!({"finished": "none", "progress": {"cnt": 46, "of": 100}}));
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
