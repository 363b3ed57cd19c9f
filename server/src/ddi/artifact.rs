//! A release's bundle for a device: whole or in parts (RFC 9110, sections 13 and 14), streamed from the storage.
//!
//! The name in a request is only compared with the one that the server has given the bundle: no path is ever made of it.

use super::auth::Controller;
use super::error::not_found;
use super::model::{Artifact, Hal};
use crate::api::problem::Problem;
use crate::deployments;
use crate::releases::{self, Release};
use crate::state::AppState;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use http_range_header::parse_range_header;
use std::ops::Range;

/// `GET …/softwaremodules/{module}/artifacts`
pub(super) async fn list(
    State(state): State<AppState>,
    controller: Controller,
    Path((_, _, module)): Path<(String, String, String)>,
) -> Result<Hal<Vec<Artifact>>, Problem> {
    let release = release(&state, &controller, &module).await?;
    Ok(Hal(vec![Artifact::new(&controller, &release)]))
}

/// `GET …/softwaremodules/{module}/artifacts/{file}`, and `{file}.MD5SUM`
pub(super) async fn download(
    State(state): State<AppState>,
    controller: Controller,
    Path((_, _, module, file)): Path<(String, String, String, String)>,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let release = release(&state, &controller, &module).await?;
    let name = release.file_name();
    if file == format!("{name}.MD5SUM") {
        return Ok(format!("{}  {name}", release.md5).into_response());
    }
    if file != name {
        return Err(not_found(&format!("artifact {file:?}")));
    }
    let size = u64::try_from(release.size_bytes).unwrap_or_default();
    let etag = format!("\"{}\"", release.sha256);
    match select(&headers, &etag, size) {
        Selection::NotModified => Ok((StatusCode::NOT_MODIFIED, common(&etag)).into_response()),
        Selection::Changed => {
            let detail = "the bundle is another one than If-Match names";
            Err(Problem::new(StatusCode::PRECONDITION_FAILED, detail))
        }
        Selection::OutOfRange => {
            let detail = format!("the bundle has {size} bytes, none of which is in the range");
            let mut response = Problem::new(StatusCode::RANGE_NOT_SATISFIABLE, detail).into_response();
            response.headers_mut().insert(header::CONTENT_RANGE, value(format!("bytes */{size}")));
            Ok(response)
        }
        Selection::Whole => send(&state, &controller, &release, &method, &etag, 0..size).await,
        Selection::Part(range) => {
            let mut response = send(&state, &controller, &release, &method, &etag, range.clone()).await?;
            *response.status_mut() = StatusCode::PARTIAL_CONTENT;
            let content_range = format!("bytes {}-{}/{size}", range.start, range.end - 1);
            response.headers_mut().insert(header::CONTENT_RANGE, value(content_range));
            Ok(response)
        }
    }
}

/// A release that this device is at, or has.
async fn release(state: &AppState, controller: &Controller, module: &str) -> Result<Release, Problem> {
    let unknown = || not_found(&format!("software module {module:?}"));
    let id: i64 = module.parse().map_err(|_| unknown())?;
    if !deployments::store::may_fetch(&state.pool, controller.device_key, id).await? {
        return Err(unknown());
    }
    releases::store::find(&state.pool, controller.organisation, id).await?.ok_or_else(unknown)
}

async fn send(
    state: &AppState,
    controller: &Controller,
    release: &Release,
    method: &Method,
    etag: &str,
    range: Range<u64>,
) -> Result<Response, Problem> {
    let length = range.end - range.start;
    let body = if method == Method::HEAD {
        Body::empty()
    } else {
        let begun = deployments::store::download_begins(&state.pool, controller.device_key, release.id).await?;
        if let Some(rollout_id) = begun {
            state.rollouts.deployment_changed(controller.id.as_str(), rollout_id);
        }
        state.bundles.read(release.key, range).await.map(releases::Content::into_body).map_err(|error| {
            tracing::error!("release {} can't be read: {error}", release.id);
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, "the bundle can't be read now: try again")
        })?
    };
    let mut response = (common(etag), body).into_response();
    response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    Ok(response)
}

