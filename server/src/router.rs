//! All routes of the server: the API's and the pages'.

use crate::state::AppState;
use crate::web::ConnectionGuide;
use crate::{api, web};
use axum::{Extension, Router};
use tower_http::trace::TraceLayer;

/// The routes; `guide` is what a newcomer without devices is shown.
pub fn router(state: AppState, guide: ConnectionGuide) -> Router {
    Router::new()
        .merge(api::router())
        .merge(web::router())
        .layer(Extension(guide))
        .layer(TraceLayer::new_for_http())
        .with_state(state)
}
