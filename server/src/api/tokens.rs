//! Tokens by which devices without a client certificate ask for updates: shown once, kept as hashes.

use super::problem::Problem;
use crate::ddi::store;
use crate::state::AppState;
use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use microkernel_wire::DeviceId;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

/// A new token; it is not shown again.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Token {
    token: String,
}

/// Gives a device a token of its own, in place of any before.
#[utoipa::path(post, path = "/devices/{id}/target-token", tag = "tokens", params(("id" = String, Path, description = "The device's id")),
    responses((status = 201, description = "The new token", body = Token)))]
pub(super) async fn new_target(
    State(state): State<AppState>,
    id: Result<Path<String>, PathRejection>,
) -> Result<(StatusCode, Json<Token>), Problem> {
    let token = random();
    set_target(&state, id, Some(&token)).await?;
    Ok((StatusCode::CREATED, Json(Token { token })))
}

/// Takes a device's token away.
#[utoipa::path(delete, path = "/devices/{id}/target-token", tag = "tokens", params(("id" = String, Path, description = "The device's id")),
    responses((status = 204, description = "It has none any more")))]
pub(super) async fn remove_target(
    State(state): State<AppState>,
    id: Result<Path<String>, PathRejection>,
) -> Result<StatusCode, Problem> {
    set_target(&state, id, None).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Gives the organisation's gateways a token, in place of any before.
#[utoipa::path(post, path = "/gateway-token", tag = "tokens",
    responses((status = 201, description = "The new token", body = Token)))]
pub(super) async fn new_gateway(State(state): State<AppState>) -> Result<(StatusCode, Json<Token>), Problem> {
    let token = random();
    store::set_gateway_token(&state.pool, state.organisation, Some(&token)).await?;
    Ok((StatusCode::CREATED, Json(Token { token })))
}

/// Takes the gateways' token away.
#[utoipa::path(delete, path = "/gateway-token", tag = "tokens",
    responses((status = 204, description = "There is none any more")))]
pub(super) async fn remove_gateway(State(state): State<AppState>) -> Result<StatusCode, Problem> {
    store::set_gateway_token(&state.pool, state.organisation, None).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn set_target(
    state: &AppState,
    id: Result<Path<String>, PathRejection>,
    token: Option<&str>,
) -> Result<(), Problem> {
    let Path(text) = id?;
    let id: DeviceId = text.parse().map_err(|_| Problem::unknown_device(&text))?;
    let known = store::set_target_token(&state.pool, state.organisation, &id, token).await?;
    if known { Ok(()) } else { Err(Problem::unknown_device(&text)) }
}

/// 244 random bits.
fn random() -> String {
    format!("{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple())
}
