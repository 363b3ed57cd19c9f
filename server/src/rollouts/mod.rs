//! Rollouts: a release on its way to many devices, wave by wave.
//!
//! [`plan()`] is the pure plan: from how things stand to what is to be done. [`Rollouts`] carries it out, each time in one
//! transaction that holds the rollout's row, so that the limit of deployments in flight is exact however many servers
//! and devices are at it: deployments enter flight only there, and leave it at any time.

mod advance;
mod direct;
mod plan;
mod request;
pub(crate) mod store;

pub use advance::{Change, CreateError, Rollouts};
pub use plan::{Plan, Situation, Standing, plan};
pub use request::{NewRollout, NewWave, WaveSize, Window, sizes};
pub(crate) use request::{default_error, default_success};

use crate::deployments::Deployment;
use crate::time::Time;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How a rollout stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum RolloutState {
    /// It begins later.
    Scheduled,
    /// It goes on by itself.
    Running,
    /// An operator holds it.
    Paused,
    /// It has stopped itself.
    Halted,
    /// Every device is done.
    Finished,
    /// An operator has ended it.
    Cancelled,
}

impl RolloutState {
    const ALL: [Self; 6] =
        [Self::Scheduled, Self::Running, Self::Paused, Self::Halted, Self::Finished, Self::Cancelled];

    /// As in the database and the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Scheduled => "scheduled",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Halted => "halted",
            Self::Finished => "finished",
            Self::Cancelled => "cancelled",
        }
    }

    fn from_database(text: &str) -> Self {
        // The column's check constraint admits no other text.
        Self::ALL.into_iter().find(|state| state.as_str() == text).unwrap_or(Self::Paused)
    }
}

/// A rollout as the API and the pages show it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Rollout {
    /// Names it.
    pub id: i64,
    /// For people.
    pub name: String,
    /// What is rolled out.
    pub release_id: i64,
    /// The release's version.
    pub version: String,
    /// How it stands.
    pub state: RolloutState,
    /// Why, where that is not plain: the reason of a halt.
    pub reason: Option<String>,
    /// So many deployments are in flight at most.
    pub max_in_flight: i32,
    /// When it begins.
    pub starts_at: Option<Time>,
    /// When deployments are offered, every day in UTC; always where `None`.
    pub window: Option<Window>,
    /// Which devices were asked for.
    #[schema(value_type = crate::api::schema::Target)]
    pub target: serde_json::Value,
    /// Only devices of these versions were taken.
    pub from_versions: Option<Vec<String>>,
    /// How its waves stand, in order.
    pub waves: Vec<Wave>,
    /// When it was made.
    pub created_at: Time,
    /// When its own state last changed.
    pub updated_at: Time,
}

/// A wave as the API and the pages show it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Wave {
    /// From 1.
    pub number: i32,
    /// Its devices.
    pub size: i32,
    /// The next wave starts when so many percent have succeeded.
    pub success_threshold_percent: i16,
    /// The rollout halts when so many percent have failed.
    pub error_threshold_percent: i16,
    /// When it started.
    pub started_at: Option<Time>,
    /// Failures that no longer count, because an operator resumed after them.
    pub accepted_failures: i32,
    /// Devices that wait for their turn.
    pub scheduled: i64,
    /// Devices at it.
    pub in_flight: i64,
    /// Devices that run the release.
    pub succeeded: i64,
    /// Devices that don't.
    pub failed: i64,
    /// Devices that are back where they were.
    pub rolled_back: i64,
    /// Devices that were taken out.
    pub cancelled: i64,
}

/// A rollout with every deployment and its log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RolloutDetail {
    /// The rollout.
    #[serde(flatten)]
    pub rollout: Rollout,
    /// Its deployments by wave and device.
    pub deployments: Vec<Deployment>,
    /// What happened to it, the oldest first.
    pub log: Vec<LogEntry>,
}

/// An entry of a rollout's log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LogEntry {
    /// When.
    pub at: Time,
    /// What.
    pub event: String,
}

/// What live changes of a rollout are announced as, among the ids of devices. No device's id has a slash.
pub(crate) fn topic(id: i64) -> String {
    format!("rollout/{id}")
}
