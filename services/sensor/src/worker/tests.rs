#![allow(clippy::unwrap_used)]

use crate::clock::Clock;
use crate::driver::{Driver, Events, Fault, Open, Sample};
use crate::quantity::Quantity;
use crate::recorder::Recorder;
use crate::roster::Roster;
use crate::settings::{Settings, Source};
use crate::worker::{READ_DEADLINE, Surroundings};
use microkernel_bus::sensor::SensorState;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::sync::Notify;

/// Hardware of which the test decides what it answers. Simulated sources answer 1, at once, with their sensor's number
/// of reads as the value's fraction; every I2C source answers what the test sent, and hangs until then.
#[derive(Default)]
struct Bench {
    opened: AtomicU64,
    answers: Mutex<Option<Receiver<Answer>>>,
    events: Mutex<Option<Events>>,
}

type Answer = Result<Sample, Fault>;

impl Open for Bench {
    fn open(&self, source: &Source, events: Events) -> Result<Box<dyn Driver>, Fault> {
        match source {
            Source::I2c { .. } => {
                self.opened.fetch_add(1, Ordering::SeqCst);
                let answers = self.answers.lock().unwrap().take();
                answers.map(|answers| Box::new(Scripted(answers)) as _).ok_or(Fault::Os { errno: 2 })
            }
            Source::GpioMotion { .. } => {
                *self.events.lock().unwrap() = Some(events);
                Ok(Box::new(Constant(Sample::of(Quantity::Motion, 0.0))))
            }
            _ => Ok(Box::new(Constant(Sample::of(Quantity::Temperature, 1.0)))),
        }
    }
}

struct Constant(Sample);

impl Driver for Constant {
    fn measures(&self) -> &[Quantity] {
        &Quantity::ALL
    }
    fn read(&mut self) -> Answer {
        Ok(self.0)
    }
}

struct Scripted(Receiver<Answer>);

impl Driver for Scripted {
    fn measures(&self) -> &[Quantity] {
        &Quantity::ALL
    }
    fn read(&mut self) -> Answer {
        self.0.recv().expect("the script is over")
    }
}

struct Service {
    bench: Arc<Bench>,
    recorder: Arc<Recorder>,
    roster: Roster,
}

fn service(sensors: &str) -> Service {
    let bench = Arc::new(Bench::default());
    let recorder = Arc::new(Recorder::new(Clock::new("/nonexistent"), 16));
    let surroundings = Surroundings {
        open: Arc::clone(&bench) as _,
        recorder: Arc::clone(&recorder),
        changed: Arc::new(Notify::new()),
    };
    let mut service = Service { bench, recorder, roster: Roster::new(surroundings) };
    service.configure(sensors);
    service
}

impl Service {
    fn configure(&mut self, sensors: &str) {
        let settings: Settings = toml::from_str(sensors).unwrap();
        self.roster.apply(&settings);
    }

    /// Prepares what the next opened I2C chip answers.
    fn script(&self) -> Sender<Answer> {
        let (sender, receiver) = mpsc::channel();
        *self.bench.answers.lock().unwrap() = Some(receiver);
        sender
    }

    fn state(&self, name: &str) -> SensorState {
        self.roster.states().into_iter().find(|state| state.name == name).unwrap()
    }

    fn values(&self, name: &str) -> Vec<f64> {
        let batch = self.recorder.read_since("", 0, u32::MAX);
        batch.readings.iter().filter(|reading| reading.sensor == name).map(|reading| reading.value).collect()
    }
}

#[track_caller]
fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !condition() {
        assert!(Instant::now() < deadline, "{what} did not happen within 20 s");
        std::thread::sleep(Duration::from_millis(2));
    }
}

const SIMULATED: &str = "ring_capacity = 100000\n[sensors.Sim]\ndriver = 'simulated'\ninterval_seconds = 0.01\n";
const CHIP: &str = "[sensors.Chip]\ndriver = 'lm75'\ninterval_seconds = 0.01\n";

#[test]
fn a_missing_chip_is_reported_with_address_and_errno_and_stops_nobody() {
    let service = service(&format!("{SIMULATED}{CHIP}"));
    wait_until("the failure", || service.state("Chip").state == "failing");
    let state = service.state("Chip");
    assert_eq!(state.error, "open i2c-1 address 0x48: No such file or directory (errno 2)");
    assert_eq!((state.errno, state.readings, state.driver.as_str()), (2, 0, "lm75"));
    let before = service.state("Sim").readings;
    wait_until("further readings", || service.state("Sim").readings > before + 5);
    assert_eq!(service.state("Sim").state, "ok");
}

#[test]
fn a_failed_read_is_retried_with_a_newly_opened_driver_after_a_second() {
    let mut service = service("");
    let script = service.script();
    script.send(Ok(Sample::of(Quantity::Temperature, 20.0))).unwrap();
    script.send(Err(Fault::Os { errno: 121 })).unwrap();
    service.configure(CHIP);
    wait_until("the failure", || service.state("Chip").state == "failing");
    let failed = Instant::now();
    let state = service.state("Chip");
    assert_eq!(state.error, "read i2c-1 address 0x48: Remote I/O error (errno 121)");
    assert_eq!((state.errno, state.failures, state.readings), (121, 1, 1));
    let script = service.script();
    script.send(Ok(Sample::of(Quantity::Temperature, 21.0))).unwrap();
    wait_until("the recovery", || service.state("Chip").state == "ok");
    assert!(failed.elapsed() > Duration::from_millis(900), "{:?}", failed.elapsed());
    assert_eq!(service.values("Chip"), [20.0, 21.0]);
    assert_eq!(service.bench.opened.load(Ordering::SeqCst), 2);
    assert!(service.roster.summary().missed > 50, "the deadlines of that second count as missed");
    // The script's next read waits for an answer; without one the driver panics, which is a failure like others.
    drop(script);
    wait_until("the next failure", || service.state("Chip").state == "failing");
    assert_eq!(service.state("Chip").error, "read i2c-1 address 0x48: the driver panicked");
}

