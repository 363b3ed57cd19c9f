//! The retained status of a device, also its last will.

use crate::{BootId, Timestamp};
use serde::{Deserialize, Serialize};

/// What a device says of itself when it connects, and what the broker says for it when it is gone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// Connected or not.
    pub state: DeviceState,
    /// The version of the device's software.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The booted slot, `A` or `B`; absent on a machine without slots.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slot: Option<String>,
    /// The kernel's boot id (`/proc/sys/kernel/random/boot_id`): a new one means that the device restarted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boot_id: Option<BootId>,
    /// When it was said; in a last will, when the connection was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<Timestamp>,
}

/// Whether a device is connected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DeviceState {
    /// Connected to the broker.
    Online,
    /// Not connected.
    Offline,
}
