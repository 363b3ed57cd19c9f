//! What the kernel says of the machine: proc(5), statvfs(3), and the thermal zones of sysfs.
//!
//! Everything is optional: what a machine does not have is left out of the report.

use microkernel_wire::{Memory, Storage};
use std::path::Path;

/// Seconds since boot.
pub(super) fn uptime_seconds(root: &Path) -> Option<f64> {
    numbers(&read(root, "proc/uptime")?).next()
}

/// The load average over 1, 5 and 15 minutes.
pub(super) fn load(root: &Path) -> Option<[f64; 3]> {
    let text = read(root, "proc/loadavg")?;
    let mut averages = numbers(&text);
    Some([averages.next()?, averages.next()?, averages.next()?])
}

/// Main memory.
pub(super) fn memory(root: &Path) -> Option<Memory> {
    let text = read(root, "proc/meminfo")?;
    let bytes = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
        line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
    };
    Some(Memory { total_bytes: bytes("MemTotal")?, available_bytes: bytes("MemAvailable")? })
}

/// The file system that `path` is on, or will be on once it exists.
pub(super) fn storage(path: &Path) -> Option<Storage> {
    let existing = path.ancestors().find(|ancestor| ancestor.exists())?;
    let stat = rustix::fs::statvfs(existing).ok()?;
    Some(Storage { total_bytes: stat.f_blocks * stat.f_frsize, available_bytes: stat.f_bavail * stat.f_frsize })
}

/// The processor's temperature: of the thermal zone that says it is the processor's (`cpu-thermal` on a Raspberry Pi),
/// else of the first.
pub(super) fn temperature_celsius(root: &Path) -> Option<f64> {
    let mut zones: Vec<_> = std::fs::read_dir(root.join("sys/class/thermal"))
        .ok()?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("thermal_zone")))
        .collect();
    zones.sort();
    let is_processor = |zone: &&std::path::PathBuf| {
        read(zone, "type").is_some_and(|name| ["cpu", "soc", "x86_pkg"].iter().any(|part| name.contains(part)))
    };
    let zone = zones.iter().find(is_processor).or(zones.first())?;
    let millidegrees: f64 = read(zone, "temp")?.trim().parse().ok()?;
    Some(millidegrees / 1e3)
}

fn read(root: &Path, path: &str) -> Option<String> {
    std::fs::read_to_string(root.join(path)).ok()
}

fn numbers(text: &str) -> impl Iterator<Item = f64> + '_ {
    text.split_whitespace().map_while(|word| word.parse().ok())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn root(files: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = root.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        root
    }

    #[test]
    fn what_the_kernel_says_is_read() {
        let root = root(&[
            ("proc/uptime", "350735.47 234388.90\n"),
            ("proc/loadavg", "0.20 0.18 0.12 1/80 11206\n"),
            ("proc/meminfo", "MemTotal:         948304 kB\nMemFree:          1000 kB\nMemAvailable:     512000 kB\n"),
            ("sys/class/thermal/thermal_zone0/type", "acpitz\n"),
            ("sys/class/thermal/thermal_zone0/temp", "20000\n"),
            ("sys/class/thermal/thermal_zone1/type", "cpu-thermal\n"),
            ("sys/class/thermal/thermal_zone1/temp", "48312\n"),
        ]);
        assert_eq!(uptime_seconds(root.path()), Some(350_735.47));
        assert_eq!(load(root.path()), Some([0.20, 0.18, 0.12]));
        let memory = memory(root.path()).unwrap();
        assert_eq!((memory.total_bytes, memory.available_bytes), (948_304 * 1024, 512_000 * 1024));
        assert_eq!(temperature_celsius(root.path()), Some(48.312));
    }

    #[test]
    fn what_a_machine_does_not_have_is_absent() {
        let root = root(&[("proc/loadavg", "0.20 x")]);
        assert_eq!(uptime_seconds(root.path()), None);
        assert_eq!(load(root.path()), None);
        assert_eq!(memory(root.path()), None);
        assert_eq!(temperature_celsius(root.path()), None);
    }

    #[test]
    fn the_storage_of_a_folder_that_is_yet_to_be_made_is_its_parent_s() {
        let dir = tempfile::tempdir().unwrap();
        let storage = storage(&dir.path().join("not/yet")).unwrap();
        assert!(storage.total_bytes > 0 && storage.available_bytes <= storage.total_bytes);
    }
}
