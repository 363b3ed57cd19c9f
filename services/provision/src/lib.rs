//! The settings that someone put on a card's first partition after flashing it, and what becomes of them on the device.
//!
//! Two kinds of files are understood: [`microkernel.toml`](Settings), which someone edits, and the `cloud-init` files that Raspberry Pi
//! Imager writes from its settings dialogue ([`imager`]). Where both name something, `microkernel.toml` counts.
//!
//! They become a layer of the services' configuration, a network profile of iwd, and the token for the device's enrolment, all on the
//! data partition ([`apply`]): once taken over, the files may be deleted from the card.

mod apply;
mod error;
pub mod imager;
mod settings;
mod wifi;

pub use apply::{Places, apply};
pub use error::ProvisionError;
pub use settings::{Server, Settings};
pub use wifi::{Country, Passphrase, Ssid, Wifi};
