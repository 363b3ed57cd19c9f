//! One demo a folder.

use anyhow::{Context, bail};
use std::fs::{File, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;

/// Held while a demo uses its folder; the kernel releases it when the process ends, however it ends.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock of the folder `dir`.
    ///
    /// # Errors
    /// Another demo has it; the error names that process.
    pub fn take(dir: &Path) -> anyhow::Result<Self> {
        let path = dir.join("demo.lock");
        let mut file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .with_context(|| format!("{} could not be opened", path.display()))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                // Without its content the message is only less precise.
                let _unread = file.read_to_string(&mut holder);
                bail!(
                    "a demo already runs in {} (process {}): stop it with Ctrl-C, or choose another folder with \
                     DEMO_DIR=…",
                    dir.display(),
                    holder.trim()
                );
            }
            Err(TryLockError::Error(error)) => bail!("{} could not be locked: {error}", path.display()),
        }
        file.set_len(0)
            .and_then(|()| file.seek(SeekFrom::Start(0)))
            .and_then(|_| writeln!(file, "{}", std::process::id()))
            .with_context(|| format!("{} could not be written", path.display()))?;
        Ok(Self { _file: file })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_second_demo_on_the_same_folder_is_refused_until_the_first_has_ended() {
        let folder = tempfile::tempdir().unwrap();
        let first = Lock::take(folder.path()).unwrap();
        let error = Lock::take(folder.path()).unwrap_err().to_string();
        assert!(error.contains(&format!("process {}", std::process::id())), "{error}");
        assert!(error.contains("DEMO_DIR"), "{error}");
        drop(first);
        Lock::take(folder.path()).unwrap();
    }
}
