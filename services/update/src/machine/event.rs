//! What happens to the machine, what it knows about the world, and what it wants done.

use super::{
    rollback::Evidence,
    state::{ActionId, BootId, Deployment, Outcome, SlotRef},
};
use microkernel_bus::rauc::{BundleInfo, Slot, SlotState};

/// How a bundle gets to RAUC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// RAUC reads it from the server, the parts that it needs: nothing is stored.
    Stream,
    /// It is downloaded whole, and installed from the file.
    File,
}

/// What the configuration says about updates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// How a bundle gets to RAUC.
    pub transport: Transport,
    /// Whether an older version may be installed.
    pub allow_downgrade: bool,
    /// After so many failures of one action it is given up; at least 1.
    pub attempts: u32,
}

/// What the device is, at this moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// What bundles it takes.
    pub compatible: String,
    /// The version that runs; empty when unknown.
    pub version: String,
    /// The present boot.
    pub boot: BootId,
    /// Every slot.
    pub slots: Vec<Slot>,
    /// The name of the slot that will be booted next, when the boot loader tells.
    pub primary: Option<String>,
    /// Whether RAUC is installing.
    pub installing: bool,
    /// Whether the running slot was marked good in this boot.
    pub confirmed: bool,
}

impl Device {
    /// The slot that runs.
    pub fn booted(&self) -> Option<&Slot> {
        self.slots.iter().find(|slot| slot.state == SlotState::Booted)
    }

    /// The slot that an installation would write, when the device is one with two of them.
    pub(super) fn other(&self) -> Option<&Slot> {
        self.slots.iter().find(|slot| slot.state == SlotState::Inactive && slot.bootname.is_some())
    }

    pub(super) fn runs(&self, slot: &SlotRef) -> bool {
        self.booted().is_some_and(|booted| booted.name == slot.name)
    }
}

/// Everything that a decision depends on beside the journal and the event.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// The configuration.
    pub policy: &'a Policy,
    /// The device.
    pub device: &'a Device,
    /// Whether the device's own maintenance window is open.
    pub window_open: bool,
    /// What is left of earlier boots.
    pub evidence: &'a Evidence,
}

/// Why something did not work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// For people.
    pub reason: String,
    /// Whether trying again is pointless: the bundle itself was judged.
    pub is_final: bool,
}

/// What the server has for this device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Offer {
    /// Nothing.
    Nothing,
    /// This.
    Deployment(Deployment),
    /// Something that no device could install.
    Unusable {
        /// The assignment.
        action: ActionId,
        /// What is wrong with it.
        reason: String,
    },
    /// It wants this action cancelled.
    Cancel(ActionId),
}

impl Offer {
    /// The action that it would have the device carry out.
    pub fn action(&self) -> Option<&ActionId> {
        match self {
            Self::Deployment(deployment) => Some(&deployment.action),
            Self::Unusable { action, .. } => Some(action),
            Self::Nothing | Self::Cancel(_) => None,
        }
    }
}

/// What happens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The agent has started, or has lost track: resume.
    Started,
    /// The server was asked.
    Polled(Offer),
    /// Somebody wants what is on offer now.
    Urged,
    /// Time has passed: conditions may have changed.
    Tick,
    /// The download has ended.
    Downloaded(Result<(), Failure>),
    /// The bundle was verified and its manifest read, or not.
    Checked(Result<BundleInfo, Failure>),
    /// The installation has ended.
    Finished(Result<(), Failure>),
    /// The installation has ended, but how was not seen.
    LostTrack,
    /// The server has taken the outcome of this action, or does not want it any more.
    Reported(ActionId),
}

/// How far an action is, for the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// It is put off.
    Scheduled,
    /// It goes on.
    Proceeding,
    /// The bundle is here.
    Downloaded,
}

/// The answer to a request to cancel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CancelAnswer {
    /// It is cancelled.
    Done(String),
    /// It can't be any more.
    TooLate(String),
}

/// What is to be done. In the order given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Download the bundle, or the rest of it; answered by [`Event::Downloaded`].
    Download(Deployment),
    /// Have RAUC verify the bundle and read its manifest; answered by [`Event::Checked`].
    Check(Deployment),
    /// Have RAUC install the bundle; answered by [`Event::Finished`] or [`Event::LostTrack`].
    Install(Deployment),
    /// Watch the installation that RAUC is at; answered likewise.
    Watch,
    /// Make the running slot the one to boot next time too.
    KeepRunningSlot,
    /// Have the services that use artifacts (scripts, models) take the new ones up. May get lost.
    TakeUpArtifacts,
    /// Reboot.
    Reboot,
    /// Delete what was downloaded.
    Discard,
    /// Tell the server how far it is. May get lost.
    Tell(ActionId, Stage, String),
    /// Tell the server how it ended; answered by [`Event::Reported`] once the server has it.
    Report(ActionId, Outcome),
    /// Answer a request to cancel. When it gets lost, the server asks again.
    AnswerCancel(ActionId, CancelAnswer),
}
