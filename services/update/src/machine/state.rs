//! What is remembered: the state, and what was concluded.

use serde::{Deserialize, Serialize};
use std::{collections::VecDeque, fmt};

/// The server's name for one assignment of a version to this device (hawkBit: action).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ActionId(pub String);

impl fmt::Display for ActionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The kernel's name for one boot; a new one at every boot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct BootId(pub String);

/// What the server wants done with a part of a deployment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Handling {
    /// Not now.
    Skip,
    /// When it suits the device: in its own maintenance window.
    Attempt,
    /// At once, whatever the device's own window.
    Forced,
}

/// The bundle of a deployment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Artifact {
    /// Where it is.
    pub url: String,
    /// The SHA-256 of the whole file, hexadecimal, when the server tells it.
    pub sha256: Option<String>,
    /// Its size in bytes, when the server tells it.
    pub size_bytes: Option<u64>,
}

/// What the server offers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deployment {
    /// The assignment.
    pub action: ActionId,
    /// The version, in the server's words; the bundle's manifest is what counts.
    pub version: String,
    /// The bundle.
    pub artifact: Artifact,
    /// What is wanted of the download.
    pub download: Handling,
    /// What is wanted of the installation.
    pub update: Handling,
    /// Whether the server's maintenance window for this device is closed.
    pub window_closed: bool,
}

/// A deployment that is being worked on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Work {
    /// What is to be installed.
    pub deployment: Deployment,
    /// How often it failed so far, or was interrupted.
    pub failures: u32,
    /// Whether somebody asked for it on the spot: the device's own window does not matter.
    pub urgent: bool,
    /// Whether the bundle is in the download folder.
    pub downloaded: bool,
}

/// Whether a bundle changes what is booted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// It writes slots: a reboot is needed.
    Slots,
    /// It brings artifacts (scripts, models) only.
    Artifacts,
}

/// A slot, as it was when the plan was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SlotRef {
    /// RAUC's name, for example `rootfs.0`.
    pub name: String,
    /// The boot loader's name, for example `A`: the one that people know.
    pub bootname: String,
}

/// What an installation is to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// Whether it writes slots.
    pub kind: Kind,
    /// The version, by the bundle's manifest.
    pub version: String,
    /// The hash of the manifest that was judged.
    pub manifest_hash: Option<String>,
    /// The slot that runs now, and goes on if this fails.
    pub from: SlotRef,
    /// The version in it.
    pub from_version: String,
    /// The slot that will be written.
    pub target: SlotRef,
    /// How often that slot had been activated before: one more means that the installation went through.
    pub activated_count: u32,
}

/// Why a deployment is not gone ahead with now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Hold {
    /// The server says so (`skip`).
    ServerSkips,
    /// The server's maintenance window is closed.
    ServerWindow,
    /// The device's own maintenance window is closed.
    DeviceWindow,
    /// The slot that runs has not passed its health check yet.
    Unconfirmed,
    /// The system was not booted from a slot: there is none to keep.
    NoBootedSlot,
    /// RAUC is installing something that somebody else asked for.
    InstallerBusy,
    /// It failed, and will be tried again after the next poll.
    Retry(String),
}

impl fmt::Display for Hold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ServerSkips => f.write_str("waiting until the server lets it go ahead"),
            Self::ServerWindow => f.write_str("waiting for the maintenance window of the server"),
            Self::DeviceWindow => f.write_str("waiting for the maintenance window of the device"),
            Self::Unconfirmed => f.write_str("waiting until the running slot has passed its health check"),
            Self::NoBootedSlot => f.write_str("the system was not booted from a slot: nothing is installed"),
            Self::InstallerBusy => f.write_str("waiting until RAUC has finished another installation"),
            Self::Retry(error) => write!(f, "trying again after: {error}"),
        }
    }
}

/// How an action ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "result", rename_all = "kebab-case")]
pub enum Outcome {
    /// It is installed and confirmed.
    Success {
        /// For people, a line each.
        details: Vec<String>,
    },
    /// It is not.
    Failure {
        /// Why, for people: a line each, the first one alone says it.
        details: Vec<String>,
    },
    /// The server cancelled it.
    Cancelled,
}

impl Outcome {
    /// A failure that one line explains.
    pub fn failure(reason: impl Into<String>) -> Self {
        Self::Failure { details: vec![reason.into()] }
    }
}

