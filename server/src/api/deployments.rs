//! `/api/v1/devices/{id}/deployments`.

use super::devices::device_key;
use super::problem::Problem;
use crate::deployments::{Deployment, DeploymentDetail, Outcome, store};
use crate::releases;
use crate::state::AppState;
use axum::Json;
use axum::extract::rejection::{JsonRejection, PathRejection};
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A device's newest deployments.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct Deployments {
    pub(crate) deployments: Vec<Deployment>,
}

/// What a client asks for.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewDeployment {
    pub(crate) release: i64,
}

/// How a deployment is to be cancelled.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Cancellation {
    /// Whether the device agrees or not: for one that will not ask again.
    #[serde(default)]
    force: bool,
}

/// A device's newest deployments, the newest first.
#[utoipa::path(get, path = "/devices/{id}/deployments", tag = "deployments", params(("id" = String, Path, description = "The device's id")),
    responses((status = 200, description = "The deployments", body = Deployments)))]
pub(super) async fn list(
    State(state): State<AppState>,
    id: Result<Path<String>, PathRejection>,
) -> Result<Json<Deployments>, Problem> {
    let Path(id) = id?;
    let key = device_key(&state, &id).await?;
    Ok(Json(Deployments { deployments: store::of_device(&state.pool, key).await? }))
}

/// One deployment with its timeline.
#[utoipa::path(get, path = "/devices/{id}/deployments/{deployment_id}", tag = "deployments",
    params(
        ("id" = String, Path, description = "The device's id"),
        ("deployment_id" = i64, Path, description = "The deployment's id"),
    ),
    responses((status = 200, description = "The deployment", body = DeploymentDetail)))]
pub(super) async fn find(
    State(state): State<AppState>,
    path: Result<Path<(String, String)>, PathRejection>,
) -> Result<Json<DeploymentDetail>, Problem> {
    let Path((id, deployment)) = path?;
    let key = device_key(&state, &id).await?;
    let found = store::find(&state.pool, key, deployment_id(&deployment)?).await?;
    found.map(Json).ok_or_else(|| unknown(&deployment))
}

/// Gives a device a release at once.
#[utoipa::path(post, path = "/devices/{id}/deployments", tag = "deployments", params(("id" = String, Path, description = "The device's id")),
    request_body = NewDeployment,
    responses((status = 201, description = "It is offered to the device", body = DeploymentDetail)))]
pub(super) async fn create(
    State(state): State<AppState>,
    id: Result<Path<String>, PathRejection>,
    request: Result<Json<NewDeployment>, JsonRejection>,
) -> Result<(StatusCode, Json<DeploymentDetail>), Problem> {
    let Path(id) = id?;
    let Json(request) = request?;
    let key = device_key(&state, &id).await?;
    let release = releases::store::find(&state.pool, state.organisation, request.release).await?;
    let release = release.ok_or_else(|| {
        Problem::parameter("release", &request.release.to_string(), "the id of one that GET /api/v1/releases lists")
    })?;
    let given = state.rollouts.deploy(&release, &[key]).await?;
    let Some(given) = given.first() else {
        let detail = format!("{id} is at another update: wait for its end, or cancel it");
        return Err(Problem::new(StatusCode::CONFLICT, detail));
    };
    let found = store::find(&state.pool, key, given.id).await?.ok_or_else(|| unknown(&given.id.to_string()))?;
    Ok((StatusCode::CREATED, Json(found)))
}

/// Cancels a deployment: 202 while the device is asked.
#[utoipa::path(post, path = "/devices/{id}/deployments/{deployment_id}/cancel", tag = "deployments",
    params(
        ("id" = String, Path, description = "The device's id"),
        ("deployment_id" = i64, Path, description = "The deployment's id"),
    ),
    request_body = Option<Cancellation>,
    responses(
        (status = 200, description = "It is cancelled", body = DeploymentDetail),
        (status = 202, description = "The device is asked to cancel", body = DeploymentDetail),
    ))]
pub(super) async fn cancel(
    State(state): State<AppState>,
    path: Result<Path<(String, String)>, PathRejection>,
    request: Option<Json<Cancellation>>,
) -> Result<(StatusCode, Json<DeploymentDetail>), Problem> {
    let Path((id, text)) = path?;
    let key = device_key(&state, &id).await?;
    let deployment = deployment_id(&text)?;
    let Json(Cancellation { force }) = request.unwrap_or_default();
    let status = match store::cancel(&state.pool, key, deployment, force).await? {
        Outcome::Unknown => return Err(unknown(&text)),
        Outcome::Over(now) => {
            let detail = format!("deployment {deployment} is over: {}", now.as_str());
            return Err(Problem::new(StatusCode::CONFLICT, detail));
        }
        Outcome::Noted { changed, rollout_id, .. } => {
            state.rollouts.deployment_changed(&id, rollout_id);
            if changed { StatusCode::OK } else { StatusCode::ACCEPTED }
        }
    };
    let found = store::find(&state.pool, key, deployment).await?.ok_or_else(|| unknown(&text))?;
    Ok((status, Json(found)))
}

fn deployment_id(text: &str) -> Result<i64, Problem> {
    text.parse().map_err(|_| unknown(text))
}

fn unknown(id: &str) -> Problem {
    let id: String = id.chars().take(80).collect();
    Problem::new(StatusCode::NOT_FOUND, format!("this device has no deployment {id}"))
}
