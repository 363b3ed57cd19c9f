//! One reading of each sensor, for the command line: is the chip there, is the wiring right?

use crate::driver::{Fault, Open, Sample};
use crate::settings::{SensorSettings, Settings, Source};
use crate::worker::READ_DEADLINE;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

/// For opening and reading together; the sensors are read side by side.
pub const DEADLINE: Duration = READ_DEADLINE.saturating_mul(2);

/// What one sensor said.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    /// The sensor's name.
    pub sensor: String,
    /// The value with its unit, or what failed, where and why.
    pub outcome: Result<String, String>,
}

/// What a source's thread answers: the sample, or which operation failed.
type Answer = Result<Sample, (&'static str, Fault)>;

/// Reads every sensor of `settings` once, within [`DEADLINE`]. Sensors of one source share a driver and its measurement.
pub fn read_once(settings: &Settings, open: &Arc<dyn Open>) -> Vec<Reading> {
    let end = Instant::now() + DEADLINE;
    let sources = settings.sensors.values().fold(Vec::new(), |mut sources: Vec<&Source>, sensor| {
        if !sources.contains(&&sensor.source) {
            sources.push(&sensor.source);
        }
        sources
    });
    let pending: Vec<_> = sources.into_iter().map(|source| (source, start(source.clone(), Arc::clone(open)))).collect();
    let answers: Vec<_> = pending.into_iter().map(|(source, answer)| (source, receive(&answer, end))).collect();
    let reading = |(name, sensor): (&String, &SensorSettings)| {
        let answer = answers.iter().find(|(source, _)| **source == sensor.source).map(|(_, answer)| answer);
        Reading { sensor: name.clone(), outcome: outcome(sensor, answer) }
    };
    settings.sensors.iter().map(reading).collect()
}

/// Opens and reads the source in a thread of its own. One that hangs ends with the process.
fn start(source: Source, open: Arc<dyn Open>) -> Receiver<Answer> {
    let (sender, receiver) = mpsc::channel();
    // Without a thread the sender is dropped, and the receiver says so.
    let _ = thread::Builder::new().name(format!("sensor-{}", source.driver())).spawn(move || {
        let opened = open.open(&source, Box::new(|_| ())).map_err(|fault| ("open", fault));
        let answer = opened.and_then(|mut driver| driver.read().map_err(|fault| ("read", fault)));
        // Nobody waits for one that comes too late.
        let _ = sender.send(answer);
    });
    receiver
}

fn receive(answer: &Receiver<Answer>, end: Instant) -> Answer {
    match answer.recv_timeout(end.saturating_duration_since(Instant::now())) {
        Ok(answer) => answer,
        Err(RecvTimeoutError::Timeout) => Err(("read", Fault::Timeout { seconds: DEADLINE.as_secs() })),
        Err(RecvTimeoutError::Disconnected) => Err(("read", Fault::Invalid("the driver gave no answer".to_owned()))),
    }
}

fn outcome(sensor: &SensorSettings, answer: Option<&Answer>) -> Result<String, String> {
    let failed = |operation: &str, fault: &dyn std::fmt::Display| {
        format!("{operation} {} at {}: {fault}", sensor.source.driver(), sensor.source.address())
    };
    match answer {
        Some(Ok(sample)) => match sample.get(sensor.quantity) {
            Some(value) => Ok(format!("{value} {}", sensor.unit).trim_end().to_owned()),
            None => Err(failed("read", &format_args!("no {} in the sample", sensor.quantity))),
        },
        Some(Err((operation, fault))) => Err(failed(operation, fault)),
        None => Err(failed("read", &"not tried")),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::driver::{Driver, Events};
    use crate::quantity::Quantity;
    use std::sync::atomic::{AtomicUsize, Ordering};

    /// An HTS221 that answers, a TMP105 that is not there, an LM75 that hangs.
    #[derive(Default)]
    struct Bench {
        opened: AtomicUsize,
    }

    struct Chip;

    impl Driver for Chip {
        fn measures(&self) -> &[Quantity] {
            &[Quantity::Temperature, Quantity::Humidity]
        }
        fn read(&mut self) -> Result<Sample, Fault> {
            Ok(Sample::of(Quantity::Temperature, 25.5).with(Quantity::Humidity, 40.0))
        }
    }

    impl Open for Bench {
        fn open(&self, source: &Source, _events: Events) -> Result<Box<dyn Driver>, Fault> {
            self.opened.fetch_add(1, Ordering::Relaxed);
            match source.driver() {
                "hts221" => Ok(Box::new(Chip)),
                "lm75" => loop {
                    thread::park();
                },
                _ => Err(Fault::Os { errno: 121 }),
            }
        }
    }

    #[test]
    fn every_sensor_is_read_once_and_each_failure_names_operation_place_and_reason() {
        let section = "[sensors.Humidity]\ndriver = 'hts221'\nquantity = 'humidity'\n\
                       [sensors.Hanging]\ndriver = 'lm75'\naddress = 0x4a\n\
                       [sensors.Missing]\ndriver = 'tmp105'\naddress = 0x49\n\
                       [sensors.Temperature]\ndriver = 'hts221'\n";
        let settings = Settings::try_from(section.parse::<toml::Table>().unwrap()).unwrap();
        let bench = Arc::new(Bench::default());
        let readings = read_once(&settings, &(Arc::clone(&bench) as Arc<dyn Open>));
        let expected = [
            ("Hanging", Err("read lm75 at i2c-1 address 0x4a: no answer within 4 s")),
            ("Humidity", Ok("40 %")),
            ("Missing", Err("open tmp105 at i2c-1 address 0x49: Remote I/O error (errno 121)")),
            ("Temperature", Ok("25.5 °C")),
        ];
        for (reading, (sensor, outcome)) in readings.iter().zip(expected) {
            assert_eq!(reading.sensor, sensor);
            assert_eq!(reading.outcome.as_deref().map_err(String::as_str), outcome);
        }
        assert_eq!((readings.len(), bench.opened.load(Ordering::Relaxed)), (4, 3), "two sensors share one chip");
    }
}
