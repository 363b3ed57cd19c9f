//! The releases, and the form that uploads one.

use super::error::PageError;
use super::render;
use crate::releases;
use crate::state::AppState;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use minijinja::context;
use minijinja::value::Serde;

/// `GET /releases`
pub(super) async fn show(State(app): State<AppState>, headers: HeaderMap) -> Result<Response, PageError> {
    let releases = releases::store::list(&app.pool, app.organisation).await?;
    // For the command line that does the same; the guard has let the name through.
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or("localhost");
    render::page(StatusCode::OK, "releases.html", context! { releases => Serde(releases), host })
}
