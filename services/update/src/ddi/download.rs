//! Downloads a bundle into a file, and goes on where it was broken off.

use super::{Client, error::causes};
use crate::machine::Artifact;
use futures_util::StreamExt;
use reqwest::{
    Response, StatusCode, Url,
    header::{CONTENT_RANGE, RANGE},
};
use sha2::{Digest, Sha256};
use std::{
    io::{self, Read, Seek, SeekFrom},
    path::PathBuf,
};
use tokio::{
    fs::{self, File},
    io::{AsyncSeekExt, AsyncWriteExt},
    sync::watch,
    task::spawn_blocking,
};

/// Where one bundle is downloaded to.
#[derive(Debug, Clone)]
pub struct Download {
    dir: PathBuf,
}

/// Why a download ended without its bundle.
#[derive(Debug, thiserror::Error)]
pub enum DownloadError {
    /// The link is none.
    #[error("download {link:?}: not a URL: {problem}")]
    Link {
        /// The link.
        link: String,
        /// What is wrong with it.
        problem: String,
    },
    /// No connection, or it broke off. What came is kept.
    #[error("download {url}: {problem}")]
    Interrupted {
        /// From where.
        url: Url,
        /// What happened.
        problem: String,
    },
    /// The server answered with an error.
    #[error("download {url}: the server answered {status}")]
    Status {
        /// From where.
        url: Url,
        /// The answer.
        status: StatusCode,
    },
    /// It is not the file that was announced.
    #[error("download {url}: expected {expected}, found {found}")]
    Mismatch {
        /// From where.
        url: Url,
        /// The announced size or hash.
        expected: String,
        /// The one that came.
        found: String,
    },
    /// It can't be stored.
    #[error("store the bundle as {}: {source}", path.display())]
    Store {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl DownloadError {
    /// Whether trying again is pointless.
    pub fn is_final(&self) -> bool {
        match self {
            Self::Link { .. } => true,
            Self::Store { source, .. } => {
                matches!(source.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
            }
            Self::Interrupted { .. } | Self::Status { .. } | Self::Mismatch { .. } => false,
        }
    }
}

impl Download {
    /// Downloads into this folder.
    pub fn into_dir(dir: PathBuf) -> Self {
        Self { dir }
    }

    /// Where the bundle of an artifact is, once it is downloaded.
    pub fn path(&self, artifact: &Artifact) -> PathBuf {
        let name = artifact.sha256.clone().unwrap_or_else(|| hex(&Sha256::digest(&artifact.url)));
        // What a server calls a hash may be anything.
        let name: String = name.chars().filter(char::is_ascii_alphanumeric).take(64).collect();
        self.dir.join(format!("{name}.raucb"))
    }

    /// Downloads what is missing, and checks the whole. `progress` is in percent.
    ///
    /// # Errors
    /// When it is not all there, or not what was announced; then the next call starts where this one ended, or anew.
    pub async fn fetch(
        &self,
        client: &Client,
        artifact: &Artifact,
        progress: &watch::Sender<u32>,
    ) -> Result<(), DownloadError> {
        let url = Url::parse(&artifact.url)
            .map_err(|error| DownloadError::Link { link: artifact.url.clone(), problem: error.to_string() })?;
        let path = self.path(artifact);
        let store = |source| DownloadError::Store { path: path.clone(), source };
        fs::create_dir_all(&self.dir).await.map_err(store)?;
        let options = File::options().create(true).truncate(false).read(true).write(true).clone();
        let mut file = options.open(&path).await.map_err(store)?;
        let have = file.seek(SeekFrom::End(0)).await.map_err(store)?;
        if artifact.size_bytes != Some(have) {
            let response = request(client, &url, have).await?;
            self.receive(&url, response, &mut file, artifact.size_bytes, progress).await.map_err(
                |error| match error {
                    Broken::Download(error) => error,
                    Broken::Store(source) => store(source),
                },
            )?;
            file.sync_all().await.map_err(store)?;
        }
        let (file, expected) = (file.into_std().await, artifact.clone());
        let checked = spawn_blocking(move || check(file, &expected)).await.map_err(|error| store(error.into()))?;
        match checked.map_err(store)? {
            Ok(()) => Ok(()),
            Err((expected, found)) => {
                fs::remove_file(&path).await.map_err(store)?;
                Err(DownloadError::Mismatch { url, expected, found })
            }
        }
    }

    async fn receive(
        &self,
        url: &Url,
        response: Response,
        file: &mut File,
        size_bytes: Option<u64>,
        progress: &watch::Sender<u32>,
    ) -> Result<(), Broken> {
        // A server that does not know ranges sends everything.
        let start = if response.status() == StatusCode::PARTIAL_CONTENT { range_start(&response) } else { Some(0) };
        let have = file.metadata().await?.len();
        let Some(start) = start.filter(|start| *start <= have) else {
            let problem = "expected the rest of the file, found another part of it".to_owned();
            return Err(DownloadError::Interrupted { url: url.clone(), problem }.into());
        };
        file.set_len(start).await?;
        let mut have = file.seek(SeekFrom::Start(start)).await?;
        let limit = size_bytes.unwrap_or(u64::MAX);
        let mut stream = response.bytes_stream();
        while let Some(part) = stream.next().await {
            let part = match part {
                Ok(part) => part,
                Err(error) => {
                    // What came is kept for the next attempt.
                    file.flush().await?;
                    let problem = causes(&error.without_url());
                    return Err(DownloadError::Interrupted { url: url.clone(), problem }.into());
                }
            };
            file.write_all(&part).await?;
            have += part.len() as u64;
            if have > limit {
                file.set_len(0).await?;
                let (expected, found) = (format!("{limit} bytes"), "more".to_owned());
                return Err(DownloadError::Mismatch { url: url.clone(), expected, found }.into());
            }
            if let Some(percent) = (have * 100).checked_div(limit) {
                progress.send_replace(u32::try_from(percent).unwrap_or(100));
            }
        }
        file.flush().await?;
        Ok(())
    }

    /// Deletes what was downloaded.
    ///
    /// # Errors
    /// When it can't be deleted.
    pub fn discard(&self) -> io::Result<()> {
        match std::fs::remove_dir_all(&self.dir) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

enum Broken {
    Download(DownloadError),
    Store(io::Error),
}

impl From<DownloadError> for Broken {
    fn from(error: DownloadError) -> Self {
        Self::Download(error)
    }
}

impl From<io::Error> for Broken {
    fn from(error: io::Error) -> Self {
        Self::Store(error)
    }
}

async fn request(client: &Client, url: &Url, have: u64) -> Result<Response, DownloadError> {
    let mut request = client.downloads.get(url.clone()).headers(client.headers_for(url));
    if have > 0 {
        request = request.header(RANGE, format!("bytes={have}-"));
    }
    let response = request
        .send()
        .await
        .map_err(|error| DownloadError::Interrupted { url: url.clone(), problem: causes(&error.without_url()) })?;
    match response.status() {
        status if status.is_success() => Ok(response),
        // It is shorter than what is here already: the check will say so, and the next attempt starts anew.
        StatusCode::RANGE_NOT_SATISFIABLE if have > 0 => Box::pin(request_whole(client, url)).await,
        status => Err(DownloadError::Status { url: url.clone(), status }),
    }
}

async fn request_whole(client: &Client, url: &Url) -> Result<Response, DownloadError> {
    request(client, url, 0).await
}

/// The first byte of `Content-Range: bytes 100-199/200`.
fn range_start(response: &Response) -> Option<u64> {
    let range = response.headers().get(CONTENT_RANGE)?.to_str().ok()?;
    range.strip_prefix("bytes ")?.split_once('-')?.0.parse().ok()
}

/// Whether it is the announced file; otherwise what was expected, and found.
fn check(mut file: std::fs::File, artifact: &Artifact) -> io::Result<Result<(), (String, String)>> {
    let size = file.metadata()?.len();
    if let Some(expected) = artifact.size_bytes.filter(|expected| *expected != size) {
        return Ok(Err((format!("{expected} bytes"), format!("{size} bytes"))));
    }
    let Some(expected) = &artifact.sha256 else { return Ok(Ok(())) };
    file.seek(SeekFrom::Start(0))?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        match file.read(&mut buffer)? {
            0 => break,
            length => hasher.update(&buffer[..length]),
        }
    }
    let found = hex(&hasher.finalize());
    Ok(if found == *expected { Ok(()) } else { Err((format!("SHA-256 {expected}"), found)) })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
