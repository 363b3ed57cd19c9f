//! `/healthz` and `/readyz`.

use crate::state::AppState;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;
use std::time::Duration;
use tokio::time::timeout;
use utoipa::ToSchema;

/// The database answers within this time, or is not ready.
const DATABASE: Duration = Duration::from_secs(2);

/// The process lives.
#[utoipa::path(get, path = "/healthz", tag = "server", responses((status = 200, description = "It lives", body = String)))]
pub(super) async fn healthz() -> &'static str {
    "ok\n"
}

/// What this server needs to do its work.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Readiness {
    database: &'static str,
    broker: &'static str,
}

/// Whether the database answers and the ingest is connected to the broker.
#[utoipa::path(get, path = "/readyz", tag = "server",
    responses(
        (status = 200, description = "It can do its work", body = Readiness),
        (status = 503, description = "It can't yet", body = Readiness),
    ))]
pub(super) async fn readyz(State(state): State<AppState>) -> (StatusCode, Json<Readiness>) {
    // Acquiring pings the connection.
    let database = matches!(timeout(DATABASE, state.pool.acquire()).await, Ok(Ok(_)));
    let broker = *state.broker.borrow();
    let status = if database && broker { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let word = |ready: bool, yes, no| if ready { yes } else { no };
    let readiness =
        Readiness { database: word(database, "ok", "unreachable"), broker: word(broker, "connected", "not connected") };
    (status, Json(readiness))
}
