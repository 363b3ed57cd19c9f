//! What the health check found in the last boots: written by `microkernel-health`, read by the OTA agent, which has to
//! explain a rollback from the other slot.

use crate::replace_file;
use serde::{Deserialize, Serialize};
use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// How many boots are remembered: more than two slots have attempts, by far.
const REMEMBERED: usize = 20;

/// What was found in one boot.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// The kernel's identifier of the boot.
    pub boot_id: String,
    /// The slot that ran, as the boot loader calls it; empty when it was not started by the boot script.
    pub slot: String,
    /// The version in it.
    #[serde(default)]
    pub version: String,
    /// The build of it.
    #[serde(default)]
    pub build: String,
    /// What failed, `check: why` each; empty when the slot is fit to stay.
    pub failures: Vec<String>,
}

/// Why the record can't be written.
#[derive(Debug, thiserror::Error)]
#[error("write the health record {}: {source}", path.display())]
pub struct HealthRecordError {
    path: PathBuf,
    source: io::Error,
}

/// The record: a JSON array of [`Verdict`]s, the newest last, in one file that is replaced as a whole.
#[derive(Debug, Clone)]
pub struct HealthRecord {
    path: PathBuf,
}

impl HealthRecord {
    /// The record in this file.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// The device's: `health/verdicts.json` in the state folder.
    pub fn below(state_dir: &Path) -> Self {
        Self::at(state_dir.join("health/verdicts.json"))
    }

    /// The last verdicts, the oldest first. A record that is not there or can't be understood (the other slot may hold a
    /// newer version) is an empty one.
    pub fn load(&self) -> Vec<Verdict> {
        let Ok(text) = fs::read(&self.path) else { return Vec::new() };
        serde_json::from_slice(&text).unwrap_or_else(|error| {
            tracing::warn!("{} is not a record of verdicts and counts as empty: {error}", self.path.display());
            Vec::new()
        })
    }

    /// Adds a verdict, in the place of an earlier one of the same boot; forgets what is older than the last 20.
    ///
    /// # Errors
    /// When it can't be written: the record stays as it was.
    pub fn add(&self, verdict: Verdict) -> Result<(), HealthRecordError> {
        let mut verdicts = self.load();
        verdicts.retain(|earlier| earlier.boot_id != verdict.boot_id);
        verdicts.push(verdict);
        let excess = verdicts.len().saturating_sub(REMEMBERED);
        verdicts.drain(..excess);
        // For the agent to read, which is another user.
        serde_json::to_vec_pretty(&verdicts)
            .map_err(io::Error::from)
            .and_then(|text| replace_file(&self.path, &text, 0o644))
            .map_err(|source| HealthRecordError { path: self.path.clone(), source })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn verdict(boot_id: &str, failures: &[&str]) -> Verdict {
        let failures = failures.iter().map(|&failure| failure.to_owned()).collect();
        Verdict { boot_id: boot_id.to_owned(), slot: "B".to_owned(), failures, ..Verdict::default() }
    }

    #[test]
    fn verdicts_are_kept_in_order_one_a_boot() {
        let folder = tempfile::tempdir().unwrap();
        let record = HealthRecord::at(folder.path().join("verdicts.json"));
        assert_eq!(record.load(), []);
        let (first, second) = (verdict("1", &["storage: full"]), verdict("2", &[]));
        for one in [verdict("1", &[]), first.clone(), second.clone()] {
            record.add(one).unwrap();
        }
        assert_eq!(record.load(), [first, second]);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing else is left");
    }

    #[test]
    fn only_the_last_boots_are_remembered() {
        let folder = tempfile::tempdir().unwrap();
        let record = HealthRecord::at(folder.path().join("verdicts.json"));
        for boot in 0..REMEMBERED + 3 {
            record.add(verdict(&boot.to_string(), &[])).unwrap();
        }
        let verdicts = record.load();
        assert_eq!((verdicts.len(), verdicts[0].boot_id.as_str()), (REMEMBERED, "3"));
    }

    #[test]
    fn what_is_no_record_counts_as_empty_and_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let record = HealthRecord::at(folder.path().join("verdicts.json"));
        for text in ["", "garbage", "{}", r#"[{"slot":3}]"#] {
            fs::write(folder.path().join("verdicts.json"), text).unwrap();
            assert_eq!(record.load(), [], "{text}");
        }
        record.add(verdict("1", &[])).unwrap();
        assert_eq!(record.load().len(), 1);
    }

    #[test]
    fn a_record_that_cannot_be_written_is_named() {
        let error = HealthRecord::at("/proc/nonexistent/verdicts.json").add(verdict("1", &[])).unwrap_err().to_string();
        assert!(error.starts_with("write the health record /proc/nonexistent/verdicts.json"), "{error}");
    }
}
