//! `/api/v1/tags`, and the tags of a device.

use super::devices::device_key;
use super::problem::Problem;
use crate::state::AppState;
use crate::tags::{MAX_TAGS, Tag, TagCount, store};
use axum::Json;
use axum::extract::rejection::{JsonRejection, PathRejection};
use axum::extract::{Path, State};
use axum::http::StatusCode;
use microkernel_wire::DeviceId;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// All tags.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct Tags {
    pub(crate) tags: Vec<TagCount>,
}

/// The tags of one device.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct DeviceTags {
    /// At most 32.
    pub(crate) tags: Vec<Tag>,
}

/// The devices that get a tag, and those that lose it.
#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TagChange {
    #[serde(default)]
    #[schema(value_type = Vec<String>)]
    pub(crate) add: Vec<DeviceId>,
    #[serde(default)]
    #[schema(value_type = Vec<String>)]
    pub(crate) remove: Vec<DeviceId>,
}

/// All tags that a device has, by name.
#[utoipa::path(get, path = "/tags", tag = "tags", responses((status = 200, description = "The tags", body = Tags)))]
pub(super) async fn list(State(state): State<AppState>) -> Result<Json<Tags>, Problem> {
    Ok(Json(Tags { tags: store::list(&state.pool, state.organisation).await? }))
}

/// Gives a device exactly these tags.
#[utoipa::path(put, path = "/devices/{id}/tags", tag = "tags",
    params(("id" = String, Path, description = "The device's id")),
    request_body = DeviceTags,
    responses((status = 200, description = "Its tags from now on", body = DeviceTags)))]
pub(super) async fn set(
    State(state): State<AppState>,
    id: Result<Path<String>, PathRejection>,
    request: Result<Json<DeviceTags>, JsonRejection>,
) -> Result<Json<DeviceTags>, Problem> {
    let Path(id) = id?;
    let Json(DeviceTags { mut tags }) = request?;
    tags.sort_unstable();
    tags.dedup();
    if tags.len() > MAX_TAGS {
        let detail = format!("tags: {} are given, expected at most {MAX_TAGS}", tags.len());
        return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, detail));
    }
    let key = device_key(&state, &id).await?;
    store::set(&state.pool, key, &tags).await?;
    state.live.changed([id]);
    Ok(Json(DeviceTags { tags }))
}

/// Gives a tag to devices, and takes it from others: all of it or nothing.
#[utoipa::path(post, path = "/tags/{tag}", tag = "tags",
    params(("tag" = String, Path, description = "The tag")),
    request_body = TagChange,
    responses((status = 200, description = "All tags afterwards", body = Tags)))]
pub(super) async fn change(
    State(state): State<AppState>,
    tag: Result<Path<String>, PathRejection>,
    request: Result<Json<TagChange>, JsonRejection>,
) -> Result<Json<Tags>, Problem> {
    let Path(tag) = tag?;
    let tag: Tag = tag.parse().map_err(|error| Problem::new(StatusCode::BAD_REQUEST, format!("{error}")))?;
    let Json(TagChange { add, remove }) = request?;
    let text = |ids: Vec<DeviceId>| ids.iter().map(ToString::to_string).collect::<Vec<String>>();
    let (add, remove) = (text(add), text(remove));
    let mut transaction = state.pool.begin().await?;
    let unknown = store::change(&mut transaction, state.organisation, &tag, &add, &remove).await?;
    if let Some(first) = unknown.first() {
        return Err(Problem::unknown_device(first));
    }
    transaction.commit().await?;
    state.live.changed(add.into_iter().chain(remove));
    list(State(state)).await
}
