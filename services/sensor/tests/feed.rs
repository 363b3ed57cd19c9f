//! The readings over the bus: the real service on a real dbus-daemon.
#![allow(clippy::unwrap_used)]

mod support;

use futures_util::StreamExt;
use microkernel_bus::sensor::FeedProxy;
use microkernel_bus::{Error, Reading};
use rustix::process::Signal;
use std::time::{Duration, Instant};
use support::{Device, eventually, state};
use tokio::sync::watch;

const CONFIG: &str = "
[sensor.sensors.Vibration]
driver = 'simulated'
interval_seconds = 0.001
quantity = 'voltage'
[sensor.sensors.Temperature]
driver = 'simulated'
interval_seconds = 0.1
[sensor.sensors.Humidity]
driver = 'simulated'
quantity = 'humidity'
interval_seconds = 100
[sensor.sensors.Missing]
driver = 'lm75'
bus = 250
address = 0x4a
";

const MAX_BATCH: usize = 256;

/// The hints as they come: how many, and the newest number. They have a connection of their own, because a stream that
/// is not polled holds up its connection, answers included.
async fn hints(device: &Device) -> watch::Receiver<(u32, u64)> {
    let feed = device.feed().await;
    let mut available = feed.receive_available().await.unwrap();
    let (sender, receiver) = watch::channel((0, 0));
    tokio::spawn(async move {
        while let Some(hint) = available.next().await {
            let newest_seq = hint.args().unwrap().newest_seq;
            sender.send_modify(|(count, newest)| (*count, *newest) = (*count + 1, newest_seq));
        }
    });
    receiver
}

/// Pulls like the uplink does: whatever is there, from where it was.
struct Reader<'a> {
    feed: &'a FeedProxy<'static>,
    epoch: String,
    seq: u64,
    readings: Vec<Reading>,
}

impl<'a> Reader<'a> {
    fn new(feed: &'a FeedProxy<'static>) -> Self {
        Self { feed, epoch: String::new(), seq: 0, readings: Vec::new() }
    }

    /// Pulls until it has caught up.
    async fn pull(&mut self) -> Result<(), Error> {
        loop {
            let batch = self.feed.read_since(&self.epoch, self.seq, MAX_BATCH as u32).await?;
            assert_eq!(batch.lost, 0);
            self.epoch = batch.epoch;
            self.seq = batch.readings.last().map_or(self.seq, |last| last.seq);
            let caught_up = batch.readings.len() < MAX_BATCH;
            self.readings.extend(batch.readings);
            if caught_up {
                return Ok(());
            }
        }
    }

    fn of(&self, sensor: &str) -> impl Iterator<Item = &Reading> {
        self.readings.iter().filter(move |reading| reading.sensor == sensor)
    }
}

#[tokio::test]
async fn sensors_at_their_own_rates_are_read_while_a_missing_one_is_reported() {
    let device = Device::new(CONFIG);
    let service = device.start();
    let feed = device.feed().await;
    let mut hints = hints(&device).await;
    let mut reader = Reader::new(&feed);
    reader.pull().await.unwrap();
    let (begun, skipped, cost_before) = (Instant::now(), reader.readings.len(), service.processor_time());
    while begun.elapsed() < Duration::from_secs(3) {
        tokio::time::timeout(Duration::from_secs(5), hints.changed()).await.unwrap().unwrap();
        reader.pull().await.unwrap();
    }
    let (hints, newest) = *hints.borrow();
    assert!(newest > 0);
    let (elapsed, cost) = (begun.elapsed(), service.processor_time() - cost_before);

    let numbers: Vec<_> = reader.readings.iter().map(|reading| reading.seq).collect();
    assert_eq!(numbers, (1..=numbers.len() as u64).collect::<Vec<_>>(), "numbered from 1 without a hole");
    let fast = reader.readings[skipped..].iter().filter(|reading| reading.sensor == "Vibration").count();
    let due = elapsed.as_millis() as usize;
    assert!(fast <= due + 2 && fast > due / 2, "{fast} readings of {due} that were due");
    let slow = reader.of("Temperature").count();
    assert!(slow > 20, "{slow} readings at 10 Hz in {elapsed:?}");
    assert_eq!(reader.of("Humidity").count(), 1, "at 0.01 Hz there is the first one only");
    assert!(hints <= elapsed.as_millis() as u32 + 1, "{hints} hints in {elapsed:?}");
    eprintln!("{fast} readings, {hints} hints, {:.1} % of a core", 100.0 * cost.as_secs_f64() / elapsed.as_secs_f64());
    assert!(cost < elapsed / 2, "{cost:?} of processor time in {elapsed:?}");

    let temperature = reader.of("Temperature").next().unwrap();
    assert_eq!(temperature.unit, "°C");
    assert!((10.0..30.0).contains(&temperature.value) && temperature.timestamp_us > 1_600_000_000_000_000);
    let times: Vec<_> = reader.of("Vibration").map(|reading| reading.monotonic_ns).collect();
    assert!(times.is_sorted());

    let missing = state(&feed, "Missing", |state| state.state == "failing").await;
    assert_eq!(missing.error, "open i2c-250 address 0x4a: No such file or directory (errno 2)");
    assert_eq!((missing.errno, missing.readings, missing.driver.as_str()), (2, 0, "lm75"));
    assert_eq!(state(&feed, "Vibration", |_| true).await.state, "ok");
}

