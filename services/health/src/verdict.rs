//! What was found, and where it is kept.

use serde::{Deserialize, Serialize};
use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
};

/// One thing that was checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// `storage`, `daemons` or `pipeline`.
    pub name: String,
    /// What was found when it is well (`Ok`), or what is wrong (`Err`).
    pub result: Result<String, String>,
}

impl Check {
    /// A check and what came of it.
    pub fn new(name: &str, result: Result<String, String>) -> Self {
        Self { name: name.to_owned(), result }
    }
}

/// What was judged: which slot, which build, in which boot.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slot {
    /// RAUC's name of the booted slot, `A` or `B`; empty when not started by the boot script.
    pub slot: String,
    /// `IMAGE_VERSION` of os-release(5).
    pub version: String,
    /// `BUILD_ID` of os-release(5).
    pub build: String,
    /// The kernel's identifier of this boot.
    pub boot_id: String,
}

impl Slot {
    /// Reads it from the system; what can't be read is empty.
    pub fn booted() -> Self {
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let (command_line, os_release) = (read("/proc/cmdline"), read("/etc/os-release"));
        Self {
            slot: value_of("rauc.slot", command_line.split_whitespace()),
            version: value_of("IMAGE_VERSION", os_release.lines()),
            build: value_of("BUILD_ID", os_release.lines()),
            boot_id: read("/proc/sys/kernel/random/boot_id").trim().to_owned(),
        }
    }
}

fn value_of<'a>(key: &str, mut assignments: impl Iterator<Item = &'a str>) -> String {
    let value = assignments.find_map(|assignment| assignment.strip_prefix(key)?.strip_prefix('='));
    value.unwrap_or_default().trim_matches('"').to_owned()
}

/// All that was found in one boot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// What was judged.
    #[serde(flatten)]
    pub slot: Slot,
    /// Whether it is fit to stay: no check failed.
    pub healthy: bool,
    /// Every check.
    pub checks: Vec<Check>,
}

impl Verdict {
    /// The verdict that follows from the checks.
    pub fn new(slot: Slot, checks: Vec<Check>) -> Self {
        Self { slot, healthy: checks.iter().all(|check| check.result.is_ok()), checks }
    }

    /// An error that names the checks that failed.
    ///
    /// # Errors
    /// When it is not healthy.
    pub fn into_result(self) -> anyhow::Result<()> {
        let failed = |check: &Check| check.result.as_ref().err().map(|reason| format!("{}: {reason}", check.name));
        let reasons: Vec<String> = self.checks.iter().filter_map(failed).collect();
        anyhow::ensure!(reasons.is_empty(), "slot {:?} is not fit to stay: {}", self.slot.slot, reasons.join("; "));
        Ok(())
    }
}

/// Why a verdict was not kept.
#[derive(Debug, thiserror::Error)]
#[error("keep the verdict in {}: {source}", path.display())]
pub struct KeepError {
    path: PathBuf,
    source: io::Error,
}

/// Keeps the verdict as `verdict-SLOT.json` in `folder`, so that the other slot can read it; one a slot, whole or not
/// at all.
///
/// # Errors
/// When it can't be written.
pub fn keep(folder: &Path, verdict: &Verdict) -> Result<(), KeepError> {
    let path = folder.join(format!("verdict-{}.json", verdict.slot.slot));
    let new = path.with_extension("new");
    let write = || {
        let mut file = File::create(&new)?;
        file.write_all(&serde_json::to_vec_pretty(verdict)?)?;
        file.sync_all()?;
        fs::rename(&new, &path)?;
        File::open(folder)?.sync_all()
    };
    write().map_err(|source| KeepError { path: path.clone(), source })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn one_failed_check_makes_it_unfit_and_is_named() {
        let checks = vec![Check::new("storage", Ok("writable".into())), Check::new("daemons", Err("no sensor".into()))];
        let verdict = Verdict::new(Slot { slot: "B".into(), ..Slot::default() }, checks);
        assert!(!verdict.healthy);
        let error = verdict.into_result().unwrap_err().to_string();
        assert_eq!(error, "slot \"B\" is not fit to stay: daemons: no sensor");
    }

    #[test]
    fn what_was_kept_is_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let slot = Slot { slot: "A".into(), version: "1.0.0".into(), build: "b1".into(), boot_id: "x".into() };
        let verdict = Verdict::new(slot, vec![Check::new("storage", Ok("writable".into()))]);
        keep(folder.path(), &verdict).unwrap();
        let text = fs::read(folder.path().join("verdict-A.json")).unwrap();
        assert_eq!(serde_json::from_slice::<Verdict>(&text).unwrap(), verdict);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn values_are_found_by_their_whole_key() {
        let lines = ["X_BUILD_ID=no", "BUILD_ID=\"7\""];
        assert_eq!(value_of("BUILD_ID", lines.into_iter()), "7");
        assert_eq!(value_of("IMAGE_VERSION", lines.into_iter()), "");
    }
}
