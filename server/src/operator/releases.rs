//! `releases`.

use super::show::{facts, or_dash, show, table, time};
use crate::cli::{ReleasesAction, ServerArguments};
use crate::client::Client;
use crate::releases::Release;
use anyhow::Context as _;
use futures_util::StreamExt as _;
use indicatif::{HumanBytes, ProgressBar, ProgressStyle};
use reqwest::Body;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;
use tokio_util::io::ReaderStream;

/// How much is read from disk at once.
const BLOCK_BYTES: usize = 256 * 1024;
/// A progress bar moves this often while nothing is sent.
const TICK: Duration = Duration::from_millis(200);

pub(super) async fn run(client: &Client, server: &ServerArguments, action: ReleasesAction) -> anyhow::Result<ExitCode> {
    match action {
        ReleasesAction::Upload { file } => {
            let (is_new, release) = upload(client, &file).await?;
            if !is_new {
                eprintln!("this bundle was here already");
            }
            show(server.output, &release, details)?;
        }
        ReleasesAction::List => show(server.output, &client.releases().await?, |releases| list(releases))?,
        ReleasesAction::Show { id } => show(server.output, &client.release(id).await?, details)?,
        ReleasesAction::Delete { id } => {
            client.delete_release(id).await?;
            eprintln!("release {id} is deleted");
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn upload(client: &Client, path: &Path) -> anyhow::Result<(bool, Release)> {
    let file = tokio::fs::File::open(path).await.with_context(|| format!("{} can't be read", path.display()))?;
    let size = file.metadata().await?.len();
    // Drawn on a terminal only.
    let style = "{msg} {bar:30} {percent:>3} %  {bytes} of {total_bytes}  {bytes_per_sec}  {eta} left";
    let bar = ProgressBar::new(size).with_style(ProgressStyle::with_template(style)?).with_message("sending");
    bar.enable_steady_tick(TICK);
    let sent = bar.clone();
    let blocks = ReaderStream::with_capacity(file, BLOCK_BYTES).inspect(move |block| {
        sent.inc(block.as_ref().map_or(0, |block| block.len() as u64));
        if sent.position() == size {
            sent.set_message("verifying");
        }
    });
    let uploaded = client.upload(size, Body::wrap_stream(blocks)).await;
    bar.finish_and_clear();
    uploaded.with_context(|| format!("{} was not taken", path.display()))
}

fn list(releases: &[Release]) -> String {
    let row = |release: &Release| {
        [
            release.id.to_string(),
            release.version.clone(),
            release.compatible.clone(),
            HumanBytes(release.size_bytes.unsigned_abs()).to_string(),
            release.signer.clone(),
            time(release.created_at),
        ]
    };
    let header = ["id", "version", "for", "size", "signed by", "uploaded"];
    table(header, releases.iter().map(row), "No releases yet: upload a signed bundle.")
}

fn details(release: &Release) -> String {
    let contents: Vec<&str> =
        release.images.iter().map(|image| image.artifact.as_deref().unwrap_or(&image.name)).collect();
    facts(&[
        ("release", release.id.to_string()),
        ("version", release.version.clone()),
        ("build", or_dash(release.build.as_deref())),
        ("description", or_dash(release.description.as_deref())),
        ("for", release.compatible.clone()),
        ("contents", contents.join(", ")),
        ("format", release.format.clone()),
        ("signed by", release.signer.clone()),
        ("size", HumanBytes(release.size_bytes.unsigned_abs()).to_string()),
        ("sha256", release.sha256.clone()),
        ("uploaded", time(release.created_at)),
    ])
}
