//! The device-facing API of updates: Eclipse hawkBit's Direct Device Integration v1, so that rauc-hawkbit-updater,
//! SWUpdate and our own agent work alike (<https://eclipse.dev/hawkbit/apis/ddi_api/>).
//!
//! A device asks its base resource again and again; links in the answer lead to what there is to do. It is whoever its
//! client certificate says, or its TargetToken, or its gateway by the tenant's GatewayToken. It can do nothing
//! but what concerns itself.

mod artifact;
mod auth;
mod base;
mod cancel;
mod confirmation;
mod deployment;
mod error;
mod message;
mod model;
pub(crate) mod store;

use crate::state::AppState;
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::{HeaderValue, header};
use axum::middleware::map_response;
use axum::response::Response;
use axum::routing::{get, post, put};

/// The longest body of a request.
const BODY_BYTES: usize = 128 * 1024;

/// All routes of DDI; served where [`crate::https::Peer`] is known.
pub fn router() -> Router<AppState> {
    let controller = Router::new()
        .route("/", get(base::show))
        .route("/configData", put(base::config_data))
        .route("/deploymentBase/{action}", get(deployment::show))
        .route("/deploymentBase/{action}/feedback", post(deployment::feedback))
        .route("/installedBase/{action}", get(deployment::installed))
        .route("/cancelAction/{action}", get(cancel::show))
        .route("/cancelAction/{action}/feedback", post(cancel::feedback))
        .route("/confirmationBase", get(confirmation::show))
        .route("/confirmationBase/activateAutoConfirm", post(confirmation::activate))
        .route("/confirmationBase/deactivateAutoConfirm", post(confirmation::deactivate))
        .route("/confirmationBase/{action}", get(confirmation::action))
        .route("/confirmationBase/{action}/feedback", post(confirmation::feedback))
        .route("/softwaremodules/{module}/artifacts", get(artifact::list))
        .route("/softwaremodules/{module}/artifacts/{file}", get(artifact::download))
        .layer(DefaultBodyLimit::max(BODY_BYTES));
    Router::new()
        .nest("/{tenant}/controller/v1/{controller}", controller)
        .fallback(error::no_such_path)
        .method_not_allowed_fallback(error::method_not_allowed)
        .layer(map_response(never_stored))
}

/// An answer is of the moment, and of one device.
async fn never_stored(mut response: Response) -> Response {
    response.headers_mut().entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}
