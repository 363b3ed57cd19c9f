//! Where everything lives below the demo's folder.
//!
//! ```text
//! DIR/endpoints.json         what runs, for other programs
//! DIR/demo.lock              held by the demo that runs
//! DIR/server/                the server's data
//! DIR/devices/ID/identity/   ca.crt, ID.crt, ID.key
//! DIR/devices/ID/config/     configuration written by the demo
//! DIR/devices/ID/own-config/ configuration that the device changed itself (the data partition's layer)
//! DIR/devices/ID/state/      the services' state
//! DIR/logs/                  one file a process
//! DIR/run/                   the buses' sockets, where their paths are short enough
//! ```

use anyhow::{Context, ensure};
use microkernel_wire::DeviceId;
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// The longest path of a unix socket: `sun_path` has 108 bytes with its final zero (unix(7)).
const SOCKET_PATH_MAX_BYTES: usize = 107;
/// As long as a bus's socket gets: a device id has up to 64 characters.
const SOCKET_NAME_MAX_BYTES: usize = 64;

/// The folders of one demo.
#[derive(Debug)]
pub struct Layout {
    dir: PathBuf,
    runtime_dir: PathBuf,
    /// Removes the runtime folder when that is a temporary one.
    _temporary: Option<TempDir>,
}

/// The folders of one device.
#[derive(Debug, Clone)]
pub struct DeviceLayout {
    /// Its certificate, key and CA.
    pub identity: PathBuf,
    /// Its configuration as the demo writes it.
    pub config: PathBuf,
    /// Its configuration as it changes it itself.
    pub own_config: PathBuf,
    /// The state of its services.
    pub state: PathBuf,
}

impl Layout {
    /// Makes the folders.
    ///
    /// # Errors
    /// They can't be made, or the path has a colon, which separates folders in a device's configuration path.
    pub fn create(dir: &Path) -> anyhow::Result<Self> {
        fs::create_dir_all(dir).with_context(|| format!("the folder {} could not be made", dir.display()))?;
        let dir = dir.canonicalize().with_context(|| format!("the folder {} can't be entered", dir.display()))?;
        ensure!(
            !dir.as_os_str().as_encoded_bytes().contains(&b':'),
            "the path {} has a colon, which the devices' configuration path can't: choose another with DEMO_DIR",
            dir.display()
        );
        fs::create_dir_all(dir.join("logs")).with_context(|| format!("no folder logs in {}", dir.display()))?;
        let own = dir.join("run");
        let (runtime_dir, temporary) = if own.as_os_str().len() + 1 + SOCKET_NAME_MAX_BYTES <= SOCKET_PATH_MAX_BYTES {
            fs::create_dir_all(&own).with_context(|| format!("no folder {}", own.display()))?;
            (own, None)
        } else {
            let temporary = tempfile::Builder::new().prefix("microkernel-").tempdir();
            let temporary = temporary.context("no folder for the buses' sockets could be made in TMPDIR")?;
            (temporary.path().to_owned(), Some(temporary))
        };
        Ok(Self { dir, runtime_dir, _temporary: temporary })
    }

    /// The folder of everything, absolute.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The server's data folder.
    pub fn server(&self) -> PathBuf {
        self.dir.join("server")
    }

    /// What runs, for other programs.
    pub fn endpoints(&self) -> PathBuf {
        self.dir.join("endpoints.json")
    }

    /// The folder of all logs.
    pub fn logs(&self) -> PathBuf {
        self.dir.join("logs")
    }

    /// The log of a process.
    pub fn log(&self, name: &str) -> PathBuf {
        self.logs().join(format!("{name}.log"))
    }

    /// The socket of a device's bus.
    pub fn bus_socket(&self, device: &DeviceId) -> PathBuf {
        self.runtime_dir.join(device.as_str())
    }

    /// Makes the folders of a device.
    ///
    /// # Errors
    /// They can't be made.
    pub fn create_device(&self, device: &DeviceId) -> anyhow::Result<DeviceLayout> {
        let base = self.dir.join("devices").join(device.as_str());
        let folder = |name: &str| {
            let path = base.join(name);
            fs::create_dir_all(&path).with_context(|| format!("the folder {} could not be made", path.display()))?;
            anyhow::Ok(path)
        };
        Ok(DeviceLayout {
            identity: folder("identity")?,
            config: folder("config")?,
            own_config: folder("own-config")?,
            state: folder("state")?,
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn longest_socket(layout: &Layout) -> usize {
        layout.bus_socket(&"d".repeat(64).parse().unwrap()).as_os_str().len()
    }

    #[test]
    fn sockets_stay_in_the_folder_while_their_paths_are_short_enough() {
        let folder = tempfile::Builder::new().prefix("mk").tempdir_in("/tmp").unwrap();
        let layout = Layout::create(folder.path()).unwrap();
        assert!(layout.bus_socket(&"device-001".parse().unwrap()).starts_with(layout.dir()));
        assert!(longest_socket(&layout) <= SOCKET_PATH_MAX_BYTES);
    }

    #[test]
    fn sockets_of_a_deep_folder_move_to_a_short_one_that_goes_with_the_demo() {
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::create(&folder.path().join("deep".repeat(20))).unwrap();
        assert!(longest_socket(&layout) <= SOCKET_PATH_MAX_BYTES);
        let runtime_dir = layout.runtime_dir.clone();
        assert!(runtime_dir.is_dir());
        drop(layout);
        assert!(!runtime_dir.exists());
    }

    #[test]
    fn a_colon_in_the_path_is_refused_with_the_remedy() {
        let folder = tempfile::tempdir().unwrap();
        let error = Layout::create(&folder.path().join("a:b")).unwrap_err().to_string();
        assert!(error.contains("has a colon") && error.contains("DEMO_DIR"), "{error}");
    }
}
