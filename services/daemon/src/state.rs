//! Where state lives.

use std::path::PathBuf;

/// The environment variable that moves the state folder, for demos and tests.
pub const STATE_DIR_VARIABLE: &str = "MICROKERNEL_STATE_DIR";

/// The folder that survives reboots and updates: `/var/lib/microkernel` (on the data partition), or
/// `MICROKERNEL_STATE_DIR`.
pub fn state_dir() -> PathBuf {
    match std::env::var_os(STATE_DIR_VARIABLE) {
        Some(path) if !path.is_empty() => path.into(),
        _ => "/var/lib/microkernel".into(),
    }
}
