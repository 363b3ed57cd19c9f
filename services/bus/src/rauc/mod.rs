//! `de.pengutronix.rauc`: the installer. Its interface is RAUC's own (manual, chapter "D-Bus API"); this is the caller's side.
//!
//! RAUC does one thing at a time: while it installs, it refuses every method, and only its properties can be read.

mod bundle;
mod dictionary;
mod proxy;
mod slot;

pub use bundle::{BundleAccess, BundleInfo, Image};
pub use proxy::{CompletedStream, InstallerProxy, Progress};
pub use slot::{BootStatus, Slot, SlotState};

/// The bus name.
pub const NAME: &str = "de.pengutronix.rauc";
/// The object path.
pub const PATH: &str = "/";
