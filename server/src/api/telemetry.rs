//! `/api/v1/devices/{id}/telemetry`.

use super::parameters::{Parameters, range};
use super::problem::Problem;
use crate::state::AppState;
use crate::telemetry::{self, StoredReading};
use axum::Json;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use microkernel_wire::DeviceId;
use serde::Serialize;
use utoipa::ToSchema;

/// Readings of a device.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct History {
    #[schema(value_type = String)]
    device_id: DeviceId,
    readings: Vec<StoredReading>,
}

/// A device's readings of a range: the newest `limit`, ascending by time.
#[utoipa::path(get, path = "/devices/{id}/telemetry", tag = "telemetry",
    params(
        ("id" = String, Path, description = "The device's id"),
        ("sensor" = Option<String>, Query, description = "One sensor's; all sensors' where absent"),
        ("from" = Option<String>, Query, description = "Measured at or after: Unix seconds or RFC 3339"),
        ("to" = Option<String>, Query, description = "Measured before: Unix seconds or RFC 3339"),
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 10_000, description = "At most so many; 1000 where absent"),
    ),
    responses((status = 200, description = "The readings", body = History)))]
pub(super) async fn history(
    State(state): State<AppState>,
    id: Result<Path<String>, PathRejection>,
    parameters: Result<Query<Parameters>, QueryRejection>,
) -> Result<Json<History>, Problem> {
    let Path(id) = id?;
    let device_id: DeviceId = id.parse().map_err(|_| Problem::unknown_device(&id))?;
    let Query(parameters) =
        parameters.map_err(|rejection| Problem::new(StatusCode::BAD_REQUEST, rejection.body_text()))?;
    let readings = telemetry::history(&state.pool, state.organisation, &device_id, &range(&parameters)?).await?;
    let readings = readings.ok_or_else(|| Problem::unknown_device(&id))?;
    Ok(Json(History { device_id, readings }))
}