#[tokio::test]
async fn a_reader_that_comes_late_learns_what_it_lost() {
    let device = Device::new(
        "[sensor]\nring_capacity = 16\n[sensor.sensors.A]\ndriver = 'simulated'\ninterval_seconds = 0.001\n",
    );
    let _service = device.start();
    let feed = device.feed().await;
    eventually("an overwritten reading", async || (feed.oldest_seq().await.unwrap() > 100).then_some(())).await;
    let batch = feed.read_since("", 0, 1000).await.unwrap();
    assert_eq!(batch.readings.len(), 16);
    assert_eq!(batch.lost, batch.readings[0].seq - 1);
    assert_eq!(batch.epoch, feed.epoch().await.unwrap());
    assert!(feed.newest_seq().await.unwrap() >= batch.readings[15].seq);
}

#[tokio::test]
async fn a_new_interval_takes_effect_at_once_and_a_wrong_one_is_refused() {
    let device = Device::new("[sensor.sensors.A]\ndriver = 'simulated'\ninterval_seconds = 100\n");
    let _service = device.start();
    let feed = device.feed().await;
    state(&feed, "A", |state| state.readings == 1).await;
    feed.set_interval("A", 0.01).await.unwrap();
    assert_eq!(state(&feed, "A", |state| state.readings > 20).await.interval_seconds, 0.01);
    let unknown = feed.set_interval("B", 1.0).await.unwrap_err();
    assert_eq!(unknown, Error::UnknownSensor("no sensor 'B', there is A".to_owned()));
    for bad in [0.0, 0.0001, 101.0, -1.0, f64::NAN, f64::INFINITY] {
        let error = feed.set_interval("A", bad).await.unwrap_err();
        assert!(matches!(&error, Error::InvalidArgument(text) if text.contains("0.001 to 100 seconds")), "{error}");
    }
}

#[tokio::test]
async fn a_restart_begins_a_new_epoch() {
    let device = Device::new("[sensor.sensors.A]\ndriver = 'simulated'\ninterval_seconds = 0.01\n");
    let service = device.start();
    let feed = device.feed().await;
    state(&feed, "A", |state| state.readings > 5).await;
    let old = feed.epoch().await.unwrap();
    service.signal(Signal::KILL);
    drop(service);
    let _service = device.start();
    eventually("the next epoch", async || feed.epoch().await.ok().filter(|epoch| *epoch != old)).await;
    state(&feed, "A", |state| state.readings > 1).await;
    let batch = feed.read_since(&old, 1_000_000, 1).await.unwrap();
    assert_eq!((batch.lost, batch.readings[0].seq), (0, 1));
}

#[tokio::test]
async fn a_termination_lets_the_reader_fetch_the_last_readings() {
    let device = Device::new(CONFIG);
    let mut service = device.start();
    let feed = device.feed().await;
    let hints = hints(&device).await;
    let mut reader = Reader::new(&feed);
    reader.pull().await.unwrap();
    service.signal(Signal::TERM);
    // Not pulling for a while, so that there is something left to fetch when the sensors have stopped.
    tokio::time::sleep(Duration::from_millis(200)).await;
    while let Ok(()) = reader.pull().await {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(service.exit().await.success());
    let (_, newest) = *hints.borrow();
    assert!(newest > 0 && reader.seq >= newest, "fetched up to {}, announced {newest}", reader.seq);
}

#[tokio::test]
async fn a_termination_without_readers_ends_at_once() {
    let device = Device::new(CONFIG);
    let mut service = device.start();
    state(&device.feed().await, "Temperature", |state| state.readings > 0).await;
    let asked = Instant::now();
    service.signal(Signal::TERM);
    assert!(service.exit().await.success());
    assert!(asked.elapsed() < Duration::from_millis(1500), "{:?}", asked.elapsed());
}
