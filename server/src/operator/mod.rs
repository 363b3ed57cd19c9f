//! What an operator does from a command line, through the REST API of a server that runs.

mod deployments;
mod devices;
mod releases;
mod rollouts;
mod show;
mod watch;

use crate::cli::{DeploymentsArguments, DevicesArguments, ReleasesArguments, RolloutsArguments, ServerArguments};
use crate::client::Client;
use crate::config::{DEFAULT_HTTP_PORT, data_dir};
use crate::endpoints::Endpoints;
use crate::releases::Release;
use anyhow::{Context as _, bail};
use std::process::ExitCode;

/// The exit code when the rollout that is watched has halted or was cancelled.
const NOT_FINISHED: u8 = 3;

/// Does what `releases` was asked for.
///
/// # Errors
/// What the server refuses, or that it can't be reached.
pub fn releases(arguments: ReleasesArguments) -> anyhow::Result<ExitCode> {
    on_server(&arguments.server, async |client| releases::run(client, &arguments.server, arguments.action).await)
}

/// Does what `rollouts` was asked for.
///
/// # Errors
/// As [`releases`].
pub fn rollouts(arguments: RolloutsArguments) -> anyhow::Result<ExitCode> {
    on_server(&arguments.server, async |client| rollouts::run(client, &arguments.server, arguments.action).await)
}

/// Does what `deployments` was asked for.
///
/// # Errors
/// As [`releases`].
pub fn deployments(arguments: DeploymentsArguments) -> anyhow::Result<ExitCode> {
    on_server(&arguments.server, async |client| deployments::run(client, &arguments.server, arguments.action).await)
}

/// Does what `devices` was asked for.
///
/// # Errors
/// As [`releases`].
pub fn devices(arguments: DevicesArguments) -> anyhow::Result<ExitCode> {
    on_server(&arguments.server, async |client| devices::run(client, &arguments.server, arguments.action).await)
}

fn on_server(
    arguments: &ServerArguments,
    operation: impl AsyncFnOnce(&Client) -> anyhow::Result<ExitCode>,
) -> anyhow::Result<ExitCode> {
    let client = Client::new(&server_url(arguments))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(operation(&client))
}

/// As asked for, else where the server of the data folder is, else where one is by default.
fn server_url(arguments: &ServerArguments) -> String {
    if let Some(url) = &arguments.server {
        return url.clone();
    }
    let running = data_dir(&arguments.data).ok().and_then(|dir| Endpoints::read(&dir).ok());
    running.map_or_else(|| format!("http://127.0.0.1:{DEFAULT_HTTP_PORT}"), |endpoints| endpoints.http)
}

/// The release that a text names: by its id, or by its version.
async fn find_release(client: &Client, text: &str) -> anyhow::Result<Release> {
    let releases = client.releases().await?;
    let known: Vec<String> = releases.iter().map(|release| release.version.clone()).collect();
    let mut fitting = releases.into_iter().filter(|release| release.id.to_string() == text || release.version == text);
    let first = fitting.next().with_context(|| {
        let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
        format!("there is no release {text:?} (there are: {known}); upload it first")
    })?;
    if let Some(second) = fitting.next() {
        bail!(
            "releases {} (for {}) and {} (for {}) are both {text:?}: name one by its id",
            first.id,
            first.compatible,
            second.id,
            second.compatible
        );
    }
    Ok(first)
}
