//! An upload's way: received, verified, kept, registered.

use super::{Bundles, InspectError, Release, StorageError, store};
use crate::state::OrganisationId;
use bytes::Bytes;
use futures_util::stream::Stream;
use sqlx::PgPool;
use uuid::Uuid;

/// Why an upload did not become a release.
#[derive(Debug, thiserror::Error)]
pub enum UploadError {
    /// It could not be received or kept.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// It could not be verified, or was refused.
    #[error(transparent)]
    Inspect(#[from] InspectError),
    /// The version has another content already.
    #[error(
        "release {id} is version {version} for {compatible:?} already, with another content: give the new bundle a version of its own"
    )]
    Conflict {
        /// The release that has it.
        id: i64,
        /// Which devices it is for.
        compatible: String,
        /// The version.
        version: String,
    },
    /// The database does not answer.
    #[error("database: {0}")]
    Database(#[from] sqlx::Error),
}

/// What became of an upload.
#[derive(Debug)]
pub enum Uploaded {
    /// A new release.
    New(Release),
    /// The same bundle is a release already.
    Known(Release),
}

impl Bundles {
    /// Makes a release of what `upload` brings.
    ///
    /// # Errors
    /// [`UploadError`]; nothing is kept then.
    pub async fn upload<E: std::fmt::Display>(
        &self,
        pool: &PgPool,
        organisation: OrganisationId,
        upload: impl Stream<Item = Result<Bytes, E>> + Unpin,
    ) -> Result<Uploaded, UploadError> {
        let received = self.receive(upload).await?;
        if let Some(release) = store::find_by_content(pool, organisation, &received.sha256).await? {
            return Ok(Uploaded::Known(release));
        }
        let manifest = self.inspector.inspect(received.path(), received.folder.path()).await?;
        // Kept first: a release that is registered can be fetched.
        let key = Uuid::new_v4();
        self.keep(key, &received).await?;
        let new = store::NewRelease {
            manifest: &manifest,
            size_bytes: i64::try_from(received.size_bytes).unwrap_or(i64::MAX),
            sha256: &received.sha256,
            sha1: &received.sha1,
            md5: &received.md5,
            key,
        };
        let created = store::create(pool, organisation, &new).await;
        if let Ok(Some(id)) = created
            && let Some(release) = store::find(pool, organisation, id).await?
        {
            return Ok(Uploaded::New(release));
        }
        self.forget(key).await?;
        created?;
        // Somebody else was faster, by the same content or by the same version.
        if let Some(release) = store::find_by_content(pool, organisation, &received.sha256).await? {
            return Ok(Uploaded::Known(release));
        }
        let (compatible, version) = (manifest.compatible, manifest.version);
        let id = store::find_version(pool, organisation, &compatible, &version).await?.unwrap_or_default();
        Err(UploadError::Conflict { id, compatible, version })
    }
}
