//! confirmationBase: the consent of whoever is at the device. It is given beforehand (auto-confirm) unless the device has
//! turned that off.

use super::auth::Controller;
use super::deployment::{ActionPath, History, action_id, load};
use super::error::{not_found, noted};
use super::message::{ActivateAutoConfirm, Confirmation, ConfirmationFeedback, parse};
use super::model::{ConfirmationBase, Hal, Link, Links};
use super::store;
use crate::api::problem::Problem;
use crate::deployments;
use crate::state::AppState;
use axum::body::Bytes;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use serde::Serialize;
use serde_json::{Map, Value};

/// Characters that are kept of who turned automatic consent on, and why.
const TEXT_CHARS: usize = 512;

#[derive(Debug, Serialize)]
pub(super) struct Base {
    #[serde(rename = "autoConfirm")]
    auto_confirm: Map<String, Value>,
    #[serde(rename = "_links")]
    links: Links,
}

/// `GET …/confirmationBase`
pub(super) async fn show(State(state): State<AppState>, controller: Controller) -> Result<Hal<Base>, Problem> {
    let consent = store::auto_confirm(&state.pool, controller.device_key).await?;
    let mut links = Links::new();
    let mut link = |relation, path: String| {
        links.insert(relation, Link { href: format!("{}/confirmationBase/{path}", controller.base) });
    };
    let mut auto_confirm = Map::from_iter([("active".to_owned(), consent.active.into())]);
    if consent.active {
        let by = consent.by.as_ref().and_then(Value::as_object).into_iter().flatten();
        auto_confirm
            .extend(by.filter(|(_, value)| !value.is_null()).map(|(name, value)| (name.clone(), value.clone())));
        link("deactivateAutoConfirm", "deactivateAutoConfirm".to_owned());
    } else {
        link("activateAutoConfirm", "activateAutoConfirm".to_owned());
    }
    let action = deployments::store::in_flight(&state.pool, controller.device_key).await?;
    if let Some(action) = action.filter(|action| !action.confirmed && !action.cancel_requested) {
        link("confirmationBase", action.id.to_string());
    }
    Ok(Hal(Base { auto_confirm, links }))
}

/// `POST …/confirmationBase/activateAutoConfirm`
pub(super) async fn activate(
    State(state): State<AppState>,
    controller: Controller,
    body: Bytes,
) -> Result<StatusCode, Problem> {
    let by = if body.is_empty() { ActivateAutoConfirm::default() } else { parse(&body)? };
    let short = |text: String| text.chars().filter(|char| *char != '\0').take(TEXT_CHARS).collect::<String>();
    let (initiator, remark) = (by.initiator.map(short), by.remark.map(short));
    let pool = &state.pool;
    store::set_auto_confirm(pool, controller.device_key, true, initiator.as_deref(), remark.as_deref()).await?;
    deployments::store::confirm_all(pool, controller.device_key).await?;
    Ok(StatusCode::OK)
}

/// `POST …/confirmationBase/deactivateAutoConfirm`
pub(super) async fn deactivate(State(state): State<AppState>, controller: Controller) -> Result<StatusCode, Problem> {
    store::set_auto_confirm(&state.pool, controller.device_key, false, None, None).await?;
    Ok(StatusCode::OK)
}

/// `GET …/confirmationBase/{action}`
pub(super) async fn action(
    State(state): State<AppState>,
    controller: Controller,
    path: ActionPath,
    Query(history): Query<History>,
) -> Result<Hal<ConfirmationBase>, Problem> {
    let id = action_id(path)?;
    let (found, release) = load(&state, &controller, id).await?;
    let deployment = &found.deployment;
    if !deployment.state.is_in_flight() || deployment.confirmed || deployment.cancel_requested {
        return Err(not_found(&format!("action {id} that waits for consent")));
    }
    Ok(Hal(ConfirmationBase::new(&controller, &found, &release, history.count())))
}

/// `POST …/confirmationBase/{action}/feedback`
pub(super) async fn feedback(
    State(state): State<AppState>,
    controller: Controller,
    path: ActionPath,
    body: Bytes,
) -> Result<StatusCode, Problem> {
    let id = action_id(path)?;
    let message: ConfirmationFeedback = parse(&body)?;
    let consents = message.confirmation == Confirmation::Confirmed;
    let details = message.details();
    let outcome = deployments::store::confirm(&state.pool, controller.device_key, id, consents, &details).await?;
    let (_, rollout_id) = noted(id, outcome)?;
    state.rollouts.deployment_changed(controller.id.as_str(), rollout_id);
    Ok(StatusCode::OK)
}
