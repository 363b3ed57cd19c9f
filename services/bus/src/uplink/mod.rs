//! `io.microkernel.Uplink1`: the state of the link to the broker, and of the spool behind it.

mod link;
mod proxy;

pub use link::{Link, LinkBackend, serve};
pub use proxy::LinkProxy;

/// The bus name.
pub const NAME: &str = "io.microkernel.Uplink1";
/// The object path.
pub const PATH: &str = "/io/microkernel/Uplink1";
