//! `endpoints.json`: tells other programs what runs and where, from when the server is ready until it ends.

use crate::data_dir::write_at_once;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// What runs and where. The database and the CA are named where they are the embedded ones.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoints {
    /// The dashboard and the API, for example `http://127.0.0.1:4000`.
    pub http: String,
    /// Where devices ask for updates, for example `https://127.0.0.1:8443`.
    pub https: String,
    /// The broker as `host:port`.
    pub mqtts: String,
    /// The embedded database; needs no password.
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

    /// What runs with this data folder.
    ///
    /// # Errors
    /// Nothing does, or the file can't be read.
    pub fn read(data_dir: &Path) -> std::io::Result<Self> {
        Ok(serde_json::from_slice(&std::fs::read(Self::path(data_dir))?)?)
    }

    /// Writes the file.
    ///
    /// # Errors
    /// It can't be written.
    pub fn publish(&self, data_dir: &Path) -> std::io::Result<Published> {
        let path = Self::path(data_dir);
        write_at_once(&path, &serde_json::to_vec_pretty(self)?, 0o644)?;
        Ok(Published(path))
    }

    /// Removes what a killed server has left, so that nobody takes it for ready.
    ///
    /// # Errors
    /// It is there and can't be removed.
    pub fn remove_stale(data_dir: &Path) -> std::io::Result<()> {
        match std::fs::remove_file(Self::path(data_dir)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

impl Drop for Published {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_file(&self.0) {
            tracing::warn!("{} could not be removed: {error}", self.0.display());
        }
    }
}
