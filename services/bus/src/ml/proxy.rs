//! The caller's side of `io.microkernel.Ml1.Scorer`.

use super::{Model, Score};
use crate::{Reading, Result};
use zbus::{Connection, proxy, proxy::CacheProperties};

/// Calls the model service. Properties are always asked for: see [`ScorerProxy::uncached`].
#[proxy(
    interface = "io.microkernel.Ml1.Scorer",
    default_service = "io.microkernel.Ml1",
    default_path = "/io/microkernel/Ml1"
)]
pub trait Scorer {
    /// Scores a batch.
    fn score(&self, readings: &[Reading]) -> Result<Vec<Score>>;

    /// Loads the models anew.
    fn reload(&self) -> Result<()>;

    /// Every installed model.
    #[zbus(property(emits_changed_signal = "false"))]
    fn models(&self) -> Result<Vec<Model>>;
}

impl ScorerProxy<'static> {
    /// The proxy to use. zbus's property cache, which `new` sets up, would not notice that the service was restarted.
    ///
    /// # Errors
    /// When the connection is gone; that the service is absent shows at the first call.
    pub async fn uncached(connection: &Connection) -> zbus::Result<Self> {
        Self::builder(connection).cache_properties(CacheProperties::No).build().await
    }
}
