//! The service's side of `io.microkernel.Sensor1.Feed`.

use super::{Batch, NAME, PATH, SensorState};
use crate::{Error, Reading, Served};
use std::future::Future;
use zbus::{connection::Builder, interface, object_server::SignalEmitter};

/// What the sensor service implements.
pub trait FeedBackend: Send + Sync + 'static {
    /// At most `max` readings with numbers above `seq` in `epoch`, oldest first.
    ///
    /// When `epoch` is not the current one (the caller's first call, or this service was restarted), from the oldest
    /// reading in the ring on.
    fn read_since(&self, epoch: &str, seq: u64, max: u32) -> impl Future<Output = Batch> + Send;

    /// Changes how often a sensor is read, until the service restarts.
    ///
    /// # Errors
    /// [`Error::UnknownSensor`], or [`Error::InvalidArgument`] when `seconds` is out of range.
    fn set_interval(&self, sensor: &str, seconds: f64) -> impl Future<Output = Result<(), Error>> + Send;

    /// Validates a `[sensor]` section, keeps it as the service's own layer of configuration and applies it.
    ///
    /// # Errors
    /// [`Error::InvalidConfig`] names the key and what was expected; what was in force stays in force.
    fn apply_config(&self, toml: &str) -> impl Future<Output = Result<(), Error>> + Send;

    /// The current epoch.
    fn epoch(&self) -> String;

    /// The number of the newest reading; 0 when there was none yet.
    fn newest_seq(&self) -> u64;

    /// The number of the oldest reading in the ring; 0 when it is empty.
    fn oldest_seq(&self) -> u64;

    /// Every configured sensor.
    fn sensors(&self) -> Vec<SensorState>;
}

/// The served object.
#[derive(Debug)]
pub struct Feed<B: FeedBackend>(B);

#[interface(name = "io.microkernel.Sensor1.Feed", introspection_docs = false)]
impl<B: FeedBackend> Feed<B> {
    #[zbus(out_args("epoch", "lost", "readings"))]
    async fn read_since(&self, epoch: &str, seq: u64, max: u32) -> (String, u64, Vec<Reading>) {
        let Batch { epoch, lost, readings } = self.0.read_since(epoch, seq, max).await;
        (epoch, lost, readings)
    }

    async fn set_interval(&self, sensor: &str, seconds: f64) -> Result<(), Error> {
        self.0.set_interval(sensor, seconds).await
    }

    async fn apply_config(&self, toml: &str) -> Result<(), Error> {
        self.0.apply_config(toml).await
    }

    #[zbus(signal)]
    async fn available(emitter: &SignalEmitter<'_>, newest_seq: u64) -> zbus::Result<()>;

    #[zbus(property(emits_changed_signal = "const"))]
    fn epoch(&self) -> String {
        self.0.epoch()
    }

    #[zbus(property(emits_changed_signal = "false"))]
    fn newest_seq(&self) -> u64 {
        self.0.newest_seq()
    }

    #[zbus(property(emits_changed_signal = "false"))]
    fn oldest_seq(&self) -> u64 {
        self.0.oldest_seq()
    }

    #[zbus(property(emits_changed_signal = "invalidates"))]
    fn sensors(&self) -> Vec<SensorState> {
        self.0.sensors()
    }
}

/// Serves `backend` at [`PATH`] and then takes [`NAME`], both on the connection that `builder` makes.
///
/// # Errors
/// When the connection can't be made, or the name belongs to somebody else or may not be owned by this user.
pub async fn serve<B: FeedBackend>(builder: Builder<'_>, backend: B) -> zbus::Result<Served<Feed<B>>> {
    Served::new(builder, NAME, PATH, Feed(backend)).await
}

impl<B: FeedBackend> Served<Feed<B>> {
    /// Hints that there are readings up to `newest_seq`. The caller sees to it that this happens at most once a
    /// millisecond.
    ///
    /// # Errors
    /// When the connection is gone.
    pub async fn available(&self, newest_seq: u64) -> zbus::Result<()> {
        Feed::<B>::available(self.interface().signal_emitter(), newest_seq).await
    }

    /// Announces that a sensor was added, removed or configured anew, or that its state or error changed (not that a
    /// counter did).
    ///
    /// # Errors
    /// When the connection is gone.
    pub async fn sensors_changed(&self) -> zbus::Result<()> {
        self.interface().get().await.sensors_invalidate(self.interface().signal_emitter()).await
    }
}
