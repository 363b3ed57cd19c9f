//! `endpoints.json`: what runs and where, for other programs.

use anyhow::Context;
use serde::{Deserialize, Serialize};
use std::io::Write;
use std::path::{Path, PathBuf};

/// What the server says of itself in its own `endpoints.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerEndpoints {
    /// Dashboard and API, for example `http://127.0.0.1:4000`.
    pub http: String,
    /// Broker, `host:port`.
    pub mqtts: String,
    /// Database.
    pub postgres_url: String,
    /// Certificate of the CA that signed the broker's.
    pub ca_cert: PathBuf,
}

/// What the demo says: the same and the devices.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoints {
    /// The server's part.
    #[serde(flatten)]
    pub server: ServerEndpoints,
    /// The devices.
    pub devices: Vec<DeviceEndpoint>,
}

/// A device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceEndpoint {
    /// Its identity.
    pub id: String,
    /// Its certificate.
    pub cert: PathBuf,
    /// The key of that.
    pub key: PathBuf,
}

impl ServerEndpoints {
    /// Reads the server's file; `None` while it is not there.
    ///
    /// # Errors
    /// It is there and can't be read, or is not what the contract says.
    pub(crate) fn read(path: &Path) -> anyhow::Result<Option<Self>> {
        match std::fs::read(path) {
            Ok(json) => {
                serde_json::from_slice(&json).map(Some).with_context(|| format!("{} is not understood", path.display()))
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).with_context(|| format!("{} can't be read", path.display())),
        }
    }

    /// The broker's host and port.
    ///
    /// # Errors
    /// It isn't `host:port`.
    pub fn broker(&self) -> anyhow::Result<(&str, u16)> {
        let (host, port) = self.mqtts.rsplit_once(':').with_context(|| format!("{:?} is not host:port", self.mqtts))?;
        Ok((host, port.parse().with_context(|| format!("{port:?} is not a port"))?))
    }
}

impl Endpoints {
    /// Writes the file at once: a reader sees all of it or none.
    ///
    /// # Errors
    /// It can't be written.
    pub(crate) fn write(&self, path: &Path) -> anyhow::Result<()> {
        let folder = path.parent().unwrap_or(Path::new("/"));
        let write = || -> std::io::Result<()> {
            let mut file = tempfile::NamedTempFile::new_in(folder)?;
            serde_json::to_writer_pretty(&mut file, self)?;
            file.write_all(b"\n")?;
            file.persist(path)?;
            Ok(())
        };
        write().with_context(|| format!("{} could not be written", path.display()))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_file_has_the_servers_endpoints_and_the_devices_side_by_side() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("endpoints.json");
        assert_eq!(ServerEndpoints::read(&path).unwrap(), None);
        let server = ServerEndpoints {
            http: "http://127.0.0.1:4000".to_owned(),
            mqtts: "127.0.0.1:8883".to_owned(),
            postgres_url: "postgresql:///microkernel".to_owned(),
            ca_cert: "/ca.crt".into(),
        };
        let device = DeviceEndpoint { id: "device-001".to_owned(), cert: "/c".into(), key: "/k".into() };
        Endpoints { server: server.clone(), devices: vec![device] }.write(&path).unwrap();
        let json: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        assert_eq!(json["mqtts"], "127.0.0.1:8883");
        assert_eq!(json["devices"][0], serde_json::json!({"id": "device-001", "cert": "/c", "key": "/k"}));
        assert_eq!(ServerEndpoints::read(&path).unwrap(), Some(server.clone()));
        assert_eq!(server.broker().unwrap(), ("127.0.0.1", 8883));
        std::fs::write(&path, "{}").unwrap();
        let error = format!("{:#}", ServerEndpoints::read(&path).unwrap_err());
        assert!(error.contains("endpoints.json is not understood: missing field `http`"), "{error}");
    }
}
