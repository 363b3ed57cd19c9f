//! `/api/v1/rollouts`.

use super::problem::Problem;
use crate::deployments;
use crate::rollouts::{Change, CreateError, NewRollout, Rollout, RolloutDetail, store};
use crate::state::AppState;
use axum::Json;
use axum::extract::rejection::{JsonRejection, PathRejection};
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The newest rollouts.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct Rollouts {
    pub(crate) rollouts: Vec<Rollout>,
}

/// What an operator can do to a rollout, as the path names it.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum Action {
    /// Nothing more is offered; what is in flight goes on.
    Pause,
    /// It goes on; after a halt, failures so far no longer count.
    Resume,
    /// It ends: devices that have begun are asked to cancel.
    Cancel,
}

/// The newest rollouts, the newest first.
#[utoipa::path(get, path = "/rollouts", tag = "rollouts", responses((status = 200, description = "The rollouts", body = Rollouts)))]
pub(super) async fn list(State(state): State<AppState>) -> Result<Json<Rollouts>, Problem> {
    Ok(Json(Rollouts { rollouts: store::list(&state.pool, state.organisation).await? }))
}

/// One rollout with its deployments and its log.
#[utoipa::path(get, path = "/rollouts/{id}", tag = "rollouts", params(("id" = i64, Path, description = "The rollout's id")),
    responses((status = 200, description = "The rollout", body = RolloutDetail)))]
pub(super) async fn find(
    State(state): State<AppState>,
    id: Result<Path<String>, PathRejection>,
) -> Result<Json<RolloutDetail>, Problem> {
    let Path(text) = id?;
    load(&state, rollout_id(&text)?).await.map(Json)
}

/// A rollout with everything.
pub(super) async fn load(state: &AppState, id: i64) -> Result<RolloutDetail, Problem> {
    let rollout = store::find(&state.pool, state.organisation, id).await?;
    let rollout = rollout.ok_or_else(|| unknown(&id.to_string()))?;
    let deployments = deployments::store::of_rollout(&state.pool, id).await?;
    Ok(RolloutDetail { rollout, deployments, log: store::log(&state.pool, id).await? })
}

/// Makes a rollout, which begins by itself.
#[utoipa::path(post, path = "/rollouts", tag = "rollouts", request_body = NewRollout,
    responses((status = 201, description = "The new rollout", body = Rollout)))]
pub(super) async fn create(
    State(state): State<AppState>,
    request: Result<Json<NewRollout>, JsonRejection>,
) -> Result<(StatusCode, Json<Rollout>), Problem> {
    let Json(new) = request?;
    let new = new.complete().map_err(|reason| Problem::new(StatusCode::BAD_REQUEST, reason))?;
    let id = state.rollouts.create(&new).await?;
    let rollout = store::find(&state.pool, state.organisation, id).await?.ok_or_else(|| unknown(&id.to_string()))?;
    Ok((StatusCode::CREATED, Json(rollout)))
}

/// Pauses, resumes or cancels a rollout.
#[utoipa::path(post, path = "/rollouts/{id}/{action}", tag = "rollouts",
    params(
        ("id" = i64, Path, description = "The rollout's id"),
        ("action" = inline(Action), Path, description = "What to do"),
    ),
    responses((status = 200, description = "The rollout afterwards", body = Rollout)))]
pub(super) async fn change(
    State(state): State<AppState>,
    path: Result<Path<(String, String)>, PathRejection>,
) -> Result<Json<Rollout>, Problem> {
    let Path((text, action)) = path?;
    let id = rollout_id(&text)?;
    let change = match action.as_str() {
        "pause" => state.rollouts.pause(id).await?,
        "resume" => state.rollouts.resume(id).await?,
        "cancel" => state.rollouts.cancel(id).await?,
        _ => return Err(Problem::new(StatusCode::NOT_FOUND, "a rollout takes pause, resume, cancel and retry")),
    };
    match change {
        Change::Done(rollout) => Ok(Json(*rollout)),
        Change::Unknown => Err(unknown(&text)),
        Change::Illegal(now) => {
            let detail = format!("rollout {id} is {}: it can't {action}", now.as_str());
            Err(Problem::new(StatusCode::CONFLICT, detail))
        }
    }
}

/// Makes a rollout over the devices that failed in this one.
#[utoipa::path(post, path = "/rollouts/{id}/retry", tag = "rollouts",
    params(("id" = i64, Path, description = "The rollout's id")),
    responses((status = 201, description = "The new rollout", body = Rollout)))]
pub(super) async fn retry(
    State(state): State<AppState>,
    id: Result<Path<String>, PathRejection>,
) -> Result<(StatusCode, Json<Rollout>), Problem> {
    let Path(text) = id?;
    let new = state.rollouts.retry(rollout_id(&text)?).await?.ok_or_else(|| unknown(&text))?;
    let rollout = store::find(&state.pool, state.organisation, new).await?.ok_or_else(|| unknown(&text))?;
    Ok((StatusCode::CREATED, Json(rollout)))
}

impl From<CreateError> for Problem {
    fn from(error: CreateError) -> Self {
        match error {
            CreateError::Database(error) => error.into(),
            other => Self::new(StatusCode::UNPROCESSABLE_ENTITY, other.to_string()),
        }
    }
}

fn rollout_id(text: &str) -> Result<i64, Problem> {
    text.parse().map_err(|_| unknown(text))
}

fn unknown(id: &str) -> Problem {
    let id: String = id.chars().take(80).collect();
    Problem::new(StatusCode::NOT_FOUND, format!("there is no rollout {id}: GET /api/v1/rollouts lists them"))
}
