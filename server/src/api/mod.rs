//! The REST API and the event stream. A handler parses, calls and renders.

mod all_deployments;
mod commands;
mod deployments;
mod devices;
mod events;
mod fleet_events;
pub mod guard;
mod parameters;
pub mod problem;
mod readiness;
mod releases;
mod rollout_events;
mod rollouts;
pub(crate) mod schema;
mod series;
mod tags;
mod telemetry;
mod tokens;

pub(crate) use all_deployments::{GivenDeployments, NewDeployments};
pub(crate) use deployments::{Deployments, NewDeployment};
pub(crate) use devices::Devices;
pub(crate) use releases::Releases;
pub(crate) use rollouts::Rollouts;
pub(crate) use tags::{TagChange, Tags};

use crate::state::AppState;
use axum::extract::DefaultBodyLimit;
use axum::http::{HeaderValue, header};
use axum::middleware::{from_fn, map_response};
use axum::response::Response;
use axum::routing::get;
use axum::{Json, Router};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The longest body of a request, except for a bundle's upload, which is streamed.
const BODY_BYTES: usize = 64 * 1024;

/// All routes of the API.
pub fn router() -> Router<AppState> {
    let (api, api_document) = api().split_for_parts();
    let api = api
        .fallback(problem::no_such_path)
        .method_not_allowed_fallback(problem::method_not_allowed)
        .layer(DefaultBodyLimit::max(BODY_BYTES))
        .layer(from_fn(guard::same_origin))
        .layer(map_response(never_stored));
    let (router, document) = probes().split_for_parts();
    let document = schema::complete(document.nest("/api/v1", api_document));
    router.nest("/api/v1", api).route("/api/openapi.json", get(async move || Json(document)))
}

/// What is below `/api/v1`, with its description: what is not described has no route.
fn api() -> OpenApiRouter<AppState> {
    OpenApiRouter::default()
        .routes(routes!(devices::list))
        .routes(routes!(devices::find))
        .routes(routes!(telemetry::history))
        .routes(routes!(series::series))
        .routes(routes!(commands::list, commands::create))
        .routes(routes!(commands::find))
        .routes(routes!(deployments::list, deployments::create))
        .routes(routes!(deployments::find))
        .routes(routes!(deployments::cancel))
        .routes(routes!(all_deployments::list_all, all_deployments::give))
        .routes(routes!(tags::set))
        .routes(routes!(tags::list))
        .routes(routes!(tags::change))
        .routes(routes!(tokens::new_target, tokens::remove_target))
        .routes(routes!(tokens::new_gateway, tokens::remove_gateway))
        .routes(routes!(releases::list, releases::upload))
        .routes(routes!(releases::find, releases::delete))
        .routes(routes!(rollouts::list, rollouts::create))
        .routes(routes!(rollouts::find))
        .routes(routes!(rollouts::change))
        .routes(routes!(rollouts::retry))
        .routes(routes!(events::stream))
}

/// For whoever supervises the server.
fn probes() -> OpenApiRouter<AppState> {
    OpenApiRouter::default().routes(routes!(readiness::healthz)).routes(routes!(readiness::readyz))
}

/// An answer is of the moment: no cache may keep it.
async fn never_stored(mut response: Response) -> Response {
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_route_is_described_and_every_description_has_a_route() {
        // axum tells what it routes only by its debug format: `RouteId(3): "/api/v1/devices"`.
        let shown = format!("{:?}", router());
        let quoted = shown.split("RouteId(").filter_map(|part| part.split_once("): \"")?.1.split_once('"'));
        // A fallback has routes of its own: what it is nested at, and all below.
        let is_own = |path: &&str| !path.contains("__private") && !matches!(*path, "/" | "/api/v1");
        let mut routes: BTreeSet<&str> = quoted.map(|(path, _)| path).filter(is_own).collect();
        let (_, document) = probes().split_for_parts();
        let (_, api_document) = api().split_for_parts();
        let document = document.nest("/api/v1", api_document);
        let described: BTreeSet<&str> = document.paths.paths.keys().map(String::as_str).collect();
        assert!(routes.remove("/api/openapi.json"), "{routes:?}");
        assert_eq!(routes, described);
        assert!(routes.len() > 15, "{routes:?}");
    }
}
