//! The pull loop: from the sensor's ring, through the stages, into the spool.

use crate::settings::Settings;
use crate::spool::{Cursor, SpoolError};
use crate::stages::{Merged, Source, Stages, merge};
use crate::state::State;
use futures_util::StreamExt;
use microkernel_bus::sensor::{Batch, FeedProxy};
use microkernel_bus::wasm::Transformed;
use microkernel_bus::zbus::{self, Connection};
use microkernel_daemon::Daemon;
use microkernel_wire::BootId;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio_util::task::AbortOnDropHandle;

/// How long the sensor service may take to hand out a batch from memory.
const READ_DEADLINE: Duration = Duration::from_secs(5);

/// Of what goes wrong with single readings, this many are logged for each batch.
const LOGGED_PER_BATCH: usize = 3;

/// Reads batches and spools them.
#[derive(Debug)]
pub struct Puller {
    settings: Arc<Settings>,
    state: Arc<State>,
    daemon: Daemon,
    feed: FeedProxy<'static>,
    stages: Stages,
    sensor_is_there: Option<bool>,
}

/// Why a batch did not arrive in the spool; it will be read again.
#[derive(Debug, thiserror::Error)]
enum PullError {
    #[error("the sensor service is not running")]
    Absent,
    #[error("the sensor service did not hand out readings: {0}")]
    Read(microkernel_bus::Error),
    #[error("the sensor service did not hand out readings within {READ_DEADLINE:?}")]
    Late,
    #[error("the sensor service handed out reading {last} again, asked for those after {asked}")]
    Backwards { asked: u64, last: u64 },
    #[error(transparent)]
    Spool(#[from] SpoolError),
}

impl Puller {
    /// A puller that calls the sensor and the stages over `connection`.
    ///
    /// # Errors
    /// When the connection is gone.
    pub async fn new(
        settings: Arc<Settings>,
        state: Arc<State>,
        daemon: Daemon,
        connection: &Connection,
    ) -> zbus::Result<Self> {
        let feed = FeedProxy::uncached(connection).await?;
        let stages = Stages::new(connection, settings.pull.wasm_deadline, settings.pull.ml_deadline).await?;
        Ok(Self { settings, state, daemon, feed, stages, sensor_is_there: None })
    }

    /// Pulls whenever there is a hint, and at each poll interval, for as long as it is polled.
    ///
    /// # Errors
    /// When the subscription to the hints ends: the bus is gone.
    pub async fn run(mut self) -> zbus::Result<()> {
        let hint = Arc::new(Notify::new());
        let mut hints = AbortOnDropHandle::new(tokio::spawn(forward_hints(self.feed.clone(), hint.clone())));
        loop {
            if let Err(error) = self.drain_ring().await {
                self.note_absence(&error);
            }
            // Feeding the watchdog here is feeding it from all the work there is: everything shares one thread, and
            // every wait of the link has a deadline of its own.
            self.daemon.progress();
            tokio::select! {
                () = hint.notified() => tokio::time::sleep(self.settings.pull.linger).await,
                () = tokio::time::sleep(self.settings.pull.poll_interval) => {}
                ended = &mut hints => return ended.unwrap_or(Ok(())),
            }
        }
    }

    /// Reads until nothing is left.
    async fn drain_ring(&mut self) -> Result<(), PullError> {
        loop {
            let cursor = self.state.spool.cursor();
            let batch = self.read(&cursor).await?;
            self.note_presence();
            let full = batch.readings.len() >= self.settings.pull.batch_readings as usize;
            self.spool(&cursor, batch).await?;
            self.daemon.progress();
            if !full {
                return Ok(());
            }
        }
    }

    async fn read(&self, cursor: &Cursor) -> Result<Batch, PullError> {
        let max = self.settings.pull.batch_readings;
        let call = self.feed.read_since(&cursor.epoch, cursor.seq, max);
        match tokio::time::timeout(READ_DEADLINE, call).await {
            Ok(Ok(batch)) => Ok(batch),
            Ok(Err(error)) if error.is_absent() => Err(PullError::Absent),
            Ok(Err(error)) => Err(PullError::Read(error)),
            Err(_) => Err(PullError::Late),
        }
    }

