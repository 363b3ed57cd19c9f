//! Assembles the server: database, migrations, broker, ingest, HTTP; and takes it down in reverse.

use crate::cli::ServeArguments;
use crate::config::Settings;
use anyhow::Context as _;
use tokio_util::sync::CancellationToken;

/// Serves until SIGTERM or SIGINT.
///
/// # Errors
/// What failed, its input and the remedy.
pub fn serve(arguments: ServeArguments) -> anyhow::Result<()> {
    let settings = Settings::from_arguments(arguments)?;
    tokio::runtime::Runtime::new()
        .context("the runtime could not be started")?
        .block_on(run(settings, CancellationToken::new()))
}

/// Serves until `shutdown` is cancelled.
///
/// # Errors
/// What failed, its input and the remedy.
pub async fn run(_settings: Settings, _shutdown: CancellationToken) -> anyhow::Result<()> {
    anyhow::bail!("not built yet")
}
