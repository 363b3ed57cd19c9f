//! `io.microkernel.Update1`: the OTA agent.

mod agent;
mod proxy;

pub use agent::{Agent, AgentBackend, serve};
pub use proxy::AgentProxy;

/// The bus name.
pub const NAME: &str = "io.microkernel.Update1";
/// The object path.
pub const PATH: &str = "/io/microkernel/Update1";
