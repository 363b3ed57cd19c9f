//! A motion detector (PIR) on a GPIO line: 1 while it sees motion, else 0.
//!
//! By the GPIO character device (`/dev/gpiochipN`, crate `gpiocdev`) and not by `rppal`: its author retired that crate
//! in 2025, it works on a Raspberry Pi only and needs `/dev/gpiomem`, where the character device is the kernel's own
//! interface on every board and gives edge events. Each edge is a sample at once, beside the periodic ones.

use super::{Driver, Events, Fault, Sample};
use crate::quantity::Quantity;
use gpiocdev::line::{EdgeDetection, EdgeKind, Value};
use gpiocdev::{Error, Request};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

/// How often the thread that waits for edges looks whether it is still wanted.
const EDGE_WAIT: Duration = Duration::from_millis(200);

/// An input line with edge detection; `true` is motion.
pub(super) trait Line: Send + Sync + 'static {
    /// The level now.
    fn level(&self) -> Result<bool, Fault>;
    /// The level after the next edge; none when there was no edge within `timeout`.
    fn wait_edge(&self, timeout: Duration) -> Result<Option<bool>, Fault>;
}

/// A motion detector. Its edge thread ends within [`EDGE_WAIT`] of the driver's end.
pub(super) struct GpioMotion<L> {
    line: Arc<L>,
    closed: Arc<AtomicBool>,
}

impl<L: Line> GpioMotion<L> {
    /// Watches the line's edges and passes each on to `events`.
    pub(super) fn open(line: L, events: Events) -> Result<Self, Fault> {
        let (line, closed) = (Arc::new(line), Arc::new(AtomicBool::new(false)));
        let driver = Self { line: Arc::clone(&line), closed: Arc::clone(&closed) };
        thread::Builder::new()
            .name("gpio-edges".to_owned())
            .stack_size(128 * 1024)
            .spawn(move || watch_edges(&*line, &closed, &events))?;
        Ok(driver)
    }
}

/// Passes on edges until the driver is closed. A fault is passed on too and ends it: the driver is then opened anew.
fn watch_edges(line: &impl Line, closed: &AtomicBool, events: &Events) {
    while !closed.load(Ordering::Relaxed) {
        match line.wait_edge(EDGE_WAIT) {
            Ok(Some(level)) => events(Ok(sample(level))),
            Ok(None) => {}
            Err(fault) => return events(Err(fault)),
        }
    }
}

fn sample(level: bool) -> Sample {
    Sample::of(Quantity::Motion, f64::from(u8::from(level)))
}

impl<L: Line> Driver for GpioMotion<L> {
    fn measures(&self) -> &[Quantity] {
        &[Quantity::Motion]
    }

    fn read(&mut self) -> Result<Sample, Fault> {
        self.line.level().map(sample)
    }
}

impl<L> Drop for GpioMotion<L> {
    fn drop(&mut self) {
        self.closed.store(true, Ordering::Relaxed);
    }
}

/// A line of the GPIO character device.
pub(super) struct CharacterDeviceLine {
    request: Request,
}

impl CharacterDeviceLine {
    /// Requests the line, for example number 17 of `/dev/gpiochip0`.
    pub(super) fn request(chip: &Path, line: u32, active_low: bool) -> Result<Self, Fault> {
        let mut builder = Request::builder();
        builder.on_chip(chip).with_consumer("microkernel-sensor").with_line(line).as_input();
        if active_low {
            builder.as_active_low();
        }
        builder.with_edge_detection(EdgeDetection::BothEdges);
        Ok(Self { request: builder.request()? })
    }
}

impl Line for CharacterDeviceLine {
    fn level(&self) -> Result<bool, Fault> {
        Ok(self.request.lone_value()? == Value::Active)
    }

    fn wait_edge(&self, timeout: Duration) -> Result<Option<bool>, Fault> {
        if !self.request.wait_edge_event(timeout)? {
            return Ok(None);
        }
        Ok(Some(self.request.read_edge_event()?.kind == EdgeKind::Rising))
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        match error {
            Error::Os(errno) => Self::Os { errno: errno.0 },
            Error::Uapi(_, gpiocdev_uapi::Error::Os(errno)) => Self::Os { errno: errno.0 },
            other => Self::Missing(other.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::sync::Mutex;
    use std::sync::mpsc;

    /// A line whose edges come from a channel; the level follows them.
    struct Wire {
        level: AtomicBool,
        edges: Mutex<mpsc::Receiver<Result<bool, Fault>>>,
    }

    impl Line for Wire {
        fn level(&self) -> Result<bool, Fault> {
            Ok(self.level.load(Ordering::Relaxed))
        }

        fn wait_edge(&self, timeout: Duration) -> Result<Option<bool>, Fault> {
            match self.edges.lock().unwrap().recv_timeout(timeout) {
                Ok(edge) => {
                    let level = edge?;
                    self.level.store(level, Ordering::Relaxed);
                    Ok(Some(level))
                }
                Err(_) => Ok(None),
            }
        }
    }

    type Edge = Result<bool, Fault>;

    fn detector() -> (GpioMotion<Wire>, mpsc::Sender<Edge>, mpsc::Receiver<Result<Sample, Fault>>) {
        let (edge_sender, edges) = mpsc::channel();
        let (sample_sender, samples) = mpsc::channel();
        let line = Wire { level: AtomicBool::new(false), edges: Mutex::new(edges) };
        let events: Events = Box::new(move |sample| sample_sender.send(sample).unwrap());
        (GpioMotion::open(line, events).unwrap(), edge_sender, samples)
    }

    const SOON: Duration = Duration::from_secs(5);

    #[test]
    fn each_edge_is_a_sample_at_once_and_the_level_can_be_read_between() {
        let (mut detector, edges, samples) = detector();
        assert_eq!(detector.read(), Ok(Sample::of(Quantity::Motion, 0.0)));
        for (level, value) in [(true, 1.0), (false, 0.0), (true, 1.0)] {
            edges.send(Ok(level)).unwrap();
            assert_eq!(samples.recv_timeout(SOON).unwrap(), Ok(Sample::of(Quantity::Motion, value)));
            assert_eq!(detector.read(), Ok(Sample::of(Quantity::Motion, value)));
        }
    }

    #[test]
    fn a_fault_is_passed_on_and_ends_the_watch() {
        let (_detector, edges, samples) = detector();
        edges.send(Err(Fault::Os { errno: 19 })).unwrap();
        assert_eq!(samples.recv_timeout(SOON).unwrap(), Err(Fault::Os { errno: 19 }));
        assert_eq!(samples.recv_timeout(SOON), Err(mpsc::RecvTimeoutError::Disconnected));
    }

    #[test]
    fn the_watch_ends_with_the_driver() {
        let (detector, _edges, samples) = detector();
        drop(detector);
        assert_eq!(samples.recv_timeout(SOON), Err(mpsc::RecvTimeoutError::Disconnected));
    }

    #[test]
    fn a_chip_that_is_not_there_is_a_fault() {
        let fault = CharacterDeviceLine::request(Path::new("/dev/gpiochip-none"), 17, false).err().unwrap();
        assert_eq!(fault.errno(), 2, "{fault}");
    }
}
