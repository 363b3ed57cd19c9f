//! The dashboard: server-rendered pages that work without scripts, made live by small ES modules.
//!
//! Handlers parse the request, ask the registry, and render a template with the objects that the JSON API answers
//! with, so a page and the API can't disagree. Scripts never build a page: they patch values from the event stream
//! and otherwise fetch the same page again and merge it in (`render.rs`, `static/js/morph.js`).

mod assets;
mod command_form;
mod device;
mod error;
mod fleet;
mod fleet_query;
mod format;
mod guide;
mod releases;
mod render;
mod rollout_form;
mod rollouts;
mod security;

pub use guide::ConnectionGuide;

use crate::api::guard;
use crate::state::AppState;
use axum::Router;
use axum::middleware;
use axum::routing::{get, post};
use tower_http::compression::CompressionLayer;

/// The pages and their static files. Unknown paths get the 404 page (problem+json below `/api/`).
pub fn router() -> Router<AppState> {
    Router::new()
        .route("/", get(fleet::show))
        .route("/devices/{id}", get(device::show))
        .route("/devices/{id}/commands", post(device::send_command))
        .route("/devices/{id}/tags", get(device::without_tags).post(device::set_tags))
        .route("/releases", get(releases::show))
        .route("/rollouts", get(rollouts::list).post(rollouts::create))
        .route("/rollouts/{id}", get(rollouts::show))
        .route("/rollouts/{id}/{action}", post(rollouts::change))
        .route("/favicon.ico", get(assets::favicon))
        .route("/static/{version}/{*path}", get(assets::serve))
        .fallback(error::not_found)
        .layer(middleware::from_fn(guard::same_origin))
        .layer(CompressionLayer::new())
        .layer(middleware::map_response(security::add_headers))
}
