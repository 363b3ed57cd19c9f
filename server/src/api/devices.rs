//! `/api/v1/devices`.

use super::problem::Problem;
use crate::registry::{self, Device, DeviceDetail};
use crate::state::AppState;
use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use microkernel_wire::DeviceId;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The fleet.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct Devices {
    pub(crate) devices: Vec<Device>,
}

/// All devices.
#[utoipa::path(get, path = "/devices", tag = "devices", responses((status = 200, description = "The fleet", body = Devices)))]
pub(super) async fn list(State(state): State<AppState>) -> Result<Json<Devices>, Problem> {
    let devices = registry::list(&state.pool, state.organisation, None).await?;
    Ok(Json(Devices { devices }))
}

/// One device with its details.
#[utoipa::path(get, path = "/devices/{id}", tag = "devices", params(("id" = String, Path, description = "The device's id")),
    responses((status = 200, description = "The device", body = DeviceDetail)))]
pub(super) async fn find(
    State(state): State<AppState>,
    id: Result<Path<String>, PathRejection>,
) -> Result<Json<DeviceDetail>, Problem> {
    let Path(id) = id?;
    // A text that is no device id is no device's id; the database would stumble over some.
    let valid = id.parse::<DeviceId>().is_ok();
    let device = if valid { registry::find(&state.pool, state.organisation, &id).await? } else { None };
    device.map(Json).ok_or_else(|| Problem::unknown_device(&id))
}

/// The key of a device.
///
/// # Errors
/// There is none of that id, or the database does not answer.
pub(super) async fn device_key(state: &AppState, id: &str) -> Result<i32, Problem> {
    let unknown = || Problem::unknown_device(id);
    let valid: DeviceId = id.parse().map_err(|_| unknown())?;
    registry::store::key(&state.pool, state.organisation, valid.as_str()).await?.ok_or_else(unknown)
}
