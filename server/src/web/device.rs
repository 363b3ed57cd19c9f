//! A device's own page, and the commands sent from it.

use super::command_form::{CommandForm, FieldErrors};
use super::error::PageError;
use super::render;
use crate::commands::{self, CommandRecord};
use crate::deployments::{self, DeploymentDetail};
use crate::registry;
use crate::state::AppState;
use crate::tags::{self, MAX_TAGS, Tag};
use axum::extract::{Form, Path, State};
use axum::http::header::{ACCEPT, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use microkernel_wire::DeviceId;
use minijinja::context;
use minijinja::value::Serde;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use serde_json::json;

/// Commands shown, the newest first.
const COMMANDS: usize = 20;
/// Updates shown, the newest first.
const UPDATES: usize = 5;

/// `GET /devices/{id}`
pub(super) async fn show(State(app): State<AppState>, Path(id): Path<String>) -> Result<Response, PageError> {
    page(&app, &id, StatusCode::OK, &Refused::default()).await
}

/// What was filled in and not taken, and why.
#[derive(Debug, Default)]
struct Refused {
    form: CommandForm,
    errors: FieldErrors,
    failure: Option<String>,
    tags: Option<(String, String)>,
}

async fn page(app: &AppState, id: &str, status: StatusCode, refused: &Refused) -> Result<Response, PageError> {
    let no_such_device = || PageError::NoSuchDevice(id.to_owned());
    let id: DeviceId = id.parse().map_err(|_| no_such_device())?;
    let device = registry::find(&app.pool, app.organisation, id.as_str()).await?.ok_or_else(no_such_device)?;
    let mut commands = commands::list(&app.pool, app.organisation, id.as_str()).await?.unwrap_or_default();
    commands.truncate(COMMANDS);
    let updates = updates(app, &id).await?;
    render::page(
        status,
        "device.html",
        context! {
            device => Serde(device), commands => Serde(commands), updates => Serde(updates),
            form => Serde(&refused.form), errors => Serde(&refused.errors), failure => refused.failure.as_deref(),
            tags_text => refused.tags.as_ref().map(|(text, _)| text.as_str()),
            tags_failure => refused.tags.as_ref().map(|(_, reason)| reason.as_str()),
        },
    )
}

/// The newest deployments with their timelines.
async fn updates(app: &AppState, id: &DeviceId) -> Result<Vec<DeploymentDetail>, PageError> {
    let Some(key) = registry::store::key(&app.pool, app.organisation, id.as_str()).await? else { return Ok(vec![]) };
    let mut updates = Vec::new();
    for deployment in deployments::store::of_device(&app.pool, key).await?.into_iter().take(UPDATES) {
        updates.extend(deployments::store::find(&app.pool, key, deployment.id).await?);
    }
    Ok(updates)
}

/// `POST /devices/{id}/commands`: sends what the form says. A script that asks for JSON gets the command object, or
/// problem+json with an `errors` member that names the fields; a browser without scripts gets the page again.
pub(super) async fn send_command(
    State(app): State<AppState>,
    Path(id): Path<String>,
    headers: HeaderMap,
    Form(form): Form<CommandForm>,
) -> Result<Response, PageError> {
    let wants_json = headers
        .get(ACCEPT)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|types| types.contains("application/json"));
    let result = send(&app, &id, &form).await;
    match result {
        Ok(command) if wants_json => Ok((StatusCode::ACCEPTED, axum::Json(command)).into_response()),
        Ok(_) => Ok(Redirect::to(&format!("/devices/{id}#commands-title")).into_response()),
        Err(refusal) if wants_json => Ok(refusal.into_problem()),
        Err(refusal) => {
            let Refusal { status, errors, failure } = refusal;
            page(&app, &id, status, &Refused { form, errors, failure, tags: None }).await
        }
    }
}

/// The tags as they are filled in.
#[derive(Debug, Deserialize)]
pub(super) struct TagsForm {
    tags: String,
}

/// `GET /devices/{id}/tags`: the device's page, for what is at this address after tags were refused.
pub(super) async fn without_tags(Path(id): Path<String>) -> Redirect {
    Redirect::to(&format!("/devices/{}", utf8_percent_encode(&id, NON_ALPHANUMERIC)))
}

/// `POST /devices/{id}/tags`: gives the device these tags, or shows the page with what is wrong.
pub(super) async fn set_tags(
    State(app): State<AppState>,
    Path(id): Path<String>,
    Form(TagsForm { tags: text }): Form<TagsForm>,
) -> Result<Response, PageError> {
    let key = match id.parse::<DeviceId>() {
        Ok(device) => registry::store::key(&app.pool, app.organisation, device.as_str()).await?,
        Err(_) => None,
    };
    let key = key.ok_or_else(|| PageError::NoSuchDevice(id.clone()))?;
    let tags: Result<Vec<Tag>, _> = text.split([' ', ',']).filter(|tag| !tag.is_empty()).map(str::parse).collect();
    let reason = match tags {
        Ok(tags) if tags.len() <= MAX_TAGS => {
            tags::store::set(&app.pool, key, &tags).await?;
            app.live.changed([id.clone()]);
            return Ok(Redirect::to(&format!("/devices/{id}")).into_response());
        }
        Ok(tags) => format!("These are {} tags: at most {MAX_TAGS} are kept.", tags.len()),
        Err(error) => error.to_string(),
    };
    page(&app, &id, StatusCode::UNPROCESSABLE_ENTITY, &Refused { tags: Some((text, reason)), ..Refused::default() })
        .await
}

