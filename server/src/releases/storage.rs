//! The bundles in the storage ([`Place`]), and those that are just being received, which are in a folder in any case. A
//! bundle's key is a UUID of its release's own.

use super::{Inspector, Place};
use crate::data_dir::private_dir;
use axum::body::Body;
use bytes::Bytes;
use futures_util::stream::{Stream, StreamExt};
use md5::Md5;
use object_store::path::Path as Key;
use object_store::{GetOptions, GetResultPayload, ObjectStore, ObjectStoreExt, WriteMultipart};
use sha1::Sha1;
use sha2::{Digest, Sha256};
use std::io::SeekFrom;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tempfile::{NamedTempFile, TempDir, TempPath};
use tokio::fs::File;
use tokio::io::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt};
use tokio::time::timeout;
use tokio_util::io::ReaderStream;
use uuid::Uuid;

/// A client that uploads may be silent for so long.
const SILENCE: Duration = Duration::from_secs(60);
/// How much is read from disk at once.
const BLOCK_BYTES: usize = 256 * 1024;
/// Parts of an upload to the storage that may be on their way at once.
const PARTS: usize = 4;

/// Why a bundle can't be received, kept or read.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// It is larger than this server takes.
    #[error("the bundle is larger than the {0} bytes that this server takes")]
    TooLarge(u64),
    /// The client went away.
    #[error("the upload broke off after {0} bytes: {1}")]
    Broken(u64, String),
    /// A local file can't be used.
    #[error("{path}: {cause}", path = .path.display())]
    File {
        /// The file or folder.
        path: PathBuf,
        /// What the system says.
        cause: std::io::Error,
    },
    /// The storage failed.
    #[error("the storage of bundles failed: {0}")]
    Storage(#[from] object_store::Error),
}

/// How bundles are taken.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The folder that bundles are received in, and kept in where `place` says so.
    pub folder: PathBuf,
    /// Where they are kept.
    pub place: Place,
    /// The largest bundle taken, in bytes.
    pub max_bytes: u64,
    /// What verifies them.
    pub inspector: Inspector,
}

/// The bundles. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Bundles {
    storage: Arc<dyn ObjectStore>,
    /// Where uploads are received.
    incoming: PathBuf,
    max_bytes: u64,
    pub(super) inspector: Inspector,
}

/// A bundle on local disk; gone when this is dropped.
#[derive(Debug)]
pub(super) struct Received {
    pub(super) folder: TempDir,
    file: TempPath,
    pub(super) size_bytes: u64,
    pub(super) sha256: String,
    pub(super) sha1: String,
    pub(super) md5: String,
}

impl Received {
    pub(super) fn path(&self) -> &Path {
        &self.file
    }
}

/// A part of a bundle to send.
pub struct Content(Body);

impl Content {
    /// As the body of an answer.
    pub fn into_body(self) -> Body {
        self.0
    }
}

