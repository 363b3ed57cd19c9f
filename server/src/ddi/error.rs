//! What a device is answered when it asks for something it can't have: problem+json, with hawkBit's status codes.

use crate::api::problem::Problem;
use crate::deployments::{DeploymentState, Outcome};
use axum::http::{Method, StatusCode, Uri};

/// There is no such thing for this device.
pub(super) fn not_found(what: &str) -> Problem {
    Problem::new(StatusCode::NOT_FOUND, format!("there is no {what} for this device"))
}

/// The action is over.
fn gone(id: i64, state: DeploymentState) -> Problem {
    Problem::new(StatusCode::GONE, format!("action {id} is over: {}", state.as_str()))
}

/// What was noted of an action, or why it was not.
pub(super) fn noted(id: i64, outcome: Outcome) -> Result<(bool, Option<i64>), Problem> {
    match outcome {
        Outcome::Unknown => Err(not_found(&format!("action {id}"))),
        Outcome::Over(state) => Err(gone(id, state)),
        Outcome::Noted { changed, rollout_id, .. } => Ok((changed, rollout_id)),
    }
}

/// For paths that DDI does not have.
pub(super) async fn no_such_path(uri: Uri) -> Problem {
    let detail = format!("there is nothing at {}: begin at /{{tenant}}/controller/v1/{{controllerId}}", uri.path());
    Problem::new(StatusCode::NOT_FOUND, detail)
}

/// For methods that a path does not take.
pub(super) async fn method_not_allowed(method: Method, uri: Uri) -> Problem {
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, format!("{} does not take {method}", uri.path()))
}
