//! A sensor that is not there: for demonstrations and tests.
//!
//! The same settings and seed give the same series: time in the simulation is not the clock's but advances by one
//! interval a reading. The generator (xoshiro256++) and the normal distribution are stable across platforms.

use super::{Driver, Fault, Sample};
use crate::quantity::Quantity;
use rand::{RngExt, SeedableRng};
use rand_distr::StandardNormal;
use rand_xoshiro::Xoshiro256PlusPlus;
use std::f64::consts::TAU;
use std::time::Duration;

/// What a simulated sensor does.
///
/// A value is the daily cycle `mean - amplitude · cos(2π t / period)` (so it starts at its lowest), plus drift, plus
/// normally distributed noise, plus now and then a spike. A sensor that is stuck repeats its last value. Motion is 0
/// or 1 and has no noise: at any time it is 1 with the probability that the cycle gives, held to 0 … 1.
#[derive(Debug, Clone, PartialEq)]
pub struct Simulation {
    /// What it measures.
    pub quantity: Quantity,
    /// The middle of the cycle, in the quantity's unit.
    pub mean: f64,
    /// How far the cycle swings to either side.
    pub amplitude: f64,
    /// The length of a cycle in seconds, above 0.
    pub period_seconds: f64,
    /// The standard deviation of the noise, 0 or more.
    pub noise: f64,
    /// How much the value creeps away in an hour.
    pub drift_per_hour: f64,
    /// The probability that a reading is a spike, 0 to 1.
    pub spike_probability: f64,
    /// How high a spike is above or below the value.
    pub spike_size: f64,
    /// The probability at each reading that the sensor gets stuck, 0 to 1.
    pub stuck_probability: f64,
    /// The seed of everything random.
    pub seed: u64,
}

/// A stuck sensor comes free at each reading with this probability: it is stuck for ten readings on average.
const FREE_PROBABILITY: f64 = 0.1;
/// Motion looks again whether it goes on with this probability at each reading, so that it comes in stretches.
const MOTION_CHANGE_PROBABILITY: f64 = 0.2;

impl Simulation {
    /// A plausible sensor of that quantity: a daily cycle with a little noise, no faults.
    pub fn of(quantity: Quantity, seed: u64) -> Self {
        let (mean, amplitude, noise, spike_size) = match quantity {
            Quantity::Temperature => (21.0, 4.0, 0.1, 15.0),
            Quantity::Humidity => (50.0, 10.0, 0.5, 30.0),
            Quantity::Pressure => (1013.25, 3.0, 0.1, 50.0),
            Quantity::Motion => (0.2, 0.2, 0.0, 0.0),
            Quantity::Illuminance => (400.0, 400.0, 5.0, 2000.0),
            Quantity::Voltage => (5.0, 0.0, 0.01, 1.0),
            Quantity::Current => (0.6, 0.1, 0.01, 1.0),
            Quantity::Power => (3.0, 0.5, 0.05, 5.0),
            Quantity::FanSpeed => (1500.0, 300.0, 10.0, 1500.0),
        };
        Self {
            quantity,
            mean,
            amplitude,
            period_seconds: 86_400.0,
            noise,
            drift_per_hour: 0.0,
            spike_probability: 0.0,
            spike_size,
            stuck_probability: 0.0,
            seed,
        }
    }

    /// The least and the greatest value that the quantity can have.
    fn limits(&self) -> (f64, f64) {
        match self.quantity {
            Quantity::Humidity => (0.0, 100.0),
            Quantity::Motion => (0.0, 1.0),
            Quantity::Temperature => (-273.15, f64::MAX),
            Quantity::Pressure | Quantity::Illuminance | Quantity::FanSpeed => (0.0, f64::MAX),
            Quantity::Voltage | Quantity::Current | Quantity::Power => (f64::MIN, f64::MAX),
        }
    }
}

/// A running simulation.
pub(super) struct Simulated {
    settings: Simulation,
    random: Xoshiro256PlusPlus,
    interval: Duration,
    elapsed: Duration,
    last: f64,
    stuck: bool,
}

impl Simulated {
    /// Starts the series.
    pub(super) fn new(settings: Simulation) -> Self {
        let random = Xoshiro256PlusPlus::seed_from_u64(settings.seed);
        let (last, stuck) = (settings.mean, false);
        Self { settings, random, interval: Duration::ZERO, elapsed: Duration::ZERO, last, stuck }
    }

