//! A real dbus-daemon of the test's own, and the services that the test plays on it.

use crate::wait::until;
use microkernel_bus::ml::{Model, Score, ScorerBackend};
use microkernel_bus::sensor::{Batch, Feed, FeedBackend, SensorState};
use microkernel_bus::wasm::{Script, Transformed, TransformerBackend};
use microkernel_bus::{Error, Reading, Served, at, sensor};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use tempfile::TempDir;

pub(crate) struct Bus {
    pub(crate) address: String,
    daemon: Child,
    _dir: TempDir,
}

impl Bus {
    pub(crate) async fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("bus");
        let address = format!("unix:path={}", socket.display());
        let daemon = Command::new("dbus-daemon")
            .args(["--session", "--nofork", "--nopidfile", "--address", &address])
            .stdin(Stdio::null())
            .spawn()
            .expect("dbus-daemon did not start; install the package dbus-daemon");
        until("the bus has its socket", || socket.exists().then_some(())).await;
        Self { address, daemon, _dir: dir }
    }

    pub(crate) async fn connect(&self) -> microkernel_bus::zbus::Connection {
        at(&self.address).build().await.unwrap()
    }
}

impl Drop for Bus {
    fn drop(&mut self) {
        let _ = self.daemon.kill();
        let _ = self.daemon.wait();
    }
}

/// A sensor service whose readings the test makes.
#[derive(Clone, Default)]
pub(crate) struct Ring(Arc<Mutex<Content>>);

#[derive(Default)]
struct Content {
    epoch: String,
    readings: Vec<Reading>,
    newest: u64,
    pub(crate) intervals: Vec<(String, f64)>,
}

impl Ring {
    pub(crate) fn new() -> Self {
        let epoch = uuid::Uuid::new_v4().to_string();
        Self(Arc::new(Mutex::new(Content { epoch, ..Content::default() })))
    }

    pub(crate) fn epoch(&self) -> String {
        self.0.lock().unwrap().epoch.clone()
    }

    /// Takes `count` more readings.
    pub(crate) fn measure(&self, count: u64) {
        let mut content = self.0.lock().unwrap();
        for _ in 0..count {
            content.newest += 1;
            let seq = content.newest;
            content.readings.push(Reading {
                seq,
                sensor: "Temperature".to_owned(),
                value: 20.0 + seq as f64 / 1000.0,
                unit: "°C".to_owned(),
                timestamp_us: 1_704_067_200_000_000 + seq as i64 * 1000,
                monotonic_ns: seq * 1_000_000,
                synchronized: true,
            });
        }
    }

    /// Overwrites all but the newest `count` readings.
    pub(crate) fn overwrite_all_but(&self, count: usize) {
        let mut content = self.0.lock().unwrap();
        let surplus = content.readings.len() - count;
        content.readings.drain(..surplus);
    }

    pub(crate) fn intervals(&self) -> Vec<(String, f64)> {
        self.0.lock().unwrap().intervals.clone()
    }

    pub(crate) async fn serve(&self, bus: &Bus) -> Served<Feed<Ring>> {
        sensor::serve(at(&bus.address), self.clone()).await.unwrap()
    }
}

impl FeedBackend for Ring {
    async fn read_since(&self, epoch: &str, seq: u64, max: u32) -> Batch {
        let content = self.0.lock().unwrap();
        let same = content.epoch == epoch;
        let after = if same { seq } else { 0 };
        let readings: Vec<Reading> =
            content.readings.iter().filter(|reading| reading.seq > after).take(max as usize).cloned().collect();
        let lost = readings.first().filter(|_| same).map_or(0, |first| first.seq - after - 1);
        Batch { epoch: content.epoch.clone(), lost, readings }
    }

    async fn set_interval(&self, sensor: &str, seconds: f64) -> Result<(), Error> {
        if sensor != "Temperature" {
            return Err(Error::UnknownSensor(format!("no sensor {sensor:?}; there is Temperature")));
        }
        self.0.lock().unwrap().intervals.push((sensor.to_owned(), seconds));
        Ok(())
    }

    async fn apply_config(&self, _: &str) -> Result<(), Error> {
        Err(Error::InvalidConfig("sensor.ring_capacity: expected an integer".to_owned()))
    }

    fn epoch(&self) -> String {
        self.0.lock().unwrap().epoch.clone()
    }

    fn newest_seq(&self) -> u64 {
        self.0.lock().unwrap().newest
    }

    fn oldest_seq(&self) -> u64 {
        self.0.lock().unwrap().readings.first().map_or(0, |reading| reading.seq)
    }

    fn sensors(&self) -> Vec<SensorState> {
        vec![SensorState {
            name: "Humidity".to_owned(),
            driver: "sht3x".to_owned(),
            address: "i2c-1 0x44".to_owned(),
            state: "failing".to_owned(),
            error: "read: Remote I/O error".to_owned(),
            errno: 121,
            failures: 4,
            readings: 0,
            interval_seconds: 1.0,
        }]
    }
}

/// Edge scripts that answer whatever `F` makes of a batch.
pub(crate) struct Scripts<F>(pub(crate) F);

impl<F> TransformerBackend for Scripts<F>
where
    F: Fn(Vec<Reading>) -> Transformed + Send + Sync + 'static,
{
    async fn transform(&self, readings: Vec<Reading>) -> Result<Transformed, Error> {
        Ok((self.0)(readings))
    }

    async fn reload(&self) -> Result<(), Error> {
        Ok(())
    }

    fn scripts(&self) -> Vec<Script> {
        vec![]
    }
}

/// A model that answers whatever `F` makes of a batch; `None`: it never answers. Counts the questions.
pub(crate) struct ModelService<F> {
    pub(crate) answer: F,
    pub(crate) asked: Arc<std::sync::atomic::AtomicU64>,
}

impl<F> ScorerBackend for ModelService<F>
where
    F: Fn(Vec<Reading>) -> Option<Vec<Score>> + Send + Sync + 'static,
{
    async fn score(&self, readings: Vec<Reading>) -> Result<Vec<Score>, Error> {
        self.asked.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        match (self.answer)(readings) {
            Some(scores) => Ok(scores),
            None => std::future::pending().await,
        }
    }

    async fn reload(&self) -> Result<(), Error> {
        Ok(())
    }

    fn models(&self) -> Vec<Model> {
        vec![]
    }
}
