//! Templates to responses.

use super::error::PageError;
use super::{assets, format};
use axum::http::StatusCode;
use axum::http::header::CACHE_CONTROL;
use axum::response::{Html, IntoResponse, Response};
use jiff::Timestamp;
use minijinja::{Environment, UndefinedBehavior, Value, context};
use rust_embed::RustEmbed;
use std::sync::LazyLock;

#[derive(RustEmbed)]
#[folder = "templates/"]
struct Templates;

static ENVIRONMENT: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut environment = Environment::new();
    // A misspelt name is an error, an absent field of an object is not: `{{ device.version or "-" }}`.
    environment.set_undefined_behavior(UndefinedBehavior::SemiStrict);
    environment.add_filter("thousands", format::thousands);
    environment.add_filter("reading", format::reading);
    environment.add_filter("bytes", format::bytes);
    environment.add_filter("duration", format::duration);
    environment.add_filter("utc", format::utc);
    environment.add_function("asset", |path: &str| Value::from_safe_string(assets::url(path)));
    environment.add_global("server_version", env!("CARGO_PKG_VERSION"));
    for name in Templates::iter() {
        let Some(file) = Templates::get(&name) else { continue };
        let source = String::from_utf8_lossy(&file.data).into_owned();
        if let Err(error) = environment.add_template_owned(name.to_string(), source) {
            // Only a defect of a template itself comes here, and the test below finds it.
            tracing::error!(template = %name, %error, "a template can't be read");
        }
    }
    environment
});

/// Renders the template `name`. Pages are never kept by a cache: they show the present.
///
/// # Errors
/// [`PageError::Internal`] when the template fails.
pub(super) fn page(status: StatusCode, name: &str, context: Value) -> Result<Response, PageError> {
    let html = text(name, context).map_err(|error| PageError::Internal(format!("{:#}", anyhow::Error::new(error))))?;
    Ok((status, [(CACHE_CONTROL, "no-store")], Html(html)).into_response())
}

/// Renders the template `name` to HTML.
///
/// # Errors
/// What is wrong with the template or missing from `context`.
pub(super) fn text(name: &str, context: Value) -> Result<String, minijinja::Error> {
    let page = context! { server_time_ms => Timestamp::now().as_millisecond(), ..context };
    ENVIRONMENT.get_template(name)?.render(page)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_template_is_read() {
        for name in Templates::iter() {
            assert!(ENVIRONMENT.get_template(&name).is_ok(), "{name}");
        }
    }
}