impl Bundles {
    /// Opens the folder, making it if need be; what an earlier server left half received is removed.
    ///
    /// # Errors
    /// [`StorageError::File`] names what can't be used.
    pub fn open(settings: Settings) -> Result<Self, StorageError> {
        let Settings { folder, place, max_bytes, inspector } = settings;
        let at = |path: &Path| {
            let path = path.to_owned();
            move |cause| StorageError::File { path, cause }
        };
        let (kept, incoming) = (folder.join("kept"), folder.join("incoming"));
        private_dir(&kept).map_err(at(&kept))?;
        match std::fs::remove_dir_all(&incoming) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(at(&incoming)(error)),
            _ => {}
        }
        private_dir(&incoming).map_err(at(&incoming))?;
        Ok(Self { storage: place.open(&kept)?, incoming, max_bytes, inspector })
    }

    /// Asks the storage for something, so that one that can't be reached is told at the start and not at the first
    /// upload.
    ///
    /// # Errors
    /// It does not answer, or does not let this server in.
    pub async fn check(&self) -> Result<(), StorageError> {
        match self.storage.head(&location(Uuid::nil())).await {
            Ok(_) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Writes an upload to local disk and takes its digests on the way.
    pub(super) async fn receive<E: std::fmt::Display>(
        &self,
        mut upload: impl Stream<Item = Result<Bytes, E>> + Unpin,
    ) -> Result<Received, StorageError> {
        let at = |cause| StorageError::File { path: self.incoming.clone(), cause };
        let folder = TempDir::new_in(&self.incoming).map_err(at)?;
        let file = NamedTempFile::with_suffix_in(".raucb", folder.path()).map_err(at)?;
        let (file, path) = file.into_parts();
        let mut output = File::from_std(file);
        let (mut size_bytes, mut sha256, mut sha1, mut md5) = (0_u64, Sha256::new(), Sha1::new(), Md5::new());
        loop {
            let silent = |_| StorageError::Broken(size_bytes, format!("nothing came for {} s", SILENCE.as_secs()));
            let Some(block) = timeout(SILENCE, upload.next()).await.map_err(silent)? else { break };
            let block = block.map_err(|error| StorageError::Broken(size_bytes, error.to_string()))?;
            size_bytes += block.len() as u64;
            if size_bytes > self.max_bytes {
                return Err(StorageError::TooLarge(self.max_bytes));
            }
            sha256.update(&block);
            sha1.update(&block);
            md5.update(&block);
            output.write_all(&block).await.map_err(at)?;
        }
        output.flush().await.map_err(at)?;
        // Closed: RAUC reads a bundle only when nobody else has it open.
        drop(output.into_std().await);
        Ok(Received {
            folder,
            file: path,
            size_bytes,
            sha256: hex(&sha256.finalize()),
            sha1: hex(&sha1.finalize()),
            md5: hex(&md5.finalize()),
        })
    }

    /// Keeps a received bundle under `key`.
    pub(super) async fn keep(&self, key: Uuid, received: &Received) -> Result<(), StorageError> {
        let at = |cause| StorageError::File { path: received.path().to_owned(), cause };
        let file = File::open(received.path()).await.map_err(at)?;
        let mut blocks = ReaderStream::with_capacity(file, BLOCK_BYTES);
        let mut writer = WriteMultipart::new(self.storage.put_multipart(&location(key)).await?);
        while let Some(block) = blocks.next().await {
            let block = match block {
                Ok(block) => block,
                Err(error) => {
                    writer.abort().await?;
                    return Err(at(error));
                }
            };
            writer.wait_for_capacity(PARTS).await?;
            writer.put(block);
        }
        writer.finish().await?;
        Ok(())
    }

    /// Forgets a bundle; one that is not there is none to forget.
    pub(crate) async fn forget(&self, key: Uuid) -> Result<(), StorageError> {
        match self.storage.delete(&location(key)).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// These bytes of a bundle.
    ///
    /// # Errors
    /// It is not there or can't be read.
    pub async fn read(&self, key: Uuid, range: Range<u64>) -> Result<Content, StorageError> {
        let options = GetOptions { range: Some(range.clone().into()), ..GetOptions::default() };
        let found = self.storage.get_opts(&location(key), options).await?;
        match found.payload {
            // By larger blocks than the storage's own stream, which asks for a thread every 8 KiB.
            GetResultPayload::File(file, path) => {
                let mut file = File::from_std(file);
                file.seek(SeekFrom::Start(range.start)).await.map_err(|cause| StorageError::File { path, cause })?;
                let part = file.take(range.end - range.start);
                Ok(Content(Body::from_stream(ReaderStream::with_capacity(part, BLOCK_BYTES))))
            }
            GetResultPayload::Stream(blocks) => Ok(Content(Body::from_stream(blocks))),
        }
    }
}

/// Where a bundle is in the storage.
fn location(key: Uuid) -> Key {
    Key::from(key.to_string())
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
