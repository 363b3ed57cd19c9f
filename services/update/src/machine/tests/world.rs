//! A device with two slots whose actions have effects, for the machine to be tried in.

use crate::machine::{
    Action, ActionId, Artifact, BootId, Context, Deployment, Device, Event, Evidence, Handling, Journal, Offer, Policy,
    Transport, next,
};
use microkernel_bus::rauc::{BootStatus, BundleInfo, Image, Slot, SlotState};

/// The device, with what was done to it.
pub(super) struct World {
    pub(super) policy: Policy,
    pub(super) device: Device,
    pub(super) window_open: bool,
    pub(super) evidence: Evidence,
    pub(super) journal: Journal,
    /// Every action, in order.
    pub(super) done: Vec<Action>,
}

pub(super) const COMPATIBLE: &str = "microkernel-virtual";

impl World {
    /// 1.0.0 runs from slot A, confirmed; B was never written.
    pub(super) fn new(transport: Transport) -> Self {
        Self {
            policy: Policy { transport, allow_downgrade: false, attempts: 3 },
            device: Device {
                compatible: COMPATIBLE.to_owned(),
                version: "1.0.0".to_owned(),
                boot: BootId("boot-1".to_owned()),
                slots: vec![slot("rootfs.0", "A", SlotState::Booted), slot("rootfs.1", "B", SlotState::Inactive)],
                primary: Some("rootfs.0".to_owned()),
                installing: false,
                confirmed: true,
            },
            window_open: true,
            evidence: Evidence::default(),
            journal: Journal::default(),
            done: Vec::new(),
        }
    }

    /// Lets `event` happen; the actions that follow.
    pub(super) fn let_happen(&mut self, event: Event) -> Vec<Action> {
        let context = Context {
            policy: &self.policy,
            device: &self.device,
            window_open: self.window_open,
            evidence: &self.evidence,
        };
        let (journal, actions) = next(&self.journal, event, &context).unwrap();
        // What is on the disk is what comes back from it.
        self.journal = serde_json::from_str(&serde_json::to_string(&journal).unwrap()).unwrap();
        assert_eq!(self.journal, journal);
        if actions.contains(&Action::KeepRunningSlot) {
            self.device.primary = Some(self.device.booted().unwrap().name.clone());
        }
        self.done.extend(actions.clone());
        actions
    }

    pub(super) fn state(&self) -> &'static str {
        self.journal.state.name()
    }

    /// What RAUC does in the end of an installation into slot B.
    pub(super) fn write_other_slot(&mut self, version: &str) {
        let other = self.device.slots.iter_mut().find(|slot| slot.state == SlotState::Inactive).unwrap();
        other.version = Some(version.to_owned());
        other.manifest_hash = Some(format!("hash of {version}"));
        other.activated_count += 1;
        self.device.primary = Some(other.name.clone());
    }

    /// Boots the slot of this name, for the boot loader's reasons; the agent starts.
    pub(super) fn boot(&mut self, name: &str) -> Vec<Action> {
        let number: u32 = self.device.boot.0.trim_start_matches("boot-").parse().unwrap();
        self.device.boot = BootId(format!("boot-{}", number + 1));
        for slot in &mut self.device.slots {
            slot.state = if slot.name == name { SlotState::Booted } else { SlotState::Inactive };
        }
        self.device.installing = false;
        self.device.version = self.device.booted().unwrap().version.clone().unwrap_or_else(|| "1.0.0".to_owned());
        self.device.confirmed = false;
        self.let_happen(Event::Started)
    }

    /// Up to the reboot into slot B with 1.0.1.
    pub(super) fn install_up_to_reboot(&mut self) {
        self.let_happen(offered("1", "1.0.1"));
        if self.state() == "downloading" {
            self.let_happen(Event::Downloaded(Ok(())));
        }
        self.let_happen(Event::Checked(Ok(bundle("1.0.1"))));
        self.write_other_slot("1.0.1");
        self.let_happen(Event::Finished(Ok(())));
    }
}

fn slot(name: &str, bootname: &str, state: SlotState) -> Slot {
    Slot {
        name: name.to_owned(),
        bootname: Some(bootname.to_owned()),
        state,
        boot_status: BootStatus::Good,
        version: None,
        manifest_hash: None,
        activated_count: 0,
    }
}

pub(super) fn deployment(action: &str, version: &str) -> Deployment {
    Deployment {
        action: ActionId(action.to_owned()),
        version: version.to_owned(),
        artifact: Artifact { url: "https://u/b.raucb".to_owned(), sha256: None, size_bytes: None },
        download: Handling::Attempt,
        update: Handling::Attempt,
        window_closed: false,
    }
}

pub(super) fn offered(action: &str, version: &str) -> Event {
    Event::Polled(Offer::Deployment(deployment(action, version)))
}

pub(super) fn bundle(version: &str) -> BundleInfo {
    BundleInfo {
        compatible: COMPATIBLE.to_owned(),
        version: version.to_owned(),
        manifest_hash: Some(format!("hash of {version}")),
        images: vec![Image { slot_class: "rootfs".to_owned(), artifact: None }],
    }
}
