//! The rollouts, the form that makes one, and a rollout's own page.

use super::error::PageError;
use super::render;
use super::rollout_form::RolloutForm;
use crate::rollouts::{Change, CreateError, store};
use crate::state::AppState;
use crate::{deployments, releases};
use axum::extract::{Form, Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use minijinja::context;
use minijinja::value::Serde;

/// `GET /rollouts`
pub(super) async fn list(State(app): State<AppState>) -> Result<Response, PageError> {
    list_page(&app, StatusCode::OK, &RolloutForm::default(), None).await
}

async fn list_page(
    app: &AppState,
    status: StatusCode,
    form: &RolloutForm,
    failure: Option<&str>,
) -> Result<Response, PageError> {
    let rollouts = store::list(&app.pool, app.organisation).await?;
    let releases = releases::store::list(&app.pool, app.organisation).await?;
    let context = context! { rollouts => Serde(rollouts), releases => Serde(releases), form => Serde(form), failure };
    render::page(status, "rollouts.html", context)
}

/// `POST /rollouts`: makes a rollout and shows it, or the form again with what is wrong.
pub(super) async fn create(State(app): State<AppState>, Form(form): Form<RolloutForm>) -> Result<Response, PageError> {
    let created = match form.parse() {
        Ok(new) => app.rollouts.create(&new).await,
        Err(reason) => return list_page(&app, StatusCode::UNPROCESSABLE_ENTITY, &form, Some(&reason)).await,
    };
    match created {
        Ok(id) => Ok(Redirect::to(&format!("/rollouts/{id}")).into_response()),
        Err(CreateError::Database(error)) => Err(error.into()),
        Err(error) => list_page(&app, StatusCode::UNPROCESSABLE_ENTITY, &form, Some(&error.to_string())).await,
    }
}

/// `GET /rollouts/{id}`
pub(super) async fn show(State(app): State<AppState>, Path(id): Path<String>) -> Result<Response, PageError> {
    let id: i64 = id.parse().map_err(|_| PageError::NoSuchPage)?;
    let rollout = store::find(&app.pool, app.organisation, id).await?.ok_or(PageError::NoSuchPage)?;
    let deployments = deployments::store::of_rollout(&app.pool, id).await?;
    let log = store::log(&app.pool, id).await?;
    let context = context! { rollout => Serde(rollout), deployments => Serde(deployments), log => Serde(log) };
    render::page(StatusCode::OK, "rollout.html", context)
}

/// `POST /rollouts/{id}/{pause, resume, cancel, retry}`: does it where the state admits it, and shows the rollout, or
/// the new one.
pub(super) async fn change(
    State(app): State<AppState>,
    Path((id, action)): Path<(String, String)>,
) -> Result<Response, PageError> {
    let id: i64 = id.parse().map_err(|_| PageError::NoSuchPage)?;
    if action == "retry" {
        return retry(&app, id).await;
    }
    let change = match action.as_str() {
        "pause" => app.rollouts.pause(id).await?,
        "resume" => app.rollouts.resume(id).await?,
        "cancel" => app.rollouts.cancel(id).await?,
        _ => return Err(PageError::NoSuchPage),
    };
    match change {
        Change::Unknown => Err(PageError::NoSuchPage),
        // The state that does not admit it is on the page.
        Change::Done(_) | Change::Illegal(_) => Ok(Redirect::to(&format!("/rollouts/{id}")).into_response()),
    }
}

async fn retry(app: &AppState, id: i64) -> Result<Response, PageError> {
    match app.rollouts.retry(id).await {
        Ok(Some(new)) => Ok(Redirect::to(&format!("/rollouts/{new}")).into_response()),
        Ok(None) => Err(PageError::NoSuchPage),
        Err(CreateError::Database(error)) => Err(error.into()),
        // All of them run the release by now, or are gone: the form shows why there is nothing to roll out.
        Err(error) => {
            let (status, reason) = (StatusCode::UNPROCESSABLE_ENTITY, error.to_string());
            list_page(app, status, &RolloutForm::default(), Some(&reason)).await
        }
    }
}
