//! Which devices a rollout, or a deployment without one, is for.
//!
//! A target is resolved once, when the rollout or the deployments are made (`store::resolve`): a device that gets a tag
//! later is not part of it. Another way to name devices is another variant of [`Target`] and another condition there.

pub(crate) mod store;

use crate::tags::Tag;
use microkernel_wire::DeviceId;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Which devices.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// All there are.
    #[default]
    All,
    /// These.
    Devices(Vec<DeviceId>),
    /// Those whose id begins so.
    Prefix(String),
    /// Those that have this tag.
    Tag(Tag),
    /// Those that failed, or were rolled back, in the rollout of this id.
    FailedOf(i64),
}

/// Why a target means no devices, or others than it names.
#[derive(Debug, thiserror::Error)]
pub enum TargetError {
    /// No device is meant.
    #[error("no device is meant: none matches target and from_versions that does not run version {0} already")]
    NoDevices(String),
    /// Devices that are named are not there.
    #[error(
        "{0} of the devices named in target are not known here, or run another version than asked for, or this one already"
    )]
    Missing(usize),
}

impl Target {
    /// Checks what types can't say.
    ///
    /// # Errors
    /// Names the field and what is expected.
    pub fn check(&self) -> Result<(), String> {
        match self {
            Self::Prefix(text) if text.contains('\0') => Err("target: expected no character NUL".to_owned()),
            _ => Ok(()),
        }
    }

    /// Checks the number of devices that were found for a release of `version`.
    ///
    /// # Errors
    /// [`TargetError`].
    pub fn check_found(&self, found: usize, version: &str) -> Result<(), TargetError> {
        if let Self::Devices(named) = self {
            let named: BTreeSet<&str> = named.iter().map(|id| id.as_str()).collect();
            if named.len() > found {
                return Err(TargetError::Missing(named.len() - found));
            }
        }
        if found == 0 { Err(TargetError::NoDevices(version.to_owned())) } else { Ok(()) }
    }
}
