//! The thread of one source: opens its driver, reads it when a sensor is due, and deals with failures.
//!
//! One source, one thread: a driver that blocks or hangs holds up nobody else. The thread sleeps on its order channel
//! until the next deadline, so an order is served at once and an idle sensor costs nothing.

mod activity;
mod cycle;

use crate::driver::{Fault, Open, Sample};
use crate::recorder::Recorder;
use crate::settings::Source;
use crate::state::SharedRecord;
use activity::Activity;
use cycle::Cycle;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{self, Sender};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use tokio::sync::Notify;

/// A read (or opening) that takes longer is reported as a failure. An I2C adapter gives up by itself after a second
/// or so; what hangs longer may hang for good.
pub const READ_DEADLINE: Duration = Duration::from_secs(2);

/// Enough for any driver; the default of 2 MiB a thread would show on a small device.
const STACK_BYTES: usize = 256 * 1024;

/// What a worker works with.
#[derive(Clone)]
pub struct Surroundings {
    /// Opens drivers.
    pub open: Arc<dyn Open>,
    /// Takes the readings.
    pub recorder: Arc<Recorder>,
    /// Told when a sensor's condition changes.
    pub changed: Arc<Notify>,
}

/// A sensor that a worker looks after. Its settings are in the record.
#[derive(Debug, Clone)]
pub struct Assignment {
    /// The sensor's name.
    pub name: Arc<str>,
    /// What is known about it.
    pub record: SharedRecord,
}

/// What a worker's thread is told.
enum Order {
    /// Look after these sensors from now on, at the rates in their records.
    Assign(Vec<Assignment>),
    /// The driver delivered this on its own.
    Event(Result<Sample, Fault>),
    /// End.
    Stop,
}

/// The handle of a running worker; dropping it ends the thread, after the read it may be in.
pub struct Worker {
    source: Source,
    assignments: Vec<Assignment>,
    orders: Sender<Order>,
    activity: Arc<Activity>,
    changed: Arc<Notify>,
    thread: JoinHandle<()>,
}

impl Worker {
    /// Starts the thread.
    ///
    /// # Errors
    /// When the system has no thread left.
    pub fn start(source: Source, assignments: Vec<Assignment>, surroundings: &Surroundings) -> io::Result<Self> {
        let (orders, receiver) = mpsc::channel();
        let activity = Arc::new(Activity::default());
        let cycle = Cycle::new(source.clone(), surroundings.clone(), orders.clone(), Arc::clone(&activity));
        let first = assignments.clone();
        let thread = thread::Builder::new()
            .name(format!("sensor-{}", source.driver()))
            .stack_size(STACK_BYTES)
            .spawn(move || cycle.run(first, &receiver))?;
        let changed = Arc::clone(&surroundings.changed);
        Ok(Self { source, assignments, orders, activity, changed, thread })
    }

    /// The source it reads.
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// Gives it other sensors of the same source, or the same with other rates. A sensor that it already looks after
    /// at that rate keeps its schedule.
    pub fn assign(&mut self, assignments: Vec<Assignment>) {
        self.assignments.clone_from(&assignments);
        // An error means that the thread has ended, which only a stop makes it do.
        let _ = self.orders.send(Order::Assign(assignments));
    }

    /// Reports a read that has been going on for longer than [`READ_DEADLINE`], once.
    pub fn check(&self, now: Instant) {
        let Some(operation) = self.activity.overdue(now, READ_DEADLINE) else { return };
        let fault = Fault::Timeout { seconds: READ_DEADLINE.as_secs() };
        report_failure(&self.assignments, operation, &self.source, &fault);
        self.changed.notify_one();
    }

    /// Tells the thread to end. It does so at once unless it is within a read.
    pub fn stop(&self) {
        self.activity.retire();
        let _ = self.orders.send(Order::Stop);
    }

    /// Whether the thread has ended.
    pub fn is_stopped(&self) -> bool {
        self.thread.is_finished()
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Notes a failure in the records of all sensors of a source, and logs it unless it is the same as before.
fn report_failure(assignments: &[Assignment], operation: &str, source: &Source, fault: &Fault) -> bool {
    let error = format!("{operation} {}: {fault}", source.address());
    let mut changed = false;
    for assignment in assignments {
        if assignment.record.lock().fail(error.clone(), fault.errno()) {
            changed = true;
            tracing::warn!(sensor = &*assignment.name, "{error}; the other sensors go on");
        }
    }
    changed
}

#[cfg(test)]
mod tests;
