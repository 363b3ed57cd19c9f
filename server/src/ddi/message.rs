//! What devices send, parsed. Members that hawkBit has and we don't need, and any others, are ignored, as hawkBit does.

use super::store::UpdateMode;
use crate::api::problem::Problem;
use crate::deployments::{Execution, Feedback, Finished};
use axum::body::Bytes;
use axum::http::StatusCode;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;

/// Characters of an attribute's name, and of its value.
const ATTRIBUTE_CHARS: (usize, usize) = (128, 1_024);

/// Feedback to deploymentBase and cancelAction.
#[derive(Debug, Deserialize)]
pub(super) struct ActionFeedback {
    status: Status,
}

#[derive(Debug, Deserialize)]
struct Status {
    execution: Execution,
    result: ResultPart,
    #[serde(default)]
    code: Option<i64>,
    #[serde(default)]
    details: Option<Vec<String>>,
}

#[derive(Debug, Deserialize)]
struct ResultPart {
    finished: Finished,
    #[serde(default)]
    progress: Option<Progress>,
}

#[derive(Debug, Deserialize)]
struct Progress {
    cnt: Option<u64>,
    of: Option<u64>,
}

impl From<ActionFeedback> for Feedback {
    fn from(ActionFeedback { status }: ActionFeedback) -> Self {
        let progress = status.result.progress.and_then(|progress| progress.cnt.zip(progress.of));
        let details = status.details.unwrap_or_default();
        Self::new(status.execution, status.result.finished, progress, status.code, details)
    }
}

/// A device's answer to the question for its consent.
#[derive(Debug, Deserialize)]
pub(super) struct ConfirmationFeedback {
    pub(super) confirmation: Confirmation,
    #[serde(default)]
    code: Option<i64>,
    #[serde(default)]
    details: Option<Vec<String>>,
}

/// The answer itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Confirmation {
    Confirmed,
    Denied,
}

impl ConfirmationFeedback {
    /// The lines that are kept.
    pub(super) fn details(self) -> Vec<String> {
        let details = self.details.unwrap_or_default();
        Feedback::new(Execution::Proceeding, Finished::None, None, self.code, details).details
    }
}

/// Who turns automatic consent on, and why.
#[derive(Debug, Default, Deserialize)]
pub(super) struct ActivateAutoConfirm {
    #[serde(default)]
    pub(super) initiator: Option<String>,
    #[serde(default)]
    pub(super) remark: Option<String>,
}

/// A device's attributes.
#[derive(Debug, Deserialize)]
pub(super) struct ConfigData {
    #[serde(default)]
    pub(super) mode: Option<UpdateMode>,
    data: BTreeMap<String, String>,
}

impl ConfigData {
    /// The attributes, as JSON.
    ///
    /// # Errors
    /// Names the one that is too long or can't be stored.
    pub(super) fn attributes(&self) -> Result<serde_json::Value, Problem> {
        let fits = |text: &str, most| text.chars().count() <= most && !text.contains('\0');
        for (name, value) in &self.data {
            if name.is_empty() || !fits(name, ATTRIBUTE_CHARS.0) || !fits(value, ATTRIBUTE_CHARS.1) {
                let expected = "a name of 1 to 128 characters and a value of up to 1024, without NUL";
                return Err(Problem::parameter("data", name, expected));
            }
        }
        Ok(serde_json::json!(self.data))
    }
}

/// Parses a body, whatever its content type says: clients differ.
pub(super) fn parse<T: DeserializeOwned>(body: &Bytes) -> Result<T, Problem> {
    serde_json::from_slice(body).map_err(|error| {
        Problem::new(StatusCode::BAD_REQUEST, format!("the body is not what is expected here: {error}"))
    })
}
