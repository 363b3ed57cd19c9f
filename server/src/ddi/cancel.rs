//! cancelAction: the server wants an action cancelled, and the device says whether it can be.

use super::auth::Controller;
use super::deployment::{ActionPath, action_id};
use super::error::{not_found, noted};
use super::message::{ActionFeedback, parse};
use super::model::Hal;
use crate::api::problem::Problem;
use crate::deployments::{self, Feedback};
use crate::state::AppState;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;

#[derive(Debug, Serialize)]
pub(super) struct Cancel {
    id: String,
    #[serde(rename = "cancelAction")]
    action: Stop,
}

#[derive(Debug, Serialize)]
struct Stop {
    #[serde(rename = "stopId")]
    stop_id: String,
}

/// `GET …/cancelAction/{action}`
pub(super) async fn show(
    State(state): State<AppState>,
    controller: Controller,
    path: ActionPath,
) -> Result<Hal<Cancel>, Problem> {
    let id = action_id(path)?;
    let action = deployments::store::in_flight(&state.pool, controller.device_key).await?;
    if !action.is_some_and(|action| action.id == id && action.cancel_requested) {
        return Err(not_found(&format!("action {id} to be cancelled")));
    }
    Ok(Hal(Cancel { id: id.to_string(), action: Stop { stop_id: id.to_string() } }))
}

/// `POST …/cancelAction/{action}/feedback`
pub(super) async fn feedback(
    State(state): State<AppState>,
    controller: Controller,
    path: ActionPath,
    body: Bytes,
) -> Result<StatusCode, Problem> {
    let id = action_id(path)?;
    let feedback = Feedback::from(parse::<ActionFeedback>(&body)?);
    let outcome = deployments::store::cancel_feedback(&state.pool, controller.device_key, id, &feedback).await?;
    let (_, rollout_id) = noted(id, outcome)?;
    state.rollouts.deployment_changed(controller.id.as_str(), rollout_id);
    Ok(StatusCode::OK)
}
