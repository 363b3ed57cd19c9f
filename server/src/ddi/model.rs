//! DDI's answers, member for member as hawkBit's, and how they are made of a deployment and its release.

use super::auth::Controller;
use crate::deployments::{DeploymentDetail, DeploymentState};
use crate::releases::Release;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use std::collections::BTreeMap;

/// A link (HAL).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Link {
    pub(super) href: String,
}

/// Links by their relation; left out of an answer when there is none.
pub(super) type Links = BTreeMap<&'static str, Link>;

/// An answer as HAL+JSON.
pub(super) struct Hal<T>(pub(super) T);

impl<T: Serialize> IntoResponse for Hal<T> {
    fn into_response(self) -> Response {
        ([(CONTENT_TYPE, "application/hal+json")], axum::Json(self.0)).into_response()
    }
}

/// What a device is to install, or has: the answer of deploymentBase and installedBase.
#[derive(Debug, Serialize)]
pub(super) struct DeploymentBase {
    id: String,
    deployment: Instructions,
    #[serde(rename = "actionHistory", skip_serializing_if = "Option::is_none")]
    action_history: Option<ActionHistory>,
}

/// The same while the device's consent is awaited: the answer of confirmationBase.
#[derive(Debug, Serialize)]
pub(super) struct ConfirmationBase {
    id: String,
    confirmation: Instructions,
    #[serde(rename = "actionHistory", skip_serializing_if = "Option::is_none")]
    action_history: Option<ActionHistory>,
}

#[derive(Debug, Serialize)]
struct Instructions {
    download: &'static str,
    update: &'static str,
    chunks: Vec<Chunk>,
}

#[derive(Debug, Serialize)]
struct Chunk {
    part: &'static str,
    version: String,
    name: String,
    artifacts: Vec<Artifact>,
}

/// A file to fetch.
#[derive(Debug, Serialize)]
pub(super) struct Artifact {
    filename: String,
    hashes: Hashes,
    size: i64,
    #[serde(rename = "_links")]
    links: Links,
}

#[derive(Debug, Serialize)]
struct Hashes {
    sha1: String,
    md5: String,
    sha256: String,
}

#[derive(Debug, Serialize)]
struct ActionHistory {
    status: &'static str,
    messages: Vec<String>,
}

impl DeploymentBase {
    pub(super) fn new(controller: &Controller, found: &DeploymentDetail, release: &Release, history: usize) -> Self {
        Self {
            id: found.deployment.id.to_string(),
            deployment: Instructions::new(controller, release),
            action_history: ActionHistory::new(found, history),
        }
    }
}

impl ConfirmationBase {
    pub(super) fn new(controller: &Controller, found: &DeploymentDetail, release: &Release, history: usize) -> Self {
        Self {
            id: found.deployment.id.to_string(),
            confirmation: Instructions::new(controller, release),
            action_history: ActionHistory::new(found, history),
        }
    }
}

impl Instructions {
    /// Whatever is offered is to be installed now: when is the rollout's to say.
    fn new(controller: &Controller, release: &Release) -> Self {
        Self {
            download: "forced",
            update: "forced",
            chunks: vec![Chunk {
                part: "os",
                version: release.version.clone(),
                name: release.compatible.clone(),
                artifacts: vec![Artifact::new(controller, release)],
            }],
        }
    }
}

impl Artifact {
    pub(super) fn new(controller: &Controller, release: &Release) -> Self {
        let file = release.file_name();
        let href = format!("{}/softwaremodules/{}/artifacts/{file}", controller.base, release.id);
        let md5 = Link { href: format!("{href}.MD5SUM") };
        Self {
            filename: file,
            hashes: Hashes { sha1: release.sha1.clone(), md5: release.md5.clone(), sha256: release.sha256.clone() },
            size: release.size_bytes,
            links: Links::from([("download", Link { href }), ("md5sum", md5)]),
        }
    }
}

impl ActionHistory {
    /// The newest `count` messages, the newest first; `None` when none are asked for.
    fn new(found: &DeploymentDetail, count: usize) -> Option<Self> {
        if count == 0 {
            return None;
        }
        let messages = found.timeline.iter().rev().flat_map(|entry| entry.details.iter().cloned());
        let status = match found.deployment.state {
            _ if found.deployment.cancel_requested => "CANCELING",
            _ if !found.deployment.confirmed => "WAIT_FOR_CONFIRMATION",
            DeploymentState::Scheduled => "SCHEDULED",
            DeploymentState::Offered | DeploymentState::Installing | DeploymentState::Rebooting => "RUNNING",
            DeploymentState::Downloading => "DOWNLOAD",
            DeploymentState::Succeeded => "FINISHED",
            DeploymentState::Failed | DeploymentState::RolledBack => "ERROR",
            DeploymentState::Cancelled => "CANCELED",
        };
        Some(Self { status, messages: messages.take(count).collect() })
    }
}
