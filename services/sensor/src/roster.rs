//! Which sensors run: brings the workers in line with the settings.

use crate::schedule::Interval;
use crate::settings::{SensorSettings, Settings, Source};
use crate::state::{Condition, SharedRecord};
use crate::worker::{Assignment, Surroundings, Worker};
use microkernel_bus::sensor::SensorState;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

/// The running sensors.
pub struct Roster {
    surroundings: Surroundings,
    records: BTreeMap<Arc<str>, SharedRecord>,
    workers: Vec<Worker>,
}

/// A summary for the service manager's status line.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Summary {
    /// Configured sensors.
    pub sensors: usize,
    /// Those whose last attempt failed.
    pub failing: usize,
    /// Deadlines missed by all of them since the service started.
    pub missed: u64,
}

impl Roster {
    /// No sensors yet.
    pub fn new(surroundings: Surroundings) -> Self {
        Self { surroundings, records: BTreeMap::new(), workers: Vec::new() }
    }

    /// Runs the sensors of `settings` and no others. A sensor whose settings are as before keeps running, on its
    /// schedule and with its counts; one whose source is as before keeps its driver.
    pub fn apply(&mut self, settings: &Settings) {
        self.surroundings.recorder.set_capacity(settings.ring_capacity);
        let before = std::mem::take(&mut self.records);
        for (name, sensor) in &settings.sensors {
            let kept = before.get(name.as_str()).filter(|record| is_same_sensor(&record.lock().settings, sensor));
            let record = kept.cloned().unwrap_or_else(|| SharedRecord::new(sensor.clone()));
            record.lock().settings.interval = sensor.interval;
            self.records.insert(name.as_str().into(), record);
        }
        let mut idle = std::mem::take(&mut self.workers);
        for (source, assignments) in self.by_source() {
            match idle.iter().position(|worker| *worker.source() == source) {
                Some(index) => {
                    let mut worker = idle.swap_remove(index);
                    worker.assign(assignments);
                    self.workers.push(worker);
                }
                None => self.start(source, assignments),
            }
        }
        self.surroundings.changed.notify_one();
    }

    /// Reads a sensor at another rate from now on; returns whether there is such a sensor.
    pub fn set_interval(&mut self, name: &str, interval: Interval) -> bool {
        let Some(record) = self.records.get(name) else { return false };
        let source = {
            let mut record = record.lock();
            record.settings.interval = interval;
            record.settings.source.clone()
        };
        let assignments = self.by_source().into_iter().find(|(other, _)| *other == source);
        let worker = self.workers.iter_mut().find(|worker| *worker.source() == source);
        if let (Some((_, assignments)), Some(worker)) = (assignments, worker) {
            worker.assign(assignments);
        }
        self.surroundings.changed.notify_one();
        true
    }

    /// Reports the sensors whose read hangs.
    pub fn check(&self, now: Instant) {
        self.workers.iter().for_each(|worker| worker.check(now));
    }

    /// How every sensor is doing, by name.
    pub fn states(&self) -> Vec<SensorState> {
        self.records.iter().map(|(name, record)| record.lock().report(name)).collect()
    }

    /// The summary.
    pub fn summary(&self) -> Summary {
        self.records.values().fold(Summary::default(), |summary, record| {
            let record = record.lock();
            let failing = matches!(record.condition, Condition::Failing { .. });
            Summary {
                sensors: summary.sensors + 1,
                failing: summary.failing + usize::from(failing),
                missed: summary.missed + record.missed,
            }
        })
    }

    /// Tells all threads to end.
    pub fn stop(&self) {
        self.workers.iter().for_each(Worker::stop);
    }

    /// Whether all threads have ended. One within a hung read does not.
    pub fn is_stopped(&self) -> bool {
        self.workers.iter().all(Worker::is_stopped)
    }

    /// The sensors, grouped by their source.
    fn by_source(&self) -> Vec<(Source, Vec<Assignment>)> {
        let mut groups: Vec<(_, Vec<_>)> = Vec::new();
        for (name, record) in &self.records {
            let source = record.lock().settings.source.clone();
            let assignment = Assignment { name: Arc::clone(name), record: record.clone() };
            match groups.iter_mut().find(|(other, _)| *other == source) {
                Some((_, assignments)) => assignments.push(assignment),
                None => groups.push((source, vec![assignment])),
            }
        }
        groups
    }

    /// Starts a worker. Without a thread its sensors fail, until the next time that settings are applied.
    fn start(&mut self, source: Source, assignments: Vec<Assignment>) {
        match Worker::start(source.clone(), assignments.clone(), &self.surroundings) {
            Ok(worker) => self.workers.push(worker),
            Err(error) => {
                let text = format!("start a thread for {}: {error}", source.address());
                tracing::error!("{text}");
                for assignment in assignments {
                    assignment.record.lock().fail(text.clone(), error.raw_os_error().unwrap_or(11));
                }
            }
        }
    }
}

/// Whether only the rate may differ.
fn is_same_sensor(one: &SensorSettings, other: &SensorSettings) -> bool {
    one.source == other.source && one.quantity == other.quantity && one.unit == other.unit
}
