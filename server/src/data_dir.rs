//! The folder of everything the server keeps.
//!
//! | below it | what |
//! |---|---|
//! | `postgres/` | the embedded database's cluster |
//! | `broker/` | the embedded broker's configuration, certificate and stored messages |
//! | `pki/` | the development CA, the certificates and keys made with it |
//! | `run/` | the database's unix socket |
//! | `log/` | the logs of the embedded programs |
//! | `instance` | what tells this server from others at a broker: a secret |
//! | `ports.json` | the ports that were used last |
//! | `endpoints.json` | what runs and where, while it runs |
//! | `lock` | held by the server that uses the folder |

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use uuid::Uuid;

/// Why the folder can't be used.
#[derive(Debug, thiserror::Error)]
pub enum DataDirError {
    /// It can't be made or read.
    #[error("the data folder {path} can't be used: {cause}", path = .path.display())]
    Unusable {
        /// The folder, or the file in it.
        path: PathBuf,
        /// What the system says.
        cause: io::Error,
    },
    /// Its name would break the files that name it.
    #[error("the data folder {0:?} can't be used: its path must be UTF-8 without control characters")]
    Name(PathBuf),
    /// Another server uses it.
    #[error("the data folder {path} is in use by another server (process {holder}); end that one or use another --data-dir", path = .path.display())]
    InUse {
        /// The folder.
        path: PathBuf,
        /// Its process id as it wrote it down.
        holder: String,
    },
}

/// The folder; exists, its path is absolute and free of links.
#[derive(Debug, Clone)]
pub struct DataDir(PathBuf);

/// Held by the one server that uses a folder; the system releases it when the process ends, however that happens.
#[derive(Debug)]
pub struct Lock(#[expect(dead_code, reason = "the open file is the lock")] File);

impl DataDir {
    /// Makes the folder if need be.
    ///
    /// # Errors
    /// [`DataDirError`] names it.
    pub fn prepare(path: &Path) -> Result<Self, DataDirError> {
        let unusable = |cause| DataDirError::Unusable { path: path.to_owned(), cause };
        std::fs::create_dir_all(path).map_err(unusable)?;
        let path = path.canonicalize().map_err(unusable)?;
        match path.to_str() {
            Some(text) if !text.chars().any(char::is_control) => Ok(Self(path)),
            _ => Err(DataDirError::Name(path)),
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Tells the server of this folder from others at a broker; made once, and secret: whoever knows a client's id can
    /// take over its session.
    ///
    /// # Errors
    /// The file can't be read or written, or holds something else.
    pub fn instance(&self) -> Result<Uuid, DataDirError> {
        let path = self.0.join("instance");
        let unusable = |cause| DataDirError::Unusable { path: path.clone(), cause };
        match std::fs::read_to_string(&path) {
            Ok(text) => text.trim().parse().map_err(|error| unusable(io::Error::other(error))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let instance = Uuid::new_v4();
                write_at_once(&path, format!("{instance}\n").as_bytes(), 0o600).map_err(unusable)?;
                Ok(instance)
            }
            Err(error) => Err(unusable(error)),
        }
    }

    /// Takes the folder for this process.
    ///
    /// # Errors
    /// [`DataDirError::InUse`] when another process has it.
    pub fn lock(&self) -> Result<Lock, DataDirError> {
        let path = self.0.join("lock");
        let unusable = |cause| DataDirError::Unusable { path: path.clone(), cause };
        let mut file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path).map_err(unusable)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                file.read_to_string(&mut holder).map_err(unusable)?;
                return Err(DataDirError::InUse { path: self.0.clone(), holder: holder.trim().to_owned() });
            }
            Err(TryLockError::Error(cause)) => return Err(unusable(cause)),
        }
        let write = |file: &mut File| {
            file.set_len(0)?;
            file.rewind()?;
            writeln!(file, "{}", std::process::id())
        };
        write(&mut file).map_err(unusable)?;
        Ok(Lock(file))
    }
}

/// Makes a folder that only its owner can enter, or closes the one that exists.
///
/// # Errors
/// It can't be made or changed.
pub(crate) fn private_dir(path: &Path) -> io::Result<()> {
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path)?;
    std::fs::set_permissions(path, PermissionsExt::from_mode(0o700))
}

/// Writes a file at once, so that a reader sees the old content or the new one. It never has wider permissions than
/// `mode`, not for a moment.
///
/// # Errors
/// It can't be written; nothing has changed then.
pub(crate) fn write_at_once(path: &Path, content: &[u8], mode: u32) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut file = tempfile::Builder::new().permissions(PermissionsExt::from_mode(mode)).tempfile_in(folder)?;
    file.write_all(content)?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_folder_is_taken_once_and_the_holder_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let data = DataDir::prepare(folder.path()).unwrap();
        let lock = data.lock().unwrap();
        let error = data.lock().unwrap_err().to_string();
        assert!(error.contains(&format!("process {}", std::process::id())), "{error}");
        drop(lock);
        data.lock().unwrap();
    }

    #[test]
    fn a_name_with_a_line_break_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        assert!(matches!(DataDir::prepare(&folder.path().join("a\nb")), Err(DataDirError::Name(_))));
    }

    #[test]
    fn the_instance_stays_the_same_and_is_private() {
        let folder = tempfile::tempdir().unwrap();
        let data = DataDir::prepare(folder.path()).unwrap();
        assert_eq!(data.instance().unwrap(), data.instance().unwrap());
        let path = data.path().join("instance");
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        std::fs::write(path, "damaged").unwrap();
        assert!(data.instance().unwrap_err().to_string().contains("instance"));
    }

    #[test]
    fn a_key_is_private() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        write_at_once(&path, b"1", 0o600).unwrap();
        write_at_once(&path, b"2", 0o600).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"2");
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }
}
