//! What went wrong, as a page that says what to do next.

use super::render;
use crate::api::problem::Problem;
use axum::http::header::RETRY_AFTER;
use axum::http::{HeaderValue, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use minijinja::context;

/// Why a page can't be shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum PageError {
    /// There is no such device.
    NoSuchDevice(String),
    /// There is no such page.
    NoSuchPage,
    /// The database doesn't answer; it may be back in a moment.
    DatabaseAway,
    /// A defect of this server; the text is for its log, not for the page.
    Internal(String),
}

impl From<sqlx::Error> for PageError {
    fn from(error: sqlx::Error) -> Self {
        use sqlx::Error::{Io, PoolClosed, PoolTimedOut, Tls, WorkerCrashed};
        // SQLSTATE classes 57P (shutting down, starting up), 53 (out of resources) and 08 (connection lost).
        let refused = error
            .as_database_error()
            .and_then(|refusal| refusal.code())
            .is_some_and(|code| code.starts_with("57P") || code.starts_with("53") || code.starts_with("08"));
        match error {
            Io(_) | Tls(_) | PoolTimedOut | PoolClosed | WorkerCrashed => Self::DatabaseAway,
            _ if refused => Self::DatabaseAway,
            other => Self::Internal(format!("{:#}", anyhow::Error::new(other))),
        }
    }
}

impl IntoResponse for PageError {
    fn into_response(self) -> Response {
        let (status, title, text) = match &self {
            Self::NoSuchDevice(id) => (
                StatusCode::NOT_FOUND,
                "No such device",
                format!(
                    "No device with the id “{id}” has reported to this server yet. It appears with its first message."
                ),
            ),
            Self::NoSuchPage => (StatusCode::NOT_FOUND, "No such page", "There is nothing at this address.".to_owned()),
            Self::DatabaseAway => (
                StatusCode::SERVICE_UNAVAILABLE,
                "The database is away",
                "The server can't reach its database. Devices keep their readings and the broker keeps their messages \
                 until it is back; nothing is lost. This page tries again by itself."
                    .to_owned(),
            ),
            Self::Internal(cause) => {
                tracing::error!(%cause, "a page could not be shown");
                (
                    StatusCode::INTERNAL_SERVER_ERROR,
                    "The server made a mistake",
                    "The page could not be shown; the server's log says why. Readings are still being received."
                        .to_owned(),
                )
            }
        };
        let retry = status == StatusCode::SERVICE_UNAVAILABLE;
        let page =
            render::page(status, "error.html", context! { status => status.as_u16(), title, text => &text, retry });
        let mut response = page.unwrap_or_else(|_| (status, format!("{title}\n{text}\n")).into_response());
        if retry {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("5"));
        }
        response
    }
}

/// The fallback of the whole server.
pub(super) async fn not_found(uri: Uri) -> Response {
    if uri.path().starts_with("/api/") {
        let detail = format!("there is nothing at {}: begin at /api/v1/devices", uri.path());
        return Problem::new(StatusCode::NOT_FOUND, detail).into_response();
    }
    PageError::NoSuchPage.into_response()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    async fn body(response: Response) -> String {
        let bytes = axum::body::to_bytes(response.into_body(), 100_000).await.unwrap();
        String::from_utf8(bytes.to_vec()).unwrap()
    }

    #[tokio::test]
    async fn errors_are_pages_with_their_status() {
        let cases = [
            (PageError::NoSuchDevice("<b>".to_owned()), 404, "“&lt;b&gt;”"),
            (PageError::NoSuchPage, 404, "nothing at this address"),
            (PageError::DatabaseAway, 503, "tries again by itself"),
            (PageError::Internal("secret".to_owned()), 500, "the server&#x27;s log"),
        ];
        for (error, status, text) in cases {
            let response = error.clone().into_response();
            assert_eq!(response.status().as_u16(), status);
            let body = body(response).await;
            assert!(body.contains(text), "{error:?}: {body}");
            assert!(!body.contains("secret"), "{body}");
        }
    }

    #[tokio::test]
    async fn an_unknown_api_path_is_answered_as_the_api_does() {
        let response = not_found("/api/v1/nothing".parse().unwrap()).await;
        assert_eq!(response.status(), StatusCode::NOT_FOUND);
        assert_eq!(response.headers()["content-type"], "application/problem+json");
    }
}