async fn send(app: &AppState, id: &str, form: &CommandForm) -> Result<CommandRecord, Refusal> {
    let refusal =
        |status, failure: &str| Refusal { status, errors: FieldErrors::new(), failure: Some(failure.to_owned()) };
    let (command, payload) =
        form.parse().map_err(|errors| Refusal { status: StatusCode::UNPROCESSABLE_ENTITY, errors, failure: None })?;
    match app.commands.create(app.organisation, id, &command, &payload).await {
        Ok(Some(record)) => Ok(record),
        Ok(None) => Err(refusal(StatusCode::NOT_FOUND, "This server knows no such device.")),
        Err(error) => match PageError::from(error) {
            PageError::DatabaseAway => Err(refusal(
                StatusCode::SERVICE_UNAVAILABLE,
                "The server's database is away: the command was not sent. Try again in a moment.",
            )),
            other => {
                tracing::error!(device = id, cause = ?other, "a command could not be queued");
                Err(refusal(StatusCode::INTERNAL_SERVER_ERROR, "The command was not sent; the server's log says why."))
            }
        },
    }
}

/// Why a command was not sent.
struct Refusal {
    status: StatusCode,
    errors: FieldErrors,
    failure: Option<String>,
}

impl Refusal {
    fn into_problem(self) -> Response {
        let title = self.status.canonical_reason().unwrap_or("Error");
        let mut problem = json!({ "type": "about:blank", "title": title, "status": self.status.as_u16() });
        if !self.errors.is_empty() {
            problem["errors"] = json!(self.errors);
        }
        if let Some(detail) = self.failure {
            problem["detail"] = detail.into();
        }
        (self.status, [(CONTENT_TYPE, "application/problem+json")], problem.to_string()).into_response()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn html(device: serde_json::Value) -> String {
        let (commands, form, errors) = (Vec::<CommandRecord>::new(), CommandForm::default(), FieldErrors::new());
        let context = context! {
            device => Serde(device), commands => Serde(commands), form => Serde(form), errors => Serde(errors),
            failure => None::<&str>, tags_text => None::<&str>, tags_failure => None::<&str>, updates => Serde(Vec::<DeploymentDetail>::new()),
        };
        let html = render::text("device.html", context).unwrap();
        html.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    fn device() -> serde_json::Value {
        json!({
            "id": "device-001", "state": "online", "state_changed_at": "2026-01-01T00:00:00.000Z", "version": null,
            "slot": null, "last_seen_at": null, "created_at": "2026-01-01T00:00:00.000Z", "anomalies_24h": 0,
            "sensors": [], "rejected": 0, "tags": ["pilot"], "health": null, "health_at": null, "ledger": [], "rejections": [],
        })
    }

    #[test]
    fn a_device_that_has_said_nothing_yet_has_a_page() {
        let html = html(device());
        for text in
            ["sent no readings yet", "No health report yet", "No numbered readings yet", "not reported", ">pilot</a>"]
        {
            assert!(html.contains(text), "{text}: {html}");
        }
    }

    #[test]
    fn missing_readings_are_told_in_words() {
        let mut device = device();
        device["ledger"] = json!([{
            "boot_id": "0190b5e2-5b3c-7b1e-9d7e-000000000000", "received": 1042, "duplicates": 0, "late": 0, "missing": 4,
            "gaps": [[512, 514], [600, 600]],
        }]);
        assert!(html(device).contains("1,042 received, 4 missing</span>: 512–514, 600."));
    }

    #[test]
    fn a_service_that_is_not_well_says_why() {
        let mut device = device();
        device["health_at"] = json!("2026-01-01T00:00:00.000Z");
        device["health"] = json!({
            "memory": { "total_bytes": 1_073_741_824, "available_bytes": 268_435_456 },
            "services": { "sensor": { "state": "degraded", "detail": "Light: no answer from 1-0023 (ENXIO)" } },
        });
        let html = html(device);
        assert!(html.contains("no answer from 1-0023 (ENXIO)") && html.contains("75 %"), "{html}");
    }

    #[test]
    fn a_rejected_sample_is_text() {
        let mut device = device();
        device["rejections"] = json!([{
            "kind": "invalid", "count": 3, "last_reason": "value: expected a number", "last_at": "2026-01-01T00:00:00.000Z",
            "last_topic": "devices/device-001/telemetry", "last_sample": "<img src=x>",
        }]);
        assert!(html(device).contains("&lt;img src=x&gt;"));
    }
}
