//! Whether the data partition can be written.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
};

const PROBE: &[u8] = b"what was written is what is read\n";

/// Why the storage is not fit.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// An operation failed: a full disk, a read-only filesystem, a failing card.
    #[error("{operation} {}: {source}", path.display())]
    Io {
        /// What was tried.
        operation: &'static str,
        /// The probe file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// Other bytes came back.
    #[error("{}: other bytes came back than were written", .0.display())]
    Corrupt(PathBuf),
}

/// Writes a file in `folder`, has it put on the disk, reads it, and removes it.
///
/// # Errors
/// The first step that failed.
pub fn check(folder: &Path) -> Result<String, StorageError> {
    let path = folder.join("probe");
    let failed = |operation| {
        let path = path.clone();
        move |source| StorageError::Io { operation, path, source }
    };
    let mut file = File::create(&path).map_err(failed("create"))?;
    file.write_all(PROBE).map_err(failed("write"))?;
    file.sync_all().map_err(failed("sync"))?;
    let read = fs::read(&path).map_err(failed("read"))?;
    fs::remove_file(&path).map_err(failed("remove"))?;
    if read == PROBE { Ok(format!("{} is writable", folder.display())) } else { Err(StorageError::Corrupt(path)) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_writable_folder_passes_and_is_left_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        check(folder.path()).unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_folder_that_is_not_there_fails_and_is_named() {
        let error = check(Path::new("/nonexistent/health")).unwrap_err().to_string();
        assert!(error.contains("create /nonexistent/health/probe"), "{error}");
    }

    #[test]
    fn a_full_disk_fails() {
        // The kernel's own full device, in the place of the probe file.
        let folder = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink("/dev/full", folder.path().join("probe")).unwrap();
        let error = check(folder.path()).unwrap_err().to_string();
        assert!(error.contains("No space left"), "{error}");
    }
}
