//! The caller's side of `io.microkernel.Wasm1.Transformer`.

use super::{Script, Transformed};
use crate::{Reading, Result};
use zbus::{Connection, proxy, proxy::CacheProperties};

/// Calls the script service. Properties are always asked for: see [`TransformerProxy::uncached`].
#[proxy(
    interface = "io.microkernel.Wasm1.Transformer",
    default_service = "io.microkernel.Wasm1",
    default_path = "/io/microkernel/Wasm1"
)]
pub trait Transformer {
    /// Runs the scripts over a batch.
    fn transform(&self, readings: &[Reading]) -> Result<Transformed>;

    /// Loads the scripts anew.
    fn reload(&self) -> Result<()>;

    /// Every installed script.
    #[zbus(property(emits_changed_signal = "false"))]
    fn scripts(&self) -> Result<Vec<Script>>;
}

impl TransformerProxy<'static> {
    /// The proxy to use. zbus's property cache, which `new` sets up, would not notice that the service was restarted.
    ///
    /// # Errors
    /// When the connection is gone; that the service is absent shows at the first call.
    pub async fn uncached(connection: &Connection) -> zbus::Result<Self> {
        Self::builder(connection).cache_properties(CacheProperties::No).build().await
    }
}