    async fn spool(&mut self, cursor: &Cursor, batch: Batch) -> Result<(), PullError> {
        let same_epoch = batch.epoch == cursor.epoch;
        let seq = batch.readings.last().map_or(if same_epoch { cursor.seq } else { 0 }, |reading| reading.seq);
        if same_epoch && batch.readings.is_empty() {
            return Ok(());
        }
        if same_epoch && seq <= cursor.seq {
            return Err(PullError::Backwards { asked: cursor.seq, last: seq });
        }
        if !same_epoch && !cursor.epoch.is_empty() {
            tracing::info!(epoch = batch.epoch, "the sensor service was restarted: its numbering begins anew");
        }
        if batch.lost > 0 {
            let total = self.state.counters.lost.add(batch.lost);
            tracing::warn!(
                lost = batch.lost,
                total,
                "readings were overwritten in the sensor's ring before they were read"
            );
        }
        let source = Source { device: self.settings.device.clone(), boot_id: boot_id(&batch.epoch) };
        let merged = if batch.readings.is_empty() {
            Merged::default()
        } else {
            let answers = self.stages.ask(&batch.readings).await;
            if let Ok(transformed) = &answers.wasm {
                self.note_extras(transformed);
            }
            merge(&source, &batch.readings, &answers)
        };
        self.note(&merged);
        let dropped = self.state.spool.append(merged.readings, Cursor { epoch: batch.epoch, seq }).await?;
        if dropped > 0 {
            let total = self.state.spool.usage().dropped();
            tracing::warn!(
                dropped,
                total,
                "the spool is full: the oldest readings were dropped; is the broker reachable?"
            );
        }
        Ok(())
    }

    fn note(&self, merged: &Merged) {
        self.state.counters.filtered.add(merged.filtered);
        self.state.counters.unusable.add(merged.unusable.len() as u64);
        for problem in merged.unusable.iter().take(LOGGED_PER_BATCH) {
            tracing::error!(in_this_batch = merged.unusable.len(), "unusable: {problem}; correct the sensor service");
        }
    }

    /// Derived readings would need an identity of their own to be ingested once; until they have one they are counted.
    fn note_extras(&self, transformed: &Transformed) {
        let derived = transformed.derived.len() as u64;
        if derived > 0 && self.state.counters.derived.add(derived) == derived {
            tracing::warn!("edge scripts derive readings; this version counts them and does not publish them");
        }
        for alert in transformed.alerts.iter().take(LOGGED_PER_BATCH) {
            let in_this_batch = transformed.alerts.len();
            tracing::warn!(severity = alert.severity, seq = alert.seq, in_this_batch, "edge script: {}", alert.message);
        }
    }

    fn note_presence(&mut self) {
        if self.sensor_is_there.replace(true) != Some(true) {
            tracing::info!("reading from the sensor service");
        }
    }

    /// Once for each time it goes away; the health report says so all the time.
    fn note_absence(&mut self, error: &PullError) {
        if self.sensor_is_there.replace(false) != Some(false) {
            tracing::warn!("no readings: {error}; trying again every {:?}", self.settings.pull.poll_interval);
        }
    }
}

/// Takes every hint off the connection at once: signals that nobody takes would hold up the answers behind them.
async fn forward_hints(feed: FeedProxy<'static>, hint: Arc<Notify>) -> zbus::Result<()> {
    let mut available = feed.receive_available().await?;
    while available.next().await.is_some() {
        hint.notify_one();
    }
    Ok(())
}

fn boot_id(epoch: &str) -> Option<BootId> {
    match epoch.parse() {
        Ok(uuid) => Some(BootId(uuid)),
        Err(error) => {
            tracing::error!(epoch, "the sensor's epoch is not a UUID ({error}): readings go on without a number");
            None
        }
    }
}
