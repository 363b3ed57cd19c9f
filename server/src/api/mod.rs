//! The REST API and the event stream. A handler parses, calls and renders.

mod commands;
mod devices;
mod events;
mod fleet_events;
pub mod guard;
mod parameters;
pub mod problem;
mod readiness;
mod series;
mod telemetry;

use crate::state::AppState;
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::{HeaderValue, header};
use axum::middleware::{from_fn, map_response};
use axum::response::Response;
use axum::routing::get;

/// The longest body of a request.
const BODY_BYTES: usize = 64 * 1024;

/// All routes of the API.
pub fn router() -> Router<AppState> {
    let api = Router::new()
        .route("/devices", get(devices::list))
        .route("/devices/{id}", get(devices::find))
        .route("/devices/{id}/telemetry", get(telemetry::history))
        .route("/devices/{id}/series", get(series::series))
        .route("/devices/{id}/commands", get(commands::list).post(commands::create))
        .route("/devices/{id}/commands/{command_id}", get(commands::find))
        .route("/events", get(events::stream))
        .fallback(problem::no_such_path)
        .method_not_allowed_fallback(problem::method_not_allowed)
        .layer(DefaultBodyLimit::max(BODY_BYTES))
        .layer(from_fn(guard::same_origin))
        .layer(map_response(never_stored));
    Router::new()
        .nest("/api/v1", api)
        .route("/healthz", get(readiness::healthz))
        .route("/readyz", get(readiness::readyz))
}

/// An answer is of the moment: no cache may keep it.
async fn never_stored(mut response: Response) -> Response {
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
