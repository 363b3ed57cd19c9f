//! What the system says about itself: boot, version, slot, and what is left of earlier boots.

use crate::machine::{BootId, BootRecord, Evidence, HealthVerdict, SuddenEnd};
use microkernel_daemon::health_record::{HealthRecord, Verdict};
use serde::Deserialize;
use std::{collections::BTreeMap, fs, io, path::PathBuf};

/// What `/usr/lib/microkernel/record-boot` writes early in each boot: an object a line, the newest last.
const BOOTS: &str = "data/microkernel/boots.jsonl";

/// The files of the system, below a folder that is `/` but in tests.
#[derive(Debug, Clone)]
pub struct System {
    root: PathBuf,
    health_record: HealthRecord,
}

/// A line of that record.
#[derive(Debug, Deserialize)]
struct Boot {
    boot_id: String,
    slot: String,
    /// How often a slot may be started.
    attempts: u32,
    /// How many of these are left, by slot.
    #[serde(default)]
    left: BTreeMap<String, u32>,
    panic: Option<String>,
    #[serde(default)]
    watchdog: bool,
    /// What failed, when this boot ended in emergency mode: then it has a second line.
    emergency: Option<String>,
}

impl From<Boot> for BootRecord {
    fn from(boot: Boot) -> Self {
        let before = match boot.panic {
            Some(words) => Some(SuddenEnd::Panic(words)),
            None => boot.watchdog.then_some(SuddenEnd::Watchdog),
        };
        let starts = boot.left.into_iter().map(|(slot, left)| (slot, boot.attempts.saturating_sub(left))).collect();
        Self { boot: BootId(boot.boot_id), slot: boot.slot, starts, before, emergency: boot.emergency }
    }
}

impl System {
    /// The system below `root`, with the health check's record.
    pub fn new(root: PathBuf, health_record: HealthRecord) -> Self {
        Self { root, health_record }
    }

    /// The present boot.
    ///
    /// # Errors
    /// When the kernel does not say.
    pub fn boot_id(&self) -> io::Result<BootId> {
        let path = self.root.join("proc/sys/kernel/random/boot_id");
        let text = fs::read_to_string(&path)
            .map_err(|error| io::Error::new(error.kind(), format!("read {}: {error}", path.display())))?;
        Ok(BootId(text.trim().to_owned()))
    }

    /// The version of our OS image (os-release(5)); `None` on another system, whose version says nothing about us.
    pub fn version(&self) -> Option<String> {
        let text = self.read("etc/os-release");
        let field = |name: &str| {
            let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='))?;
            Some(value.trim().trim_matches(['"', '\'']).to_owned())
        };
        (field("ID")? == "microkernel").then(|| field("VERSION_ID"))?
    }

    /// The slot that the boot loader names on the kernel's command line (RAUC manual, `rauc.slot`).
    pub fn slot(&self) -> Option<String> {
        let cmdline = self.read("proc/cmdline");
        cmdline.split_whitespace().find_map(|word| word.strip_prefix("rauc.slot=")).map(str::to_owned)
    }

    /// What is left of earlier boots. What can't be read is not there.
    pub fn evidence(&self) -> Evidence {
        Evidence { verdicts: self.verdicts(), boots: self.boots() }
    }

    fn verdicts(&self) -> Vec<HealthVerdict> {
        let verdict = |Verdict { boot_id, slot, failures, .. }| HealthVerdict { boot: BootId(boot_id), slot, failures };
        self.health_record.load().into_iter().map(verdict).collect()
    }

    /// A line that can't be understood may be another version's: the others still say something.
    fn boots(&self) -> Vec<BootRecord> {
        let text = self.read(BOOTS);
        text.lines().filter_map(|line| serde_json::from_str::<Boot>(line).ok()).map(BootRecord::from).collect()
    }

    fn read(&self, path: &str) -> String {
        fs::read_to_string(self.root.join(path)).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn system(files: &[(&str, &str)]) -> (tempfile::TempDir, System) {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let system = System::new(root.path().to_owned(), HealthRecord::at(root.path().join("verdicts.json")));
        (root, system)
    }

    #[test]
    fn tells_boot_version_and_slot() {
        let (_root, system) = system(&[
            ("proc/sys/kernel/random/boot_id", "f84b7cf4-1d6c-4a1b-9b57-0d4b7f9a3a55\n"),
            ("etc/os-release", "ID=microkernel\nVERSION_ID=\"1.4.0\"\n"),
            ("proc/cmdline", "quiet rauc.slot=B\n"),
        ]);
        assert_eq!(system.boot_id().unwrap().0, "f84b7cf4-1d6c-4a1b-9b57-0d4b7f9a3a55");
        assert_eq!(system.version().unwrap(), "1.4.0");
        assert_eq!(system.slot().unwrap(), "B");
    }

    #[test]
    fn another_system_has_no_version_of_ours() {
        let (_root, system) = system(&[("etc/os-release", "ID=debian\nVERSION_ID=13\n")]);
        assert_eq!(system.version(), None);
        assert!(system.boot_id().unwrap_err().to_string().contains("boot_id"));
    }

    #[test]
    fn finds_what_is_left_of_earlier_boots() {
        let (_root, system) = system(&[
            (
                BOOTS,
                r#"{"boot_id":"b1","slot":"B","build":"x","attempts":3,"left":{"A":3,"B":2},"watchdog":false}
{"boot_id":"b2","slot":"B","attempts":3,"watchdog":true}
a line of another version
{"boot_id":"b2","slot":"B","attempts":3,"watchdog":false,"emergency":"data.mount"}
{"boot_id":"b3","slot":"A","attempts":3,"left":{"A":2,"B":0},"panic":"Kernel panic - x","watchdog":true}
"#,
            ),
            ("verdicts.json", r#"[{"boot_id":"b1","slot":"B","failures":["pipeline: no reading"]}]"#),
        ]);
        let evidence = system.evidence();
        let ends: Vec<_> = evidence.boots.iter().map(|record| record.before.clone()).collect();
        let panic = SuddenEnd::Panic("Kernel panic - x".to_owned());
        assert_eq!(ends, [None, Some(SuddenEnd::Watchdog), None, Some(panic)]);
        assert_eq!(evidence.boots[1].starts, []);
        assert_eq!(evidence.boots[2].emergency.as_deref(), Some("data.mount"));
        assert_eq!(evidence.boots[3].starts, [("A".to_owned(), 1), ("B".to_owned(), 3)]);
        assert_eq!(evidence.verdicts[0].failures, ["pipeline: no reading"]);
    }

    #[test]
    fn nothing_is_found_where_nothing_is() {
        let (_root, empty) = system(&[]);
        assert_eq!(empty.evidence(), Evidence::default());
        let (_root, ordinary) = system(&[(BOOTS, "garbage"), ("verdicts.json", "garbage")]);
        assert_eq!(ordinary.evidence(), Evidence::default());
    }
}
