//! The base resource, where a device learns what there is to do, and configData, where it tells what it is.

use super::auth::Controller;
use super::message::{ConfigData, parse};
use super::model::{Hal, Link, Links};
use super::store;
use crate::api::problem::Problem;
use crate::deployments;
use crate::state::AppState;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;

/// How long a device waits before it asks again, `HH:MM:SS`. A connected one is told sooner, by its command topic.
const POLLING_SLEEP: &str = "00:05:00";
/// Attributes of a device.
const ATTRIBUTES: i64 = 100;

#[derive(Debug, Serialize)]
pub(super) struct Base {
    config: Config,
    #[serde(rename = "_links", skip_serializing_if = "Links::is_empty")]
    links: Links,
}

#[derive(Debug, Serialize)]
struct Config {
    polling: Polling,
}

#[derive(Debug, Serialize)]
struct Polling {
    sleep: &'static str,
}

/// `GET …/{controllerId}`
pub(super) async fn show(State(state): State<AppState>, controller: Controller) -> Result<Hal<Base>, Problem> {
    let wants_attributes = store::polled(&state.pool, controller.device_key).await?;
    let mut links = Links::new();
    let mut link = |relation, path: String| {
        links.insert(relation, Link { href: format!("{}/{path}", controller.base) });
    };
    if let Some(action) = deployments::store::in_flight(&state.pool, controller.device_key).await? {
        let id = action.id;
        if action.cancel_requested {
            link("cancelAction", format!("cancelAction/{id}"));
        } else if action.confirmed {
            link("deploymentBase", format!("deploymentBase/{id}"));
        } else {
            link("confirmationBase", format!("confirmationBase/{id}"));
        }
    }
    if let Some(id) = deployments::store::installed(&state.pool, controller.device_key).await? {
        link("installedBase", format!("installedBase/{id}"));
    }
    if wants_attributes {
        link("configData", "configData".to_owned());
    }
    Ok(Hal(Base { config: Config { polling: Polling { sleep: POLLING_SLEEP } }, links }))
}

/// `PUT …/configData`
pub(super) async fn config_data(
    State(state): State<AppState>,
    controller: Controller,
    body: Bytes,
) -> Result<StatusCode, Problem> {
    let message: ConfigData = parse(&body)?;
    let attributes = message.attributes()?;
    let mode = message.mode.unwrap_or_default();
    let fits = store::set_attributes(&state.pool, controller.device_key, mode, &attributes, ATTRIBUTES).await?;
    if !fits {
        let detail = format!("a device has at most {ATTRIBUTES} attributes: remove some, or use mode replace");
        return Err(Problem::new(StatusCode::FORBIDDEN, detail));
    }
    state.live.changed([controller.id.to_string()]);
    Ok(StatusCode::OK)
}
