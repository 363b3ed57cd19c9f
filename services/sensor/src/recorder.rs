//! Where readings go: stamped, numbered, into the ring, and out again to readers.

use crate::clock::{Clock, Stamp};
use crate::ring::Ring;
use microkernel_bus::Reading;
use microkernel_bus::sensor::Batch;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;

/// No answer to a reader holds more readings than this, whatever it asks for: it comes back for the rest.
pub const MAX_BATCH: usize = 10_000;

/// A reading in the ring. The texts are shared with the sensor's settings.
#[derive(Debug, Clone, PartialEq)]
pub struct Measurement {
    /// The sensor's name.
    pub sensor: Arc<str>,
    /// The unit of the value.
    pub unit: Arc<str>,
    /// What was measured; finite.
    pub value: f64,
    /// When.
    pub stamp: Stamp,
}

/// The ring with its clock. Every thread that reads a sensor writes to it.
#[derive(Debug)]
pub struct Recorder {
    clock: Clock,
    contents: Mutex<Contents>,
    newest_seq: watch::Sender<u64>,
}

#[derive(Debug)]
struct Contents {
    ring: Ring<Measurement>,
    /// The position that the furthest reader of this epoch has come with: it has all up to there. None before the
    /// first reader.
    confirmed_seq: Option<u64>,
}

impl Recorder {
    /// An empty ring, in a fresh epoch.
    pub fn new(clock: Clock, ring_capacity: usize) -> Self {
        let contents = Contents { ring: Ring::new(ring_capacity), confirmed_seq: None };
        Self { clock, contents: Mutex::new(contents), newest_seq: watch::Sender::new(0) }
    }

    /// The clock, for stamping.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Puts a reading into the ring.
    pub fn record(&self, measurement: Measurement) {
        let mut contents = self.contents();
        let seq = contents.ring.push(measurement);
        // Under the lock, so that the number announced never goes back.
        self.newest_seq.send_replace(seq);
    }

    /// The number of the newest reading, to be waited for.
    pub fn newest_seq(&self) -> watch::Receiver<u64> {
        self.newest_seq.subscribe()
    }

    /// The number of the oldest reading held, 0 when there is none.
    pub fn oldest_seq(&self) -> u64 {
        self.contents().ring.oldest_seq()
    }

    /// The epoch of the numbers.
    pub fn epoch(&self) -> String {
        self.contents().ring.epoch().to_owned()
    }

    /// Changes how many readings are held.
    pub fn set_capacity(&self, ring_capacity: usize) {
        self.contents().ring.set_capacity(ring_capacity);
    }

    /// What a reader that has everything up to `seq` of `epoch` gets; at most [`MAX_BATCH`].
    pub fn read_since(&self, epoch: &str, seq: u64, max: u32) -> Batch {
        let mut contents = self.contents();
        let current = contents.ring.epoch().to_owned();
        let seen = if epoch == current { seq } else { 0 };
        contents.confirmed_seq = contents.confirmed_seq.max(Some(seen));
        let max = usize::try_from(max).unwrap_or(MAX_BATCH).min(MAX_BATCH);
        let slice = contents.ring.read_since(epoch, seq, max);
        // The texts are copied outside of the lock: the sensors' threads need it.
        drop(contents);
        let readings = slice.items.into_iter().map(|(seq, measurement)| reading(seq, &measurement)).collect();
        Batch { epoch: current, lost: slice.lost, readings }
    }

    /// Whether nobody is waiting for a reading: a reader has confirmed the newest, or there never was a reader.
    pub fn is_drained(&self) -> bool {
        let contents = self.contents();
        contents.confirmed_seq.is_none_or(|seq| seq >= contents.ring.newest_seq())
    }

    fn contents(&self) -> MutexGuard<'_, Contents> {
        // No code under this lock can panic half-way through a change.
        self.contents.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn reading(seq: u64, measurement: &Measurement) -> Reading {
    Reading {
        seq,
        sensor: measurement.sensor.to_string(),
        value: measurement.value,
        unit: measurement.unit.to_string(),
        timestamp_us: measurement.stamp.timestamp_us,
        monotonic_ns: measurement.stamp.monotonic_ns,
        synchronized: measurement.stamp.synchronized,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recorder(readings: u32) -> Recorder {
        let recorder = Recorder::new(Clock::new("/nonexistent"), 16);
        for value in 0..readings {
            let stamp = recorder.clock().stamp();
            recorder.record(Measurement { sensor: "T".into(), unit: "°C".into(), value: value.into(), stamp });
        }
        recorder
    }

    #[test]
    fn a_reader_that_continues_where_it_was_misses_and_repeats_nothing() {
        let recorder = recorder(10);
        let (mut epoch, mut seq, mut values) = (String::new(), 0, Vec::new());
        loop {
            let batch = recorder.read_since(&epoch, seq, 3);
            let Some(last) = batch.readings.last() else { break };
            (epoch, seq) = (batch.epoch.clone(), last.seq);
            values.extend(batch.readings.iter().map(|reading| reading.value));
        }
        assert_eq!(values, (0..10).map(f64::from).collect::<Vec<_>>());
    }

    #[test]
    fn it_is_drained_once_a_reader_confirms_the_newest() {
        let recorder = recorder(3);
        assert!(recorder.is_drained(), "there is no reader");
        let batch = recorder.read_since("", 0, 100);
        assert!(!recorder.is_drained(), "the answer may still be on its way");
        recorder.read_since(&batch.epoch, 3, 100);
        assert!(recorder.is_drained());
    }

    #[test]
    fn the_newest_number_can_be_waited_for() {
        let recorder = recorder(0);
        let newest = recorder.newest_seq();
        let stamp = recorder.clock().stamp();
        recorder.record(Measurement { sensor: "T".into(), unit: "".into(), value: 1.0, stamp });
        assert!(newest.has_changed().is_ok_and(|changed| changed));
        assert_eq!(*newest.borrow(), 1);
    }
}
