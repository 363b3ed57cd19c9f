//! What the system says about itself: boot, version, slot, and what is left of earlier boots.

use crate::machine::{BootId, Evidence, HealthVerdict};
use microkernel_daemon::health_record::{HealthRecord, Verdict};
use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// `WDIOF_CARDRESET` of linux/watchdog.h: the watchdog reset the machine.
const WATCHDOG_RESET: u32 = 0x20;
/// Where the kernel's last words are found after a panic: as the kernel gives them, and where systemd-pstore puts them.
const PSTORE_DIRS: [&str; 2] = ["sys/fs/pstore", "var/lib/systemd/pstore"];

/// The files of the system, below a folder that is `/` but in tests.
#[derive(Debug, Clone)]
pub struct System {
    root: PathBuf,
    health_record: HealthRecord,
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
        Evidence { verdicts: self.verdicts(), panic: self.panic(), watchdog_reset: self.watchdog_reset() }
    }

    fn verdicts(&self) -> Vec<HealthVerdict> {
        let verdict = |Verdict { boot_id, slot, failures, .. }| HealthVerdict { boot: BootId(boot_id), slot, failures };
        self.health_record.load().into_iter().map(verdict).collect()
    }

    fn panic(&self) -> Option<String> {
        let files = PSTORE_DIRS.iter().flat_map(|dir| files_below(&self.root.join(dir), 2));
        let dumps = files.filter(|path| file_name(path).starts_with("dmesg"));
        dumps.filter_map(|path| fs::read(path).ok()).find_map(|dump| last_words(&String::from_utf8_lossy(&dump)))
    }

    fn watchdog_reset(&self) -> bool {
        let watchdogs = files_below(&self.root.join("sys/class/watchdog"), 2);
        watchdogs.iter().filter(|path| file_name(path) == "bootstatus").any(|path| {
            let status = fs::read_to_string(path).unwrap_or_default();
            status.trim().parse::<u32>().is_ok_and(|status| status & WATCHDOG_RESET != 0)
        })
    }

    fn read(&self, path: &str) -> String {
        fs::read_to_string(self.root.join(path)).unwrap_or_default()
    }
}

/// `Kernel panic - not syncing: …` without its time stamp.
fn last_words(dump: &str) -> Option<String> {
    let line = dump.lines().find(|line| line.contains("Kernel panic"))?;
    Some(line[line.find("Kernel panic")?..].trim().to_owned())
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// The files in a folder and, to that depth, in those below it (links to folders too: sysfs is made of them).
fn files_below(dir: &Path, depth: u32) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(dir) else { return Vec::new() };
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    let (dirs, mut files): (Vec<_>, Vec<_>) = paths.into_iter().partition(|path| path.is_dir());
    if depth > 1 {
        files.extend(dirs.iter().flat_map(|dir| files_below(dir, depth - 1)));
    }
    files
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
                "sys/fs/pstore/dmesg-ramoops-0",
                "Oops#1 Part1\n<0>[   12.3] Kernel panic - not syncing: Attempted to kill init!\n",
            ),
            ("sys/class/watchdog/watchdog0/bootstatus", "32\n"),
            ("verdicts.json", r#"[{"boot_id":"b1","slot":"B","failures":["pipeline: no reading"]}]"#),
        ]);
        let evidence = system.evidence();
        assert_eq!(evidence.panic.unwrap(), "Kernel panic - not syncing: Attempted to kill init!");
        assert!(evidence.watchdog_reset);
        assert_eq!(evidence.verdicts[0].failures, ["pipeline: no reading"]);
    }

    #[test]
    fn nothing_is_found_where_nothing_is() {
        let (_root, empty) = system(&[]);
        assert_eq!(empty.evidence(), Evidence::default());
        let (_root, ordinary) = system(&[
            ("sys/fs/pstore/console-ramoops-0", "Kernel panic in an old console\n"),
            ("sys/class/watchdog/watchdog0/bootstatus", "0\n"),
            ("verdicts.json", "garbage"),
        ]);
        assert_eq!(ordinary.evidence(), Evidence::default());
    }
}
