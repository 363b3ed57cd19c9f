//! `/api/v1/devices/{id}/commands`.

use super::problem::Problem;
use crate::commands::{self, CommandRecord};
use crate::state::AppState;
use axum::Json;
use axum::extract::rejection::{JsonRejection, PathRejection};
use axum::extract::{Path, State};
use axum::http::StatusCode;
use microkernel_wire::{CommandName, DeviceId};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

/// What a client asks for.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewCommand {
    #[schema(value_type = String, examples("identify", "update"))]
    command: CommandName,
    #[serde(default)]
    payload: Value,
}

/// A device's newest commands.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Commands {
    commands: Vec<CommandRecord>,
}

/// A device's newest commands, the newest first.
#[utoipa::path(get, path = "/devices/{id}/commands", tag = "commands", params(("id" = String, Path, description = "The device's id")),
    responses((status = 200, description = "The commands", body = Commands)))]
pub(super) async fn list(
    State(state): State<AppState>,
    id: Result<Path<String>, PathRejection>,
) -> Result<Json<Commands>, Problem> {
    let device_id = device_id(id)?;
    let commands = commands::list(&state.pool, state.organisation, device_id.as_str()).await?;
    let commands = commands.ok_or_else(|| Problem::unknown_device(device_id.as_str()))?;
    Ok(Json(Commands { commands }))
}

/// One command of a device.
#[utoipa::path(get, path = "/devices/{id}/commands/{command_id}", tag = "commands",
    params(
        ("id" = String, Path, description = "The device's id"),
        ("command_id" = Uuid, Path, description = "The command's id"),
    ),
    responses((status = 200, description = "The command", body = CommandRecord)))]
pub(super) async fn find(
    State(state): State<AppState>,
    path: Result<Path<(String, String)>, PathRejection>,
) -> Result<Json<CommandRecord>, Problem> {
    let Path((device, text)) = path?;
    let device: DeviceId = device.parse().map_err(|_| Problem::unknown_device(&device))?;
    let id: Uuid = text.parse().map_err(|_| Problem::parameter("the command's id", &text, "a UUID"))?;
    let command = commands::find(&state.pool, state.organisation, device.as_str(), id).await?;
    let unknown = || Problem::new(StatusCode::NOT_FOUND, format!("there is no command {id} of a device {device}"));
    command.map(Json).ok_or_else(unknown)
}

/// Gives a device a command.
#[utoipa::path(post, path = "/devices/{id}/commands", tag = "commands", params(("id" = String, Path, description = "The device's id")),
    request_body = NewCommand,
    responses((status = 202, description = "It is on its way", body = CommandRecord)))]
pub(super) async fn create(
    State(state): State<AppState>,
    id: Result<Path<String>, PathRejection>,
    request: Result<Json<NewCommand>, JsonRejection>,
) -> Result<(StatusCode, Json<CommandRecord>), Problem> {
    let device_id = device_id(id)?;
    let Json(NewCommand { command, payload }) = request?;
    check(&command, &payload)?;
    let record = state.commands.create(state.organisation, device_id.as_str(), &command, &payload).await?;
    let record = record.ok_or_else(|| Problem::unknown_device(device_id.as_str()))?;
    Ok((StatusCode::ACCEPTED, Json(record)))
}

fn device_id(id: Result<Path<String>, PathRejection>) -> Result<DeviceId, Problem> {
    let Path(id) = id?;
    id.parse().map_err(|_| Problem::unknown_device(&id))
}

fn check(command: &CommandName, payload: &Value) -> Result<(), Problem> {
    if let CommandName::Unknown(name) = command {
        let known: Vec<&str> = CommandName::KNOWN.iter().map(CommandName::as_str).collect();
        return Err(Problem::parameter("command", name, &format!("one of {}", known.join(", "))));
    }
    if !payload.is_object() && !payload.is_null() {
        return Err(Problem::parameter("payload", &payload.to_string(), "an object, or nothing"));
    }
    if payload.to_string().contains("\\u0000") {
        return Err(Problem::parameter("payload", "…", "no text in it that holds the character NUL"));
    }
    Ok(())
}
