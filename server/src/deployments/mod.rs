//! Deployments: one release on its way to one device. A deployment's id is what hawkBit calls an action's.
//!
//! [`next`] is the state machine, [`Feedback`] what a device says. Every change of state and
//! everything a device says is kept: that is the device's update timeline.

mod feedback;
mod state;
pub(crate) mod store;

pub use feedback::{Execution, Feedback, Finished};
pub use state::{DeploymentState, Event, IllegalTransition, next};

use crate::time::Time;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A device at one update counts as in flight for no longer than this without a word from it; then it has failed.
pub(crate) const SILENCE_HOURS: i32 = 24;
/// An offer of a rollout that its device has not looked at for so long lapses: the next device takes its place.
pub(crate) const LAPSE_MINUTES: i32 = 15;

/// A deployment as the API and the pages show it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Deployment {
    /// Names it; hawkBit's action id.
    pub id: i64,
    /// Whose.
    pub device_id: String,
    /// Of what.
    pub release_id: i64,
    /// The release's version.
    pub version: String,
    /// The rollout it is part of.
    pub rollout_id: Option<i64>,
    /// The wave of the rollout, from 1.
    pub wave: Option<i32>,
    /// How far it is.
    pub state: DeploymentState,
    /// It is to be cancelled, and will be once the device agrees.
    pub cancel_requested: bool,
    /// It needs no consent at the device, or has it.
    pub confirmed: bool,
    /// The version that the device ran before.
    pub from_version: Option<String>,
    /// The newest thing the device said.
    pub detail: Option<String>,
    /// How much of the present step is done, in percent, where the device tells.
    pub progress_percent: Option<i16>,
    /// When it was made.
    pub created_at: Time,
    /// When the device was first, or again, told of it.
    pub offered_at: Option<Time>,
    /// When something last happened.
    pub updated_at: Time,
    /// When it ended.
    pub finished_at: Option<Time>,
}

/// A deployment that was given to a device at once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Given {
    /// The deployment.
    pub id: i64,
    /// Whose.
    pub device_id: String,
    /// Whether the device is connected, and so learns of it at once.
    pub online: bool,
}

/// An entry of a deployment's timeline.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TimelineEntry {
    /// When.
    pub at: Time,
    /// The deployment's state after it.
    pub state: DeploymentState,
    /// Who says so: `server` or `device`.
    pub source: String,
    /// The execution status the device gave (DDI).
    pub execution: Option<String>,
    /// What was said, a line each.
    pub details: Vec<String>,
}

/// A deployment with its timeline, the oldest entry first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct DeploymentDetail {
    /// The deployment.
    #[serde(flatten)]
    pub deployment: Deployment,
    /// What happened to it.
    pub timeline: Vec<TimelineEntry>,
}

/// What became of a change that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// There is no such deployment, or the device is not to know of it yet.
    Unknown,
    /// It is over: nothing can be changed any more.
    Over(DeploymentState),
    /// It was noted.
    Noted {
        /// The state now.
        state: DeploymentState,
        /// Whether that is another than before.
        changed: bool,
        /// The rollout it is part of.
        rollout_id: Option<i64>,
    },
}
