//! `/api/v1/releases`.

use super::problem::Problem;
use crate::releases::store::{self, Deletion};
use crate::releases::{InspectError, Release, StorageError, UploadError, Uploaded};
use crate::state::AppState;
use axum::Json;
use axum::body::Body;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// All releases.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct Releases {
    pub(crate) releases: Vec<Release>,
}

/// All releases, the newest first.
#[utoipa::path(get, path = "/releases", tag = "releases", responses((status = 200, description = "The releases", body = Releases)))]
pub(super) async fn list(State(state): State<AppState>) -> Result<Json<Releases>, Problem> {
    Ok(Json(Releases { releases: store::list(&state.pool, state.organisation).await? }))
}

/// One release.
#[utoipa::path(get, path = "/releases/{id}", tag = "releases", params(("id" = i64, Path, description = "The release's id")),
    responses((status = 200, description = "The release", body = Release)))]
pub(super) async fn find(
    State(state): State<AppState>,
    id: Result<Path<String>, PathRejection>,
) -> Result<Json<Release>, Problem> {
    let Path(text) = id?;
    let release = store::find(&state.pool, state.organisation, release_id(&text)?).await?;
    release.map(Json).ok_or_else(|| unknown(&text))
}

/// Takes a bundle, which is the whole body: 201 with the new release, or 200 with the one that it is already.
#[utoipa::path(post, path = "/releases", tag = "releases",
    request_body(content_type = "application/octet-stream", description = "The signed RAUC bundle"),
    responses(
        (status = 200, description = "The same bundle was here already", body = Release),
        (status = 201, description = "The new release", body = Release),
    ))]
pub(super) async fn upload(State(state): State<AppState>, body: Body) -> Result<(StatusCode, Json<Release>), Problem> {
    let uploaded = state.bundles.upload(&state.pool, state.organisation, body.into_data_stream()).await?;
    Ok(match uploaded {
        Uploaded::New(release) => {
            tracing::info!(
                "release {}: {} {}, signed by {}",
                release.id,
                release.compatible,
                release.version,
                release.signer
            );
            (StatusCode::CREATED, Json(release))
        }
        Uploaded::Known(release) => (StatusCode::OK, Json(release)),
    })
}

/// Deletes a release that was never deployed.
#[utoipa::path(delete, path = "/releases/{id}", tag = "releases", params(("id" = i64, Path, description = "The release's id")),
    responses((status = 204, description = "It is gone")))]
pub(super) async fn delete(
    State(state): State<AppState>,
    id: Result<Path<String>, PathRejection>,
) -> Result<StatusCode, Problem> {
    let Path(text) = id?;
    match store::delete(&state.pool, state.organisation, release_id(&text)?).await? {
        Deletion::Done(key) => {
            if let Err(error) = state.bundles.forget(key).await {
                tracing::warn!("the bundle of release {text} is left in the storage: {error}");
            }
            Ok(StatusCode::NO_CONTENT)
        }
        Deletion::Unknown => Err(unknown(&text)),
        Deletion::InUse => {
            let detail = format!("release {text} is in use: rollouts or deployments name it, and their history stays");
            Err(Problem::new(StatusCode::CONFLICT, detail))
        }
    }
}

impl From<UploadError> for Problem {
    fn from(error: UploadError) -> Self {
        let status = match error {
            UploadError::Database(error) => return error.into(),
            UploadError::Conflict { .. } => StatusCode::CONFLICT,
            UploadError::Storage(StorageError::TooLarge(_)) => StatusCode::PAYLOAD_TOO_LARGE,
            UploadError::Storage(StorageError::Broken(..)) => StatusCode::BAD_REQUEST,
            UploadError::Inspect(InspectError::Refused(_)) => StatusCode::UNPROCESSABLE_ENTITY,
            UploadError::Inspect(InspectError::NoKeyring(_) | InspectError::NoProgram(..)) => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            UploadError::Storage(_) | UploadError::Inspect(_) => StatusCode::INTERNAL_SERVER_ERROR,
        };
        if status.is_server_error() {
            tracing::error!("a bundle was not taken: {error}");
        }
        Self::new(status, error.to_string())
    }
}

fn release_id(text: &str) -> Result<i64, Problem> {
    text.parse().map_err(|_| unknown(text))
}

fn unknown(id: &str) -> Problem {
    let id: String = id.chars().take(80).collect();
    Problem::new(StatusCode::NOT_FOUND, format!("there is no release {id}: GET /api/v1/releases lists them"))
}
