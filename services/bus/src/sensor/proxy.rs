//! The caller's side of `io.microkernel.Sensor1.Feed`.

use super::{Batch, SensorState};
use crate::Result;
use zbus::{Connection, proxy, proxy::CacheProperties};

/// Calls the sensor service. Properties are always asked for: see [`FeedProxy::uncached`].
#[proxy(
    interface = "io.microkernel.Sensor1.Feed",
    default_service = "io.microkernel.Sensor1",
    default_path = "/io/microkernel/Sensor1"
)]
pub trait Feed {
    /// At most `max` readings with numbers above `seq` in `epoch`, oldest first; see [`super::FeedBackend`].
    fn read_since(&self, epoch: &str, seq: u64, max: u32) -> Result<Batch>;

    /// Changes how often a sensor is read.
    fn set_interval(&self, sensor: &str, seconds: f64) -> Result<()>;

    /// Applies and keeps a `[sensor]` section.
    fn apply_config(&self, toml: &str) -> Result<()>;

    /// A hint that there are readings up to `newest_seq`. A stream of these must be polled, or dropped: one that is not
    /// holds up everything else on its connection.
    #[zbus(signal)]
    fn available(&self, newest_seq: u64) -> zbus::Result<()>;

    /// The current epoch.
    #[zbus(property(emits_changed_signal = "false"))]
    fn epoch(&self) -> Result<String>;

    /// The number of the newest reading; 0 when there was none yet.
    #[zbus(property(emits_changed_signal = "false"))]
    fn newest_seq(&self) -> Result<u64>;

    /// The number of the oldest reading in the ring; 0 when it is empty.
    #[zbus(property(emits_changed_signal = "false"))]
    fn oldest_seq(&self) -> Result<u64>;

    /// Every configured sensor.
    #[zbus(property(emits_changed_signal = "false"))]
    fn sensors(&self) -> Result<Vec<SensorState>>;
}

impl FeedProxy<'static> {
    /// The proxy to use. zbus's property cache, which `new` sets up, would not notice that the service was restarted.
    ///
    /// # Errors
    /// When the connection is gone; that the service is absent shows at the first call.
    pub async fn uncached(connection: &Connection) -> zbus::Result<Self> {
        Self::builder(connection).cache_properties(CacheProperties::No).build().await
    }
}
