//! What was found.

use microkernel_daemon::health_record::Verdict;
use std::fs;

/// One thing that was checked.
#[derive(Debug, Clone, PartialEq, Eq)]
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
#[derive(Debug, Clone, Default, PartialEq, Eq)]
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
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// What was judged.
    pub slot: Slot,
    /// Every check.
    pub checks: Vec<Check>,
}

impl Report {
    /// What is remembered of it.
    pub fn verdict(&self) -> Verdict {
        let Slot { slot, version, build, boot_id } = self.slot.clone();
        Verdict { boot_id, slot, version, build, failures: self.failures() }
    }

    /// An error that names the checks that failed.
    ///
    /// # Errors
    /// When it is not fit to stay: a check failed.
    pub fn into_result(self) -> anyhow::Result<()> {
        let failures = self.failures();
        anyhow::ensure!(failures.is_empty(), "slot {:?} is not fit to stay: {}", self.slot.slot, failures.join("; "));
        Ok(())
    }

    fn failures(&self) -> Vec<String> {
        let failed = |check: &Check| check.result.as_ref().err().map(|reason| format!("{}: {reason}", check.name));
        self.checks.iter().filter_map(failed).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_failed_check_makes_it_unfit_and_is_named() {
        let checks = vec![Check::new("storage", Ok("writable".into())), Check::new("daemons", Err("no sensor".into()))];
        let report = Report { slot: Slot { slot: "B".into(), ..Slot::default() }, checks };
        assert_eq!(report.verdict().failures, ["daemons: no sensor"]);
        let error = report.into_result().map_err(|error| error.to_string());
        assert_eq!(error, Err("slot \"B\" is not fit to stay: daemons: no sensor".to_owned()));
    }

    #[test]
    fn what_is_well_passes_and_says_what_it_was() {
        let slot = Slot { slot: "A".into(), version: "1.0.0".into(), build: "b1".into(), boot_id: "x".into() };
        let report = Report { slot, checks: vec![Check::new("storage", Ok("writable".into()))] };
        let verdict = report.verdict();
        assert_eq!((verdict.slot.as_str(), verdict.version.as_str(), verdict.build.as_str()), ("A", "1.0.0", "b1"));
        assert_eq!((verdict.boot_id.as_str(), report.into_result().is_ok()), ("x", verdict.failures.is_empty()));
    }

    #[test]
    fn values_are_found_by_their_whole_key() {
        let lines = ["X_BUILD_ID=no", "BUILD_ID=\"7\""];
        assert_eq!(value_of("BUILD_ID", lines.into_iter()), "7");
        assert_eq!(value_of("IMAGE_VERSION", lines.into_iter()), "");
    }
}
