//! What this device is running: version, slot, boot.

use microkernel_wire::{BootId, DeviceState, Status, Timestamp};
use std::path::Path;

/// What a status says beside online or offline; it does not change while the service runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct About {
    version: String,
    slot: Option<String>,
    boot_id: Option<BootId>,
}

impl About {
    /// Reads it from the system below `root` (`/` but in tests).
    pub fn read(root: &Path) -> Self {
        let read = |path: &str| std::fs::read_to_string(root.join(path)).unwrap_or_default();
        Self {
            version: os_version(&read("etc/os-release")).unwrap_or_else(|| env!("CARGO_PKG_VERSION").to_owned()),
            slot: booted_slot(&read("proc/cmdline")),
            boot_id: read("proc/sys/kernel/random/boot_id").trim().parse().ok().map(BootId),
        }
    }

    /// The status of this moment.
    pub fn status(&self, state: DeviceState) -> Status {
        Status {
            state,
            version: Some(self.version.clone()),
            slot: self.slot.clone(),
            boot_id: self.boot_id,
            timestamp: Some(Timestamp::now()),
        }
    }
}

/// The version of our OS image (os-release(5)); `None` on another system, whose version says nothing about us.
fn os_version(os_release: &str) -> Option<String> {
    let field = |name: &str| {
        let value = os_release.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='))?;
        Some(value.trim().trim_matches(['"', '\'']).to_owned())
    };
    (field("ID")? == "microkernel").then(|| field("VERSION_ID"))?
}

/// The slot that the bootloader names on the kernel's command line (RAUC manual, "rauc.slot").
fn booted_slot(cmdline: &str) -> Option<String> {
    cmdline.split_whitespace().find_map(|word| word.strip_prefix("rauc.slot=")).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn about(os_release: &str, cmdline: &str) -> About {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in [
            ("etc/os-release", os_release),
            ("proc/cmdline", cmdline),
            ("proc/sys/kernel/random/boot_id", "f84b7cf4-1d6c-4a1b-9b57-0d4b7f9a3a55\n"),
        ] {
            let path = root.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        About::read(root.path())
    }

    #[test]
    fn on_our_image_the_version_is_the_image_s() {
        let about = about("ID=microkernel\nVERSION_ID=\"1.4.0\"\n", "root=/dev/mmcblk0p2 rauc.slot=B quiet\n");
        let status = about.status(DeviceState::Online);
        assert_eq!(status.version.as_deref(), Some("1.4.0"));
        assert_eq!(status.slot.as_deref(), Some("B"));
        assert_eq!(status.boot_id.unwrap().to_string(), "f84b7cf4-1d6c-4a1b-9b57-0d4b7f9a3a55");
    }

    #[test]
    fn elsewhere_the_version_is_the_program_s_and_there_is_no_slot() {
        let about = about("ID=debian\nVERSION_ID=\"13\"\n", "quiet\n");
        assert_eq!(about.version, env!("CARGO_PKG_VERSION"));
        assert_eq!(about.slot, None);
    }
}