/// The headers of every answer. A bundle never changes, so its device may keep it.
fn common(etag: &str) -> [(HeaderName, HeaderValue); 3] {
    [
        (header::ETAG, value(etag.to_owned())),
        (header::ACCEPT_RANGES, HeaderValue::from_static("bytes")),
        (header::CACHE_CONTROL, HeaderValue::from_static("private, max-age=31536000, immutable")),
    ]
}

fn value(text: String) -> HeaderValue {
    // Digits and what is between them.
    HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static(""))
}

/// What of a bundle is to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Selection {
    Whole,
    Part(Range<u64>),
    OutOfRange,
    NotModified,
    Changed,
}

/// Evaluates the conditions and the range, in the order of RFC 9110, section 13.2.2.
fn select(headers: &HeaderMap, etag: &str, size: u64) -> Selection {
    let text = |name: HeaderName| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    let lists = |list: &str| list.split(',').any(|one| matches!(one.trim(), "*") || one.trim() == etag);
    if text(header::IF_MATCH).is_some_and(|list| !lists(list)) {
        return Selection::Changed;
    }
    if text(header::IF_NONE_MATCH).is_some_and(|list| lists(&list.replace("W/", ""))) {
        return Selection::NotModified;
    }
    let Some(range) = text(header::RANGE) else { return Selection::Whole };
    // A date, or another bundle's tag: what the client has is of no use.
    if text(header::IF_RANGE).is_some_and(|tag| tag.trim() != etag) {
        return Selection::Whole;
    }
    // A range that is not understood, or of another unit, is ignored.
    let Ok(parsed) = parse_range_header(range) else { return Selection::Whole };
    match parsed.validate(size).as_deref() {
        Ok([range]) => Selection::Part(*range.start()..*range.end() + 1),
        // Several ranges may be answered by the whole (section 14.2).
        Ok(_) => Selection::Whole,
        Err(_) => Selection::OutOfRange,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn selected(headers: &[(&'static str, &'static str)]) -> Selection {
        let headers = headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
        select(&headers, "\"now\"", 1_000)
    }

    #[test]
    fn a_part_is_what_the_range_says() {
        for (range, part) in [
            ("bytes=0-0", 0..1),
            ("bytes=0-99", 0..100),
            ("bytes=900-", 900..1_000),
            ("bytes=900-5000", 900..1_000),
            ("bytes=-1", 999..1_000),
        ] {
            assert_eq!(selected(&[("range", range)]), Selection::Part(part), "{range}");
        }
        assert_eq!(selected(&[("range", "bytes=1000-")]), Selection::OutOfRange);
        for range in ["bytes=5-2", "lines=1-2", "bytes=", "bytes=a-b", "bytes=0-1,5-6"] {
            let selection = selected(&[("range", range)]);
            assert!(matches!(selection, Selection::Whole | Selection::OutOfRange), "{range}: {selection:?}");
        }
    }

    #[test]
    fn a_part_is_sent_only_of_the_bundle_the_client_has() {
        let range = ("range", "bytes=5-9");
        assert_eq!(selected(&[range, ("if-range", "\"now\"")]), Selection::Part(5..10));
        for other in ["\"old\"", "W/\"now\"", "Tue, 24 Nov 2026 12:00:00 GMT"] {
            assert_eq!(selected(&[range, ("if-range", other)]), Selection::Whole, "{other}");
        }
        assert_eq!(selected(&[range, ("if-match", "\"old\"")]), Selection::Changed);
        assert_eq!(selected(&[range, ("if-match", "\"old\", \"now\"")]), Selection::Part(5..10));
        assert_eq!(selected(&[("if-none-match", "W/\"now\"")]), Selection::NotModified);
    }
}
