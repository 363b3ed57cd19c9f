//! deploymentBase and installedBase: what to install, how it goes, and what is installed.

use super::auth::Controller;
use super::error::{not_found, noted};
use super::message::{ActionFeedback, parse};
use super::model::{DeploymentBase, Hal};
use crate::api::problem::Problem;
use crate::deployments::{self, DeploymentDetail, DeploymentState, Feedback};
use crate::releases::{self, Release};
use crate::state::AppState;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use serde::Deserialize;

/// Messages of an action's history at most.
const HISTORY: usize = 100;

/// `actionHistory`: how many messages are wanted; -1 for all, 0 (as when left out) for none. hawkBit's `c`, which only
/// tells caches apart, is ignored.
#[derive(Debug, Deserialize)]
pub(super) struct History {
    #[serde(default, rename = "actionHistory")]
    count: i64,
}

impl History {
    pub(super) fn count(&self) -> usize {
        if self.count < 0 { HISTORY } else { HISTORY.min(self.count as usize) }
    }
}

/// The action's id; what is no number is none.
pub(super) type ActionPath = Path<(String, String, String)>;

pub(super) fn action_id(Path((_, _, action)): ActionPath) -> Result<i64, Problem> {
    action.parse().map_err(|_| not_found(&format!("action {action}")))
}

/// A deployment of this device, with its release.
pub(super) async fn load(
    state: &AppState,
    controller: &Controller,
    id: i64,
) -> Result<(DeploymentDetail, Release), Problem> {
    let unknown = || not_found(&format!("action {id}"));
    let found = deployments::store::find(&state.pool, controller.device_key, id).await?.ok_or_else(unknown)?;
    let release = releases::store::find(&state.pool, controller.organisation, found.deployment.release_id).await?;
    Ok((found, release.ok_or_else(unknown)?))
}

/// `GET …/deploymentBase/{action}`
pub(super) async fn show(
    State(state): State<AppState>,
    controller: Controller,
    path: ActionPath,
    Query(history): Query<History>,
) -> Result<Hal<DeploymentBase>, Problem> {
    let id = action_id(path)?;
    let (found, release) = load(&state, &controller, id).await?;
    let deployment = &found.deployment;
    let shown = deployment.state.is_in_flight() && deployment.confirmed && !deployment.cancel_requested;
    // From here on the offer stands; it may just have lapsed.
    if !shown || !deployments::store::fetched(&state.pool, id).await? {
        return Err(not_found(&format!("action {id} to be carried out")));
    }
    Ok(Hal(DeploymentBase::new(&controller, &found, &release, history.count())))
}

/// `POST …/deploymentBase/{action}/feedback`
pub(super) async fn feedback(
    State(state): State<AppState>,
    controller: Controller,
    path: ActionPath,
    body: Bytes,
) -> Result<StatusCode, Problem> {
    let id = action_id(path)?;
    let feedback = Feedback::from(parse::<ActionFeedback>(&body)?);
    let outcome = deployments::store::feedback(&state.pool, controller.device_key, id, &feedback).await?;
    let (_, rollout_id) = noted(id, outcome)?;
    state.rollouts.deployment_changed(controller.id.as_str(), rollout_id);
    Ok(StatusCode::OK)
}

/// `GET …/installedBase/{action}`
pub(super) async fn installed(
    State(state): State<AppState>,
    controller: Controller,
    path: ActionPath,
    Query(history): Query<History>,
) -> Result<Hal<DeploymentBase>, Problem> {
    let id = action_id(path)?;
    let (found, release) = load(&state, &controller, id).await?;
    if found.deployment.state != DeploymentState::Succeeded {
        return Err(not_found(&format!("action {id} that was installed")));
    }
    Ok(Hal(DeploymentBase::new(&controller, &found, &release, history.count())))
}
