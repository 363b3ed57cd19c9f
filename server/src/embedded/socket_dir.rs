//! The folder of the database's unix socket: closed to others, its path short enough.

use super::identity::Identity;
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// The longest path of a unix socket: `sun_path` has 108 bytes with the final zero (unix(7)).
const SOCKET_PATH_MAX_BYTES: usize = 107;
/// Open to its owner only.
const PRIVATE: u32 = 0o700;

/// Why there is no folder for the socket.
#[derive(Debug, thiserror::Error)]
pub enum SocketDirError {
    /// It can't be made.
    #[error("the socket folder {path} could not be prepared: {cause}", path = .path.display())]
    Prepare {
        /// The folder.
        path: PathBuf,
        /// What the system says.
        cause: io::Error,
    },
    /// Someone else has made it.
    #[error("the socket folder {path} belongs to someone else or is no folder; remove it", path = .0.display())]
    Foreign(PathBuf),
    /// Nowhere is short enough.
    #[error("{path} is too long for a socket ({SOCKET_PATH_MAX_BYTES} bytes at most); set TMPDIR to a short folder", path = .0.display())]
    TooLong(PathBuf),
}

/// The folder of a socket.
#[derive(Debug)]
pub(crate) struct SocketDir {
    path: PathBuf,
    temporary: bool,
}

impl SocketDir {
    /// Prepares the folder for a socket file `socket`, usable by `identity`: `DATA/run`, or where that is too long one
    /// below the system's folder for temporary files, named after the data folder's device and inode so that each
    /// data folder has its own and finds it again.
    ///
    /// # Errors
    /// [`SocketDirError`].
    pub(crate) fn prepare(data_dir: &Path, socket: &str, identity: &Identity) -> Result<Self, SocketDirError> {
        let fits = |path: &Path| path.join(socket).as_os_str().len() <= SOCKET_PATH_MAX_BYTES;
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |cause| SocketDirError::Prepare { path, cause }
        };
        let (path, temporary) = match data_dir.join("run") {
            path if fits(&path) => (path, false),
            _ => {
                let found = data_dir.metadata().map_err(failed(data_dir))?;
                (std::env::temp_dir().join(format!("microkernel-{:x}-{:x}", found.dev(), found.ino())), true)
            }
        };
        if !fits(&path) {
            return Err(SocketDirError::TooLong(path.join(socket)));
        }
        match std::fs::DirBuilder::new().mode(PRIVATE).create(&path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            outcome => outcome.map_err(failed(&path))?,
        }
        // Anyone can make a folder among the temporary files, and would then own the database's socket.
        let found = path.symlink_metadata().map_err(failed(&path))?;
        if !found.is_dir() || (temporary && !identity.may_own(found.uid())) {
            return Err(SocketDirError::Foreign(path));
        }
        std::fs::set_permissions(&path, PermissionsExt::from_mode(PRIVATE)).map_err(failed(&path))?;
        identity.own(&path).map_err(failed(&path))?;
        Ok(Self { path, temporary })
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Removes the folder if it is a temporary one.
    pub(crate) fn remove(self) {
        if self.temporary
            && let Err(error) = std::fs::remove_dir_all(&self.path)
        {
            tracing::warn!("the socket folder {} could not be removed: {error}", self.path.display());
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_short_data_folder_holds_the_socket_itself() {
        let data = tempfile::tempdir().unwrap();
        let folder = SocketDir::prepare(data.path(), "socket", &Identity::Same).unwrap();
        assert_eq!(folder.path(), data.path().join("run"));
        assert_eq!(folder.path().metadata().unwrap().permissions().mode() & 0o777, PRIVATE);
    }

    #[test]
    fn a_long_one_gets_the_same_short_folder_each_time() {
        let outer = tempfile::tempdir().unwrap();
        let data = outer.path().join("x".repeat(120));
        std::fs::create_dir(&data).unwrap();
        let first = SocketDir::prepare(&data, "socket", &Identity::Same).unwrap();
        let again = SocketDir::prepare(&data, "socket", &Identity::Same).unwrap();
        assert_eq!(first.path(), again.path());
        assert!(first.path().starts_with(std::env::temp_dir()));
        let path = first.path().to_owned();
        first.remove();
        assert!(!path.exists());
    }

    #[test]
    fn a_planted_link_is_refused() {
        let outer = tempfile::tempdir().unwrap();
        let data = outer.path().join("x".repeat(120));
        std::fs::create_dir(&data).unwrap();
        let path = SocketDir::prepare(&data, "socket", &Identity::Same).unwrap().path().to_owned();
        std::fs::remove_dir(&path).unwrap();
        std::os::unix::fs::symlink(outer.path(), &path).unwrap();
        let outcome = SocketDir::prepare(&data, "socket", &Identity::Same);
        std::fs::remove_file(&path).unwrap();
        assert!(matches!(outcome, Err(SocketDirError::Foreign(_))));
    }
}