#[test]
fn a_hung_read_is_reported_once_and_the_others_go_on() {
    let mut service = service("");
    let script = service.script();
    service.configure(&format!("{SIMULATED}{CHIP}"));
    wait_until("the chip to be opened", || service.bench.opened.load(Ordering::SeqCst) == 1);
    let late = Instant::now() + READ_DEADLINE + Duration::from_secs(1);
    wait_until("the report", || {
        service.roster.check(late);
        service.state("Chip").state == "failing"
    });
    service.roster.check(late);
    let state = service.state("Chip");
    assert_eq!(state.error, "read i2c-1 address 0x48: no answer within 2 s");
    assert_eq!((state.errno, state.failures), (110, 1));
    let before = service.state("Sim").readings;
    wait_until("further readings", || service.state("Sim").readings > before + 5);
    script.send(Ok(Sample::of(Quantity::Temperature, 20.0))).unwrap();
    wait_until("the late answer", || service.state("Chip").state == "ok");
}

#[test]
fn two_sensors_of_one_chip_share_a_measurement() {
    let mut service = service("");
    let script = service.script();
    script.send(Ok(Sample::of(Quantity::Temperature, 20.0).with(Quantity::Humidity, 50.0))).unwrap();
    service.configure(
        "[sensors.T]\ndriver = 'sht3x'\ninterval_seconds = 100\n\
         [sensors.H]\ndriver = 'sht3x'\nquantity = 'humidity'\ninterval_seconds = 100",
    );
    wait_until("both readings", || service.values("T") == [20.0] && service.values("H") == [50.0]);
    let batch = service.recorder.read_since("", 0, 10);
    assert_eq!(batch.readings[0].monotonic_ns, batch.readings[1].monotonic_ns);
    assert_eq!(service.bench.opened.load(Ordering::SeqCst), 1);
}

#[test]
fn unchanged_sensors_keep_running_when_others_come_and_go() {
    let mut service = service(SIMULATED);
    wait_until("readings", || service.state("Sim").readings > 5);
    let script = service.script();
    script.send(Ok(Sample::of(Quantity::Temperature, 20.0))).unwrap();
    service.configure(&format!("{SIMULATED}{CHIP}"));
    assert!(service.state("Sim").readings > 5, "its counts are kept");
    wait_until("the new one", || service.state("Chip").readings == 1);
    service.configure(SIMULATED);
    assert_eq!(service.roster.states().len(), 1);
    // What the removed chip still answers is dropped. Its thread may have ended before, and then nobody takes it.
    let _ = script.send(Ok(Sample::of(Quantity::Temperature, 99.0)));
    let before = service.state("Sim").readings;
    wait_until("further readings", || service.state("Sim").readings > before + 5);
    assert_eq!(service.values("Chip"), [20.0]);
}

#[test]
fn a_new_rate_takes_effect_at_once() {
    let mut service = service("[sensors.Slow]\ndriver = 'simulated'\ninterval_seconds = 100");
    wait_until("the first reading", || service.state("Slow").readings == 1);
    assert!(service.roster.set_interval("Slow", 0.01.try_into().unwrap()));
    assert_eq!(service.state("Slow").interval_seconds, 0.01);
    wait_until("readings at the new rate", || service.state("Slow").readings > 10);
    assert!(!service.roster.set_interval("Other", 0.01.try_into().unwrap()));
}

#[test]
fn an_event_is_a_reading_beside_the_periodic_ones() {
    let service = service("[sensors.Motion]\ndriver = 'gpio-motion'\nline = 17\ninterval_seconds = 100");
    wait_until("the first reading", || service.values("Motion") == [0.0]);
    let events = service.bench.events.lock().unwrap().take().unwrap();
    events(Ok(Sample::of(Quantity::Motion, 1.0)));
    wait_until("the event", || service.values("Motion") == [0.0, 1.0]);
    events(Err(Fault::Os { errno: 19 }));
    wait_until("the failure", || service.state("Motion").state == "failing");
    assert_eq!(service.state("Motion").error, "watch gpiochip0 line 17: No such device (errno 19)");
}

#[test]
fn a_kilohertz_is_kept_without_drift() {
    let service = service("ring_capacity = 100000\n[sensors.Fast]\ndriver = 'simulated'\ninterval_seconds = 0.001");
    wait_until("the first reading", || service.state("Fast").readings > 0);
    std::thread::sleep(Duration::from_secs(2));
    service.roster.stop();
    wait_until("the end", || service.roster.is_stopped());
    let batch = service.recorder.read_since("", 0, u32::MAX);
    let first = batch.readings.first().unwrap().monotonic_ns;
    let last = batch.readings.last().unwrap().monotonic_ns;
    // Served or missed, every deadline of the time in between was accounted for; a loaded machine may miss some.
    let deadlines = service.state("Fast").readings + service.roster.summary().missed;
    let elapsed_ms = (last - first) / 1_000_000;
    assert!(deadlines.abs_diff(elapsed_ms) <= 20, "{deadlines} deadlines in {elapsed_ms} ms");
    assert!(service.state("Fast").readings > elapsed_ms / 2, "{:?}", service.state("Fast"));
}
