//! Where bundles are kept: a folder, or S3-compatible storage, which several servers can share.

use super::StorageError;
use crate::tls::install_provider;
use object_store::aws::AmazonS3Builder;
use object_store::local::LocalFileSystem;
use object_store::prefix::PrefixStore;
use object_store::{ObjectStore, RetryConfig};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// A request to the storage is tried again for so long.
const PATIENCE: Duration = Duration::from_secs(30);

/// Where bundles are kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Place {
    /// In the folder of the bundles.
    #[default]
    Folder,
    /// In a bucket of S3-compatible storage, reached as the usual variables say: `AWS_ACCESS_KEY_ID`,
    /// `AWS_SECRET_ACCESS_KEY`, `AWS_REGION`, `AWS_ENDPOINT_URL`, `AWS_ALLOW_HTTP`.
    S3 {
        /// The bucket, which must exist.
        bucket: String,
        /// What every key begins with; empty for nothing.
        prefix: String,
    },
}

impl Place {
    /// From `s3://bucket/prefix`; `None` where it is not that.
    pub fn from_url(url: &str) -> Option<Self> {
        let rest = url.strip_prefix("s3://")?;
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let fits = |char: char| char.is_ascii_alphanumeric() || matches!(char, '.' | '-' | '_');
        let valid = !bucket.is_empty() && bucket.chars().all(fits);
        valid.then(|| Self::S3 { bucket: bucket.to_owned(), prefix: prefix.trim_matches('/').to_owned() })
    }

    /// Opens the storage; `kept` is the folder where it is one.
    pub(super) fn open(&self, kept: &Path) -> Result<Arc<dyn ObjectStore>, StorageError> {
        match self {
            Self::Folder => Ok(Arc::new(LocalFileSystem::new_with_prefix(kept)?)),
            Self::S3 { bucket, prefix } => {
                install_provider();
                let retry = RetryConfig { retry_timeout: PATIENCE, max_retries: 5, ..RetryConfig::default() };
                let bucket = AmazonS3Builder::from_env().with_bucket_name(bucket).with_retry(retry).build()?;
                Ok(Arc::new(PrefixStore::new(bucket, prefix.as_str())))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Place;

    #[test]
    fn a_url_names_a_bucket_and_what_keys_begin_with() {
        let place = |bucket: &str, prefix: &str| Some(Place::S3 { bucket: bucket.into(), prefix: prefix.into() });
        assert_eq!(Place::from_url("s3://bundles"), place("bundles", ""));
        assert_eq!(Place::from_url("s3://bundles/"), place("bundles", ""));
        assert_eq!(Place::from_url("s3://bundles/fleet/a/"), place("bundles", "fleet/a"));
        for wrong in ["bundles", "s3://", "s3:///x", "https://bundles", "s3://key:secret@bundles", "s3://b?c"] {
            assert_eq!(Place::from_url(wrong), None, "{wrong}");
        }
    }
}
