//! What RAUC knows of a slot.

use super::dictionary::Dictionary;

/// A slot with its status (manual, `GetSlotStatus`). What was never written has no bundle and counts of 0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slot {
    /// Its name in `system.conf`, for example `rootfs.0`.
    pub name: String,
    /// Its name for the boot loader, for example `A`; only a slot that can be booted has one.
    pub bootname: Option<String>,
    /// Whether it is in use.
    pub state: SlotState,
    /// Whether the boot loader would start it.
    pub boot_status: BootStatus,
    /// The version of the bundle that was last written to it.
    pub version: Option<String>,
    /// The hash of that bundle's manifest. RAUC 1.9 and later.
    pub manifest_hash: Option<String>,
    /// How often it was made the one to boot. Goes up as the last step of an installation.
    pub activated_count: u32,
}

/// Whether a slot is in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SlotState {
    /// The system runs from it.
    Booted,
    /// It belongs to the one that was booted.
    Active,
    /// It is not in use: the next installation may overwrite it.
    Inactive,
}

/// Whether the boot loader would start a slot. A slot that still has attempts is `Good`, whether or not it ever passed a
/// health check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BootStatus {
    /// It may be started.
    Good,
    /// It was given up.
    Bad,
    /// It can't be told, or the slot is not one to be booted.
    Unknown,
}

impl Slot {
    pub(super) fn new(name: String, status: Dictionary) -> Self {
        Self {
            name,
            bootname: status.optional_text("bootname"),
            state: match status.text("state").as_str() {
                "booted" => SlotState::Booted,
                "active" => SlotState::Active,
                _ => SlotState::Inactive,
            },
            boot_status: match status.text("boot-status").as_str() {
                "good" => BootStatus::Good,
                "bad" => BootStatus::Bad,
                _ => BootStatus::Unknown,
            },
            version: status.optional_text("bundle.version"),
            manifest_hash: status.optional_text("bundle.hash"),
            activated_count: status.count("activated.count"),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use zbus::Variant;

    fn slot(status: &[(&str, Variant<'_>)]) -> Slot {
        let owned = |(key, value): &(&str, Variant<'_>)| ((*key).to_owned(), value.try_to_owned().unwrap());
        Slot::new("rootfs.1".to_owned(), Dictionary(status.iter().map(owned).collect()))
    }

    #[test]
    fn a_slot_that_was_never_written_has_no_bundle() {
        let slot = slot(&[("bootname", "B".into()), ("state", "inactive".into()), ("boot-status", "bad".into())]);
        assert_eq!(
            (slot.bootname.as_deref(), slot.state, slot.boot_status),
            (Some("B"), SlotState::Inactive, BootStatus::Bad)
        );
        assert_eq!((slot.version, slot.manifest_hash, slot.activated_count), (None, None, 0));
    }

    #[test]
    fn what_is_not_of_its_type_is_not_there() {
        let slot =
            slot(&[("bundle.version", 7_u32.into()), ("activated.count", "3".into()), ("state", "asleep".into())]);
        assert_eq!((slot.version, slot.activated_count, slot.state), (None, 0, SlotState::Inactive));
        assert_eq!(slot.boot_status, BootStatus::Unknown);
    }
}
