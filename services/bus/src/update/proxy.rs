//! The caller's side of `io.microkernel.Update1.Agent`.

use crate::Result;
use zbus::{Connection, proxy, proxy::CacheProperties};

/// Calls the OTA agent. Properties are always asked for: see [`AgentProxy::uncached`].
#[proxy(
    interface = "io.microkernel.Update1.Agent",
    default_service = "io.microkernel.Update1",
    default_path = "/io/microkernel/Update1"
)]
pub trait Agent {
    /// Asks the server now whether there is something to install.
    fn check(&self) -> Result<()>;

    /// Starts the installation of a version.
    fn install(&self, version: &str) -> Result<()>;

    /// The state of the agent.
    #[zbus(property(emits_changed_signal = "false"))]
    fn state(&self) -> Result<String>;

    /// The slot that is running, for example `A`.
    #[zbus(property(emits_changed_signal = "false"))]
    fn slot(&self) -> Result<String>;

    /// The version that is running.
    #[zbus(property(emits_changed_signal = "false"))]
    fn version(&self) -> Result<String>;

    /// How far the installation is, in percent; 0 when there is none.
    #[zbus(property(emits_changed_signal = "false"))]
    fn progress(&self) -> Result<u32>;

    /// Why the last update failed; empty when it did not.
    #[zbus(property(emits_changed_signal = "false"))]
    fn last_error(&self) -> Result<String>;
}

impl AgentProxy<'static> {
    /// The proxy to use. zbus's property cache, which `new` sets up, would not notice that the service was restarted.
    ///
    /// # Errors
    /// When the connection is gone; that the service is absent shows at the first call.
    pub async fn uncached(connection: &Connection) -> zbus::Result<Self> {
        Self::builder(connection).cache_properties(CacheProperties::No).build().await
    }
}
