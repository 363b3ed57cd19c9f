//! What the device's console says of its way from the boot loader to its services.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::PathBuf;

/// The console's log, as far as it has been looked at.
#[derive(Debug)]
pub(super) struct BootLog {
    path: PathBuf,
    offset: u64,
    /// The beginning of a line whose end is not there yet.
    rest: String,
}

impl BootLog {
    /// From its beginning; it need not be there yet.
    pub(super) fn at(path: PathBuf) -> Self {
        Self { path, offset: 0, rest: String::new() }
    }

    /// What has happened since it was looked at last.
    pub(super) fn news(&mut self) -> Vec<String> {
        let mut text = std::mem::take(&mut self.rest);
        text.push_str(&self.read());
        let mut lines: Vec<&str> = text.split('\n').collect();
        self.rest = lines.pop().unwrap_or_default().to_owned();
        lines.into_iter().filter_map(milestone).collect()
    }

    fn read(&mut self) -> String {
        let mut bytes = Vec::new();
        // It appears when the device has been started.
        let read = File::open(&self.path).and_then(|mut file| {
            file.seek(SeekFrom::Start(self.offset))?;
            file.read_to_end(&mut bytes)
        });
        self.offset += read.unwrap_or(0) as u64;
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

/// What a line of the console means to somebody who watches.
fn milestone(line: &str) -> Option<String> {
    let line = line.trim_end();
    if let Some(said) = line.strip_prefix("microkernel: ") {
        let is_of_interest = ["booting slot", "slot "].iter().any(|beginning| said.starts_with(beginning));
        return is_of_interest.then(|| said.to_owned());
    }
    // What the console's login program greets with (/etc/issue).
    let version = line.split("Microkernel ").nth(1)?;
    let is_version = version.starts_with(|first: char| first.is_ascii_digit()) && !version.contains(' ');
    is_version.then(|| format!("runs Microkernel {version}"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::io::Write;

    #[test]
    fn the_way_to_the_services_is_told_in_a_few_lines() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("console.log");
        let mut log = BootLog::at(path.clone());
        assert!(log.news().is_empty(), "it is not there yet");
        let mut file = File::create(path).unwrap();
        file.write_all(b"U-Boot 2025.01\r\nmicrokernel: boot environment: copy 0\r\nmicrokernel: booting sl").unwrap();
        assert!(log.news().is_empty());
        file.write_all(b"ot B\r\n\x1b[!p\x1b[6nMicrokernel 1.0.1\r\n\r\nbash-5.2# ").unwrap();
        assert_eq!(log.news(), ["booting slot B", "runs Microkernel 1.0.1"]);
        file.write_all(b"\nmicrokernel: slot B has no attempts left: known bad\r\n").unwrap();
        assert_eq!(log.news(), ["slot B has no attempts left: known bad"]);
    }
}
