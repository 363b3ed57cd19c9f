//! Static files, from the binary.
//!
//! All files share one version, a digest over their contents, that is a folder of their URL
//! (`/static/{version}/js/fleet.js`). So ES modules import one another by relative path and a browser may keep
//! everything forever. A debug build reads the folder anew at each request and therefore lets nothing be kept.

use axum::extract::Path;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use rust_embed::RustEmbed;
use std::fmt::Write as _;
use std::hash::{DefaultHasher, Hasher};
use std::sync::LazyLock;

#[derive(RustEmbed)]
#[folder = "static/"]
struct Static;

/// The digest over all static files: 16 hexadecimal digits.
static VERSION: LazyLock<String> = LazyLock::new(|| {
    let mut paths: Vec<_> = Static::iter().collect();
    paths.sort();
    let mut hasher = DefaultHasher::new();
    for path in paths {
        hasher.write(path.as_bytes());
        if let Some(file) = Static::get(&path) {
            hasher.write(&file.metadata.sha256_hash());
        }
    }
    format!("{:016x}", hasher.finish())
});

/// The URL of a static file, for templates.
pub(super) fn url(path: &str) -> String {
    format!("/static/{}/{path}", *VERSION)
}

/// `GET /static/{version}/{path}`. A page of another version (two servers during an upgrade) gets this version's
/// file, but may not keep it.
pub(super) async fn serve(Path((version, path)): Path<(String, String)>, headers: HeaderMap) -> Response {
    let Some(file) = Static::get(&path) else {
        return (StatusCode::NOT_FOUND, "no such file\n").into_response();
    };
    // Weak, because the same file is also sent compressed.
    let etag = format!("W/\"{}\"", hex(&file.metadata.sha256_hash()[..12]));
    let may_keep = version == *VERSION && !cfg!(debug_assertions);
    let caching = if may_keep { "public, max-age=31536000, immutable" } else { "no-cache" };
    let known = headers.get(IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    if known.is_some_and(|tags| tags.split(',').any(|tag| tag.trim() == etag)) {
        return (StatusCode::NOT_MODIFIED, [(ETAG, etag), (CACHE_CONTROL, caching.to_owned())]).into_response();
    }
    let media_type = match file.metadata.mimetype() {
        text if text.starts_with("text/") => format!("{text}; charset=utf-8"),
        other => other.to_owned(),
    };
    let head = [(CONTENT_TYPE, media_type), (CACHE_CONTROL, caching.to_owned()), (ETAG, etag)];
    (head, file.data.into_owned()).into_response()
}

/// `GET /favicon.ico`, which browsers ask for whatever a page names.
pub(super) async fn favicon() -> Redirect {
    Redirect::temporary(&url("icon.svg"))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    async fn get(version: &str, path: &str, etag: Option<&str>) -> Response {
        let mut headers = HeaderMap::new();
        if let Some(etag) = etag {
            headers.insert(IF_NONE_MATCH, etag.parse().unwrap());
        }
        serve(Path((version.to_owned(), path.to_owned())), headers).await
    }

    #[tokio::test]
    async fn a_file_has_its_media_type_and_is_not_sent_twice() {
        let first = get(&VERSION, "js/time.js", None).await;
        assert_eq!(first.status(), StatusCode::OK);
        assert_eq!(first.headers()[CONTENT_TYPE], "text/javascript; charset=utf-8");
        let etag = first.headers()[ETAG].to_str().unwrap().to_owned();
        let again = get(&VERSION, "js/time.js", Some(&format!("\"other\", {etag}"))).await;
        assert_eq!(again.status(), StatusCode::NOT_MODIFIED);
    }

    #[tokio::test]
    async fn another_version_is_answered_but_not_kept() {
        let response = get("0000000000000000", "css/app.css", None).await;
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()[CACHE_CONTROL], "no-cache");
    }

    #[tokio::test]
    async fn what_is_not_there_is_not_found() {
        assert_eq!(get(&VERSION, "js/nothing.js", None).await.status(), StatusCode::NOT_FOUND);
        assert_eq!(get(&VERSION, "../Cargo.toml", None).await.status(), StatusCode::NOT_FOUND);
    }
}