    fn next(&mut self) -> f64 {
        let seconds = self.elapsed.as_secs_f64();
        self.elapsed += self.interval;
        let settings = &self.settings;
        let cycle = settings.mean - settings.amplitude * (TAU * seconds / settings.period_seconds).cos()
            + settings.drift_per_hour * seconds / 3600.0;
        let (least, greatest) = settings.limits();
        if settings.quantity == Quantity::Motion {
            if self.random.random_bool(MOTION_CHANGE_PROBABILITY) {
                self.last = f64::from(u8::from(self.random.random_bool(cycle.clamp(least, greatest))));
            }
            return self.last.round().clamp(least, greatest);
        }
        if self.stuck {
            self.stuck = !self.random.random_bool(FREE_PROBABILITY);
            return self.last;
        }
        let noise: f64 = self.random.sample(StandardNormal);
        let spike = match (self.random.random_bool(settings.spike_probability), self.random.random_bool(0.5)) {
            (true, true) => settings.spike_size,
            (true, false) => -settings.spike_size,
            (false, _) => 0.0,
        };
        self.stuck = self.random.random_bool(settings.stuck_probability);
        self.last = (cycle + settings.noise * noise + spike).clamp(least, greatest);
        self.last
    }
}

impl Driver for Simulated {
    fn measures(&self) -> &[Quantity] {
        std::slice::from_ref(&self.settings.quantity)
    }

    fn read(&mut self) -> Result<Sample, Fault> {
        let value = self.next();
        Ok(Sample::of(self.settings.quantity, value))
    }

    fn interval_changed(&mut self, interval: Duration) {
        self.interval = interval;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn series(settings: &Simulation, interval_seconds: f64, count: usize) -> Vec<f64> {
        let mut driver = Simulated::new(settings.clone());
        driver.interval_changed(Duration::from_secs_f64(interval_seconds));
        (0..count).map(|_| driver.read().unwrap().get(settings.quantity).unwrap()).collect()
    }

    fn quiet(quantity: Quantity) -> Simulation {
        Simulation { noise: 0.0, ..Simulation::of(quantity, 1) }
    }

    #[test]
    fn the_same_seed_gives_the_same_series_and_another_seed_another() {
        for quantity in Quantity::ALL {
            let settings = Simulation { spike_probability: 0.1, stuck_probability: 0.1, ..Simulation::of(quantity, 7) };
            let first = series(&settings, 60.0, 1000);
            assert_eq!(first, series(&settings, 60.0, 1000));
            assert_ne!(first, series(&Simulation { seed: 8, ..settings }, 60.0, 1000));
        }
    }

    #[test]
    fn a_day_swings_from_the_lowest_to_the_highest_and_back() {
        let values = series(&quiet(Quantity::Temperature), 3600.0, 25);
        assert_eq!((values[0], values[24]), (17.0, 17.0));
        assert!((values[6] - 21.0).abs() < 1e-9 && (values[12] - 25.0).abs() < 1e-9);
    }

    #[test]
    fn drift_adds_up_by_the_hour() {
        let settings = Simulation { amplitude: 0.0, drift_per_hour: 0.5, ..quiet(Quantity::Temperature) };
        assert_eq!(series(&settings, 3600.0, 3), [21.0, 21.5, 22.0]);
    }

    #[test]
    fn noise_has_the_standard_deviation_asked_for() {
        let settings = Simulation { amplitude: 0.0, noise: 2.0, ..Simulation::of(Quantity::Temperature, 3) };
        let values = series(&settings, 1.0, 10_000);
        let mean = values.iter().sum::<f64>() / 10_000.0;
        let deviation = (values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / 10_000.0).sqrt();
        assert!((mean - 21.0).abs() < 0.1 && (deviation - 2.0).abs() < 0.1, "{mean} {deviation}");
    }

    #[test]
    fn spikes_come_as_often_and_as_high_as_asked_for() {
        let settings = Simulation { amplitude: 0.0, spike_probability: 0.1, ..quiet(Quantity::Temperature) };
        let values = series(&settings, 1.0, 10_000);
        let spikes = values.iter().filter(|value| **value == 36.0 || **value == 6.0).count();
        assert!((900..1100).contains(&spikes), "{spikes}");
        assert_eq!(values.iter().filter(|value| **value == 21.0).count(), 10_000 - spikes);
    }

    #[test]
    fn a_stuck_sensor_repeats_its_value_for_a_while_and_comes_free() {
        let settings = Simulation { stuck_probability: 0.05, ..Simulation::of(Quantity::Temperature, 5) };
        let values = series(&settings, 1.0, 1000);
        let repeats = values.windows(2).filter(|pair| pair[0] == pair[1]).count();
        assert!((100..600).contains(&repeats), "{repeats}");
    }

    #[test]
    fn values_stay_within_what_the_quantity_can_be() {
        let settings = Simulation { mean: 99.0, noise: 20.0, ..Simulation::of(Quantity::Humidity, 2) };
        assert!(series(&settings, 1.0, 1000).iter().all(|value| (0.0..=100.0).contains(value)));
        let motion = series(&Simulation { mean: 0.5, ..Simulation::of(Quantity::Motion, 2) }, 1.0, 1000);
        let active = motion.iter().filter(|value| **value == 1.0).count();
        assert!((100..900).contains(&active) && motion.iter().all(|value| *value == 0.0 || *value == 1.0));
    }
}