/// An action that is over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Concluded {
    /// Which.
    pub action: ActionId,
    /// How.
    pub outcome: Outcome,
}

/// What is remembered of an action that was dropped and may come back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Setback {
    /// Which.
    pub action: ActionId,
    /// How often it had failed.
    pub failures: u32,
}

/// Where the agent is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum State {
    /// Nothing to do.
    #[default]
    Idle,
    /// Something is on offer, but not now.
    Held {
        /// What.
        work: Work,
        /// Why not.
        why: Hold,
    },
    /// The bundle is being downloaded.
    Downloading {
        /// What.
        work: Work,
    },
    /// RAUC verifies the bundle and reads its manifest.
    Checking {
        /// What.
        work: Work,
    },
    /// RAUC installs.
    Installing {
        /// What.
        work: Work,
        /// How.
        plan: Plan,
        /// Whether the server has cancelled it meanwhile. RAUC can't be stopped, but the slot need not be booted.
        cancelled: bool,
    },
    /// The new slot will be booted next time.
    Installed {
        /// What.
        work: Work,
        /// How.
        plan: Plan,
        /// In which boot it was installed.
        boot: BootId,
    },
    /// The reboot has been asked for.
    Rebooting {
        /// What.
        work: Work,
        /// How.
        plan: Plan,
        /// In which boot it was asked for.
        boot: BootId,
    },
    /// The new slot runs and has yet to pass its health check.
    Confirming {
        /// What.
        work: Work,
        /// How.
        plan: Plan,
        /// The present boot.
        boot: BootId,
        /// How many boots of the new slot got as far as this agent.
        boots: u32,
    },
    /// It is over; the server has yet to take the outcome.
    Reporting {
        /// How it ended.
        concluded: Concluded,
    },
}

impl State {
    /// One word for it, as shown on the bus.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Held { .. } => "waiting",
            Self::Downloading { .. } => "downloading",
            Self::Checking { .. } => "checking",
            Self::Installing { .. } => "installing",
            Self::Installed { .. } => "installed",
            Self::Rebooting { .. } => "rebooting",
            Self::Confirming { .. } => "confirming",
            Self::Reporting { .. } => "reporting",
        }
    }

    /// What is being worked on; none when idle, or over.
    pub fn work(&self) -> Option<&Work> {
        match self {
            Self::Idle | Self::Reporting { .. } => None,
            Self::Held { work, .. }
            | Self::Downloading { work }
            | Self::Checking { work }
            | Self::Installing { work, .. }
            | Self::Installed { work, .. }
            | Self::Rebooting { work, .. }
            | Self::Confirming { work, .. } => Some(work),
        }
    }
}

/// What survives a crash, a reboot and a power cut.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Journal {
    /// Where the agent is.
    pub state: State,
    /// The last actions that are over, the oldest first.
    #[serde(default)]
    pub concluded: VecDeque<Concluded>,
    /// The last actions that had failed when the server dropped them, the oldest first: one that comes and goes must not
    /// get its attempts anew.
    #[serde(default)]
    pub setbacks: VecDeque<Setback>,
}

impl Journal {
    /// How many are remembered. The server offers one at a time, and a new one is a new action.
    pub const REMEMBERED: usize = 32;

    /// How `action` ended, if it is over.
    pub fn outcome_of(&self, action: &ActionId) -> Option<&Outcome> {
        self.concluded.iter().rev().find(|concluded| concluded.action == *action).map(|concluded| &concluded.outcome)
    }

    pub(super) fn conclude(&mut self, concluded: Concluded) {
        self.concluded.retain(|earlier| earlier.action != concluded.action);
        self.setbacks.retain(|setback| setback.action != concluded.action);
        self.concluded.push_back(concluded);
        while self.concluded.len() > Self::REMEMBERED {
            self.concluded.pop_front();
        }
    }

    /// How often `action` had failed when it was dropped.
    pub(super) fn failures_of(&self, action: &ActionId) -> u32 {
        self.setbacks.iter().find(|setback| setback.action == *action).map_or(0, |setback| setback.failures)
    }

    pub(super) fn drop_work(&mut self, work: Work) {
        let (action, failures) = (work.deployment.action, work.failures);
        self.setbacks.retain(|setback| setback.action != action);
        if failures > 0 {
            self.setbacks.push_back(Setback { action, failures });
        }
        while self.setbacks.len() > Self::REMEMBERED {
            self.setbacks.pop_front();
        }
    }
}
