//! The contract between the device's services: D-Bus names, paths, interfaces, types, proxies.
//!
//! Only this crate spells a bus name, an object path or a signature. There is one module a service, and in each:
//! - `NAME` and `PATH`, where the service is found,
//! - a backend trait, which the service implements in plain Rust,
//! - the zbus interface over that trait, and `serve`, which puts it on the bus,
//! - a proxy for callers.
//!
//! The files in `interfaces/` are the canonical form of each interface; a contract test compares them with what is
//! served and calls everything in them.
//!
//! | module | interface | what it offers |
//! |---|---|---|
//! | [`sensor`] | `io.microkernel.Sensor1.Feed` | readings, numbered, from a bounded ring |
//! | [`wasm`] | `io.microkernel.Wasm1.Transformer` | what the edge scripts make of readings |
//! | [`ml`] | `io.microkernel.Ml1.Scorer` | what the model thinks of readings |
//! | [`uplink`] | `io.microkernel.Uplink1.Link` | the state of the link to the broker |
//! | [`update`] | `io.microkernel.Update1.Agent` | the state of the OTA agent |
//!
//! And proxies for what the device's services use of others: [`rauc`], [`logind`], [`systemd`].
//!
//! Methods carry data (a caller gets an answer or an error), properties carry state, signals are hints that may be lost.

mod connection;
mod error;
pub mod logind;
pub mod ml;
mod properties;
pub mod rauc;
mod reading;
pub mod sensor;
mod served;
pub mod systemd;
pub mod update;
pub mod uplink;
pub mod wasm;

pub use connection::{METHOD_TIMEOUT, at, connect, system};
pub use error::{Error, Result};
pub use properties::property_changes;
pub use reading::Reading;
pub use served::Served;
/// The D-Bus implementation, so that a service that needs its types does not name a version of its own.
pub use zbus;
