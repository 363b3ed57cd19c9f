//! What a worker's thread does.

use super::activity::Activity;
use super::{Assignment, Order, Surroundings, report_failure};
use crate::backoff::Backoff;
use crate::driver::{Driver, Events, Fault, Sample};
use crate::quantity::Quantity;
use crate::recorder::Measurement;
use crate::schedule::Schedule;
use crate::settings::Source;
use crate::state::Condition;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

/// How long to sleep when there is nothing to do.
const IDLE: Duration = Duration::from_secs(3600);

/// The state of the thread.
pub(super) struct Cycle {
    source: Source,
    surroundings: Surroundings,
    orders: Sender<Order>,
    activity: Arc<Activity>,
    tasks: Vec<Task>,
    driver: Option<Box<dyn Driver>>,
    backoff: Backoff,
    /// After a failure: when to try again. The schedules wait that long.
    retry_at: Option<Instant>,
}

/// One sensor of the source.
struct Task {
    assignment: Assignment,
    quantity: Quantity,
    unit: Arc<str>,
    schedule: Schedule,
}

impl Cycle {
    pub(super) fn new(
        source: Source,
        surroundings: Surroundings,
        orders: Sender<Order>,
        activity: Arc<Activity>,
    ) -> Self {
        let (tasks, driver, backoff, retry_at) = (Vec::new(), None, Backoff::default(), None);
        Self { source, surroundings, orders, activity, tasks, driver, backoff, retry_at }
    }

    /// Works until told to stop.
    pub(super) fn run(mut self, assignments: Vec<Assignment>, orders: &Receiver<Order>) {
        self.assign(assignments);
        loop {
            match orders.recv_timeout(self.wake_at().saturating_duration_since(Instant::now())) {
                Ok(Order::Assign(assignments)) => self.assign(assignments),
                Ok(Order::Event(Ok(sample))) => self.take_event(&sample),
                Ok(Order::Event(Err(fault))) => self.fail("watch", &fault),
                Ok(Order::Stop) | Err(RecvTimeoutError::Disconnected) => return,
                Err(RecvTimeoutError::Timeout) => self.measure(),
            }
        }
    }

    /// When there is something to do: the next attempt after a failure, else the first deadline.
    fn wake_at(&self) -> Instant {
        let due = self.tasks.iter().map(|task| task.schedule.due()).min();
        self.retry_at.or(due).unwrap_or_else(|| Instant::now() + IDLE)
    }

    /// Takes over other sensors; those it has keep their schedule.
    fn assign(&mut self, assignments: Vec<Assignment>) {
        let now = Instant::now();
        let before = std::mem::take(&mut self.tasks);
        for assignment in assignments {
            let settings = assignment.record.lock().settings.clone();
            let mut schedule = before
                .iter()
                .find(|task| task.assignment.name == assignment.name)
                .map_or_else(|| Schedule::new(now, settings.interval), |task| task.schedule);
            schedule.set_interval(now, settings.interval);
            self.tasks.push(Task { assignment, quantity: settings.quantity, unit: settings.unit.into(), schedule });
        }
        self.tell_interval();
    }

    fn tell_interval(&mut self) {
        let shortest = self.tasks.iter().map(|task| task.schedule.interval()).min();
        if let (Some(driver), Some(shortest)) = (&mut self.driver, shortest) {
            driver.interval_changed(shortest.duration());
        }
    }

    /// Measures once for all sensors that are due.
    fn measure(&mut self) {
        let started = Instant::now();
        if self.driver.is_none() {
            match self.open() {
                Ok(driver) => self.driver = Some(driver),
                Err(fault) => return self.fail("open", &fault),
            }
            self.tell_interval();
        }
        match self.read() {
            Ok(sample) => self.take(started, &sample),
            Err(fault) => self.fail("read", &fault),
        }
    }

    fn open(&self) -> Result<Box<dyn Driver>, Fault> {
        let orders = self.orders.clone();
        // A send fails when the thread has ended, and then nobody wants the event.
        let events: Events = Box::new(move |event| drop(orders.send(Order::Event(event))));
        let _within = self.activity.begin("open");
        catch_unwind(AssertUnwindSafe(|| self.surroundings.open.open(&self.source, events)))
            .unwrap_or_else(|_| Err(panicked()))
    }

    fn read(&mut self) -> Result<Sample, Fault> {
        let Some(driver) = &mut self.driver else { return Ok(Sample::default()) };
        let _within = self.activity.begin("read");
        // A failed driver is dropped and opened anew, so nothing half-done is ever looked at.
        catch_unwind(AssertUnwindSafe(|| driver.read())).unwrap_or_else(|_| Err(panicked()))
    }

    /// Records a sample for the sensors that were due at `started`.
    fn take(&mut self, started: Instant, sample: &Sample) {
        if self.activity.is_retired() {
            return;
        }
        if self.retry_at.take().is_some() {
            tracing::info!("{} answers again", self.source.address());
        }
        self.backoff.reset();
        let (stamp, now) = (self.surroundings.recorder.clock().stamp(), Instant::now());
        let mut changed = false;
        for task in &mut self.tasks {
            let due = task.schedule.due() <= started;
            let missed = if due { task.schedule.advance(now) } else { 0 };
            let mut record = task.assignment.record.lock();
            record.missed += missed;
            let Some(value) = sample.get(task.quantity) else {
                let error = format!("read {}: no {} in the sample", self.source.address(), task.quantity);
                changed |= record.fail(error, Fault::Invalid(String::new()).errno());
                continue;
            };
            changed |= record.set_condition(Condition::Ok);
            if due {
                record.readings += 1;
                let (sensor, unit) = (Arc::clone(&task.assignment.name), Arc::clone(&task.unit));
                self.surroundings.recorder.record(Measurement { sensor, unit, value, stamp });
            }
        }
        if changed {
            self.surroundings.changed.notify_one();
        }
    }

    /// Records what the driver delivered on its own; the schedules are not touched.
    fn take_event(&mut self, sample: &Sample) {
        if self.activity.is_retired() {
            return;
        }
        let stamp = self.surroundings.recorder.clock().stamp();
        for task in &self.tasks {
            if let Some(value) = sample.get(task.quantity) {
                task.assignment.record.lock().readings += 1;
                let (sensor, unit) = (Arc::clone(&task.assignment.name), Arc::clone(&task.unit));
                self.surroundings.recorder.record(Measurement { sensor, unit, value, stamp });
            }
        }
    }

    /// Reports a failure, gives up the driver and waits before the next attempt.
    fn fail(&mut self, operation: &str, fault: &Fault) {
        if self.activity.is_retired() {
            return;
        }
        self.driver = None;
        self.retry_at = Some(Instant::now() + self.backoff.fail());
        let assignments: Vec<_> = self.tasks.iter().map(|task| task.assignment.clone()).collect();
        if report_failure(&assignments, operation, &self.source, fault) {
            self.surroundings.changed.notify_one();
        }
    }
}

fn panicked() -> Fault {
    Fault::Invalid("the driver panicked".to_owned())
}
