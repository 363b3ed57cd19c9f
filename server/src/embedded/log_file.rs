//! The log of a child process: a file that its output goes to, and that does not grow without bound.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;

/// A log that has grown beyond this moves to `NAME.log.1`, replacing what is there.
const TRIM_AT_BYTES: u64 = 16 * 1024 * 1024;
/// How much of the end is looked at for an error message.
const TAIL_BYTES: u64 = 4096;
/// How many lines of the end an error message shows.
const TAIL_LINES: usize = 6;

/// The log file of a child process.
#[derive(Debug, Clone)]
pub(crate) struct LogFile(PathBuf);

impl LogFile {
    /// The log `NAME.log` in `folder`.
    pub(crate) fn new(folder: &Path, name: &str) -> Self {
        Self(folder.join(format!("{name}.log")))
    }

    /// Where the log is.
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// The file as the standard output and standard error of a child.
    ///
    /// # Errors
    /// The file can't be opened.
    pub(crate) fn outputs(&self) -> io::Result<(Stdio, Stdio)> {
        let file = self.open()?;
        Ok((file.try_clone()?.into(), file.into()))
    }

    /// How long the log is, to ask later for what was added: see [`Self::tail`].
    pub(crate) fn length(&self) -> u64 {
        self.0.metadata().map_or(0, |found| found.len())
    }

    /// The last lines of what was added after the log was `from` bytes long.
    pub(crate) fn tail(&self, from: u64) -> String {
        let read = || -> io::Result<String> {
            let mut file = File::open(&self.0)?;
            let length = file.metadata()?.len();
            file.seek(SeekFrom::Start(from.max(length.saturating_sub(TAIL_BYTES))))?;
            let mut bytes = Vec::new();
            file.take(TAIL_BYTES).read_to_end(&mut bytes)?;
            Ok(String::from_utf8_lossy(&bytes).into_owned())
        };
        let text = read().unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n")
    }

    /// Moves the content to `NAME.log.1` when it is long. What the child writes in the same instant may be lost.
    ///
    /// # Errors
    /// The files can't be written.
    pub(crate) fn trim(&self) -> io::Result<()> {
        if self.length() < TRIM_AT_BYTES {
            return Ok(());
        }
        std::fs::copy(&self.0, self.0.with_extension("log.1"))?;
        // The child goes on writing at the end: its file is open for appending.
        self.open()?.set_len(0)
    }

    fn open(&self) -> io::Result<File> {
        OpenOptions::new().append(true).create(true).mode(0o600).open(&self.0)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::io::Write;

    #[test]
    fn the_tail_is_what_was_added_and_at_most_six_lines_of_it() {
        let folder = tempfile::tempdir().unwrap();
        let log = LogFile::new(folder.path(), "x");
        assert_eq!(log.tail(0), "");
        log.open().unwrap().write_all(b"old\n").unwrap();
        let before = log.length();
        log.open().unwrap().write_all(b"1\n2\n").unwrap();
        assert_eq!(log.tail(before), "1\n2");
        log.open().unwrap().write_all(b"3\n4\n5\n6\n7\n").unwrap();
        assert_eq!(log.tail(before), "2\n3\n4\n5\n6\n7");
    }

    #[test]
    fn a_long_log_moves_away_and_the_child_goes_on_in_the_emptied_file() {
        let folder = tempfile::tempdir().unwrap();
        let log = LogFile::new(folder.path(), "x");
        let mut child = log.open().unwrap();
        child.write_all(&vec![b'x'; usize::try_from(TRIM_AT_BYTES).unwrap()]).unwrap();
        log.trim().unwrap();
        child.write_all(b"more\n").unwrap();
        assert_eq!(std::fs::read(log.path()).unwrap(), b"more\n");
        assert_eq!(std::fs::metadata(folder.path().join("x.log.1")).unwrap().len(), TRIM_AT_BYTES);
    }
}
