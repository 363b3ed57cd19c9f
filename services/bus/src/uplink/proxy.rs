//! The caller's side of `io.microkernel.Uplink1.Link`.

use crate::Result;
use zbus::{Connection, proxy, proxy::CacheProperties};

/// Calls the uplink. Properties are always asked for: see [`LinkProxy::uncached`].
#[proxy(
    interface = "io.microkernel.Uplink1.Link",
    default_service = "io.microkernel.Uplink1",
    default_path = "/io/microkernel/Uplink1"
)]
pub trait Link {
    /// Returns when everything that was spooled is with the broker; may take 30 s.
    fn flush(&self) -> Result<()>;

    /// `connecting`, `connected` or `waiting`.
    #[zbus(property(emits_changed_signal = "false"))]
    fn state(&self) -> Result<String>;

    /// The broker, `host:port`.
    #[zbus(property(emits_changed_signal = "false"))]
    fn broker(&self) -> Result<String>;

    /// How many readings are spooled.
    #[zbus(property(emits_changed_signal = "false"))]
    fn spool_depth(&self) -> Result<u64>;

    /// How much they take, in bytes.
    #[zbus(property(emits_changed_signal = "false"))]
    fn spool_bytes(&self) -> Result<u64>;

    /// How many readings the broker has acknowledged since the service started.
    #[zbus(property(emits_changed_signal = "false"))]
    fn published(&self) -> Result<u64>;

    /// How many readings the overflow policy has dropped since the service started.
    #[zbus(property(emits_changed_signal = "false"))]
    fn dropped(&self) -> Result<u64>;

    /// How many readings were overwritten in the sensor's ring before they were fetched, since the service started.
    #[zbus(property(emits_changed_signal = "false"))]
    fn lost(&self) -> Result<u64>;

    /// The last error of the link; empty while it is well.
    #[zbus(property(emits_changed_signal = "false"))]
    fn last_error(&self) -> Result<String>;
}

impl LinkProxy<'static> {
    /// The proxy to use. zbus's property cache, which `new` sets up, would not notice that the service was restarted.
    ///
    /// # Errors
    /// When the connection is gone; that the service is absent shows at the first call.
    pub async fn uncached(connection: &Connection) -> zbus::Result<Self> {
        Self::builder(connection).cache_properties(CacheProperties::No).build().await
    }
}
