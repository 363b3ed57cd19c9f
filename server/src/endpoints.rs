//! `endpoints.json`: tells other programs what runs and where, from when the server is ready until it ends.

use serde::{Deserialize, Serialize};
use std::io::Write;
use std::path::{Path, PathBuf};

/// What runs and where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoints {
    /// The dashboard and the API, for example `http://127.0.0.1:4000`.
    pub http: String,
    /// The broker as `host:port`.
    pub mqtts: String,
    /// The database, without a password; absent when it isn't the embedded one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub postgres_url: Option<String>,
    /// The certificate of the CA that signed the broker's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_cert: Option<PathBuf>,
}

/// The file while it exists: dropping this removes it.
#[derive(Debug)]
pub struct Published(PathBuf);

impl Endpoints {
    /// Where the file is, for a data folder.
    pub fn path(data_dir: &Path) -> PathBuf {
        data_dir.join("endpoints.json")
    }

    /// Writes the file at once: a reader sees all of it or none.
    ///
    /// # Errors
    /// The file can't be written.
    pub fn publish(&self, data_dir: &Path) -> std::io::Result<Published> {
        let path = Self::path(data_dir);
        let mut file = tempfile::NamedTempFile::new_in(data_dir)?;
        serde_json::to_writer_pretty(&mut file, self)?;
        file.write_all(b"\n")?;
        file.persist(&path)?;
        Ok(Published(path))
    }
}

impl Drop for Published {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_file(&self.0) {
            tracing::warn!("{} could not be removed: {error}", self.0.display());
        }
    }
}
