//! `/api/v1/deployments`: of all devices.

use super::deployments::Deployments;
use super::problem::Problem;
use crate::deployments::store;
use crate::state::AppState;
use crate::targets::Target;
use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A release for several devices at once.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewDeployments {
    /// The release.
    pub(crate) release: i64,
    /// The devices, without those that run the release already.
    #[schema(value_type = crate::api::schema::Target)]
    pub(crate) target: Target,
}

/// What was given, and how many devices were left out.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct GivenDeployments {
    /// Names each deployment and its device.
    pub(crate) deployments: Vec<crate::deployments::Given>,
    /// Devices that are at another update, and got nothing.
    pub(crate) busy: usize,
}

/// The newest 100 deployments of all devices, the newest first.
#[utoipa::path(get, path = "/deployments", tag = "deployments",
    responses((status = 200, description = "The deployments", body = Deployments)))]
pub(super) async fn list_all(State(state): State<AppState>) -> Result<Json<Deployments>, Problem> {
    Ok(Json(Deployments { deployments: store::newest(&state.pool, state.organisation).await? }))
}

/// Gives several devices a release at once, without waves or a limit: for a few. A rollout is for many.
#[utoipa::path(post, path = "/deployments", tag = "deployments", request_body = NewDeployments,
    responses((status = 201, description = "They are offered to the devices", body = GivenDeployments)))]
pub(super) async fn give(
    State(state): State<AppState>,
    request: Result<Json<NewDeployments>, JsonRejection>,
) -> Result<(StatusCode, Json<GivenDeployments>), Problem> {
    let Json(NewDeployments { release, target }) = request?;
    target.check().map_err(|reason| Problem::new(StatusCode::BAD_REQUEST, reason))?;
    let (deployments, busy) = state.rollouts.deploy_to(release, &target).await?;
    if deployments.is_empty() {
        let detail = format!("all {busy} devices that are meant are at another update: wait for its end, or cancel it");
        return Err(Problem::new(StatusCode::CONFLICT, detail));
    }
    Ok((StatusCode::CREATED, Json(GivenDeployments { deployments, busy })))
}
