//! When a sensor is due.
//!
//! Pure: time is passed in. Deadlines lie on a grid `start + n · interval`, so the jitter of one wake-up never shifts
//! the next, and a rate is exact over any stretch of time.

use std::time::{Duration, Instant};

/// The time between two readings of a sensor: 1 ms to 100 s (1 kHz to 0.01 Hz).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Interval(Duration);

/// The interval is not within 0.001 to 100 seconds.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[error("expected 0.001 to 100 seconds, found {0}")]
pub struct IntervalError(pub f64);

impl Interval {
    /// One second, what a sensor gets that asks for nothing else.
    pub const DEFAULT: Self = Self(Duration::from_secs(1));

    /// The interval as a duration.
    pub fn duration(self) -> Duration {
        self.0
    }

    /// The interval in seconds.
    pub fn seconds(self) -> f64 {
        self.0.as_secs_f64()
    }
}

impl TryFrom<f64> for Interval {
    type Error = IntervalError;
    fn try_from(seconds: f64) -> Result<Self, IntervalError> {
        if (0.001..=100.0).contains(&seconds) {
            Ok(Self(Duration::from_secs_f64(seconds)))
        } else {
            Err(IntervalError(seconds))
        }
    }
}

/// The deadlines of one sensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Schedule {
    due: Instant,
    interval: Interval,
}

impl Schedule {
    /// A schedule whose first deadline is `start`.
    pub fn new(start: Instant, interval: Interval) -> Self {
        Self { due: start, interval }
    }

    /// The next deadline.
    pub fn due(&self) -> Instant {
        self.due
    }

    /// The time between two deadlines.
    pub fn interval(&self) -> Interval {
        self.interval
    }

    /// Moves past the deadline that has just been served, to the first one after `now`.
    ///
    /// Returns how many deadlines in between were missed: they are counted and skipped, never made up for in a bunch.
    /// Before the deadline nothing happens.
    pub fn advance(&mut self, now: Instant) -> u64 {
        let Some(late) = now.checked_duration_since(self.due) else { return 0 };
        let interval = self.interval.duration();
        let missed = u64::try_from(late.as_nanos() / interval.as_nanos()).unwrap_or(u64::MAX);
        // The remainder is below one interval, so this lands on the grid without multiplying a large count.
        let into_interval = Duration::from_nanos_u128(late.as_nanos() % interval.as_nanos());
        self.due = now + (interval - into_interval);
        missed
    }

    /// Changes the rate at once: the next deadline is one new interval from `now`.
    pub fn set_interval(&mut self, now: Instant, interval: Interval) {
        if interval != self.interval {
            *self = Self::new(now + interval.duration(), interval);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    fn interval(seconds: f64) -> Interval {
        Interval::try_from(seconds).unwrap()
    }

    #[test]
    fn the_limits_are_one_kilohertz_and_a_hundredth_hertz() {
        assert_eq!(interval(0.001).duration(), Duration::from_millis(1));
        assert_eq!(interval(100.0).duration(), Duration::from_secs(100));
        for bad in [0.0, 0.000_99, 100.1, -1.0, f64::NAN, f64::INFINITY] {
            assert!(Interval::try_from(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_new_rate_counts_from_now() {
        let start = Instant::now();
        let mut schedule = Schedule::new(start, interval(100.0));
        schedule.advance(start);
        let now = start + Duration::from_secs(3);
        schedule.set_interval(now, interval(0.5));
        assert_eq!(schedule.due(), now + Duration::from_millis(500));
    }

    #[test]
    fn setting_the_same_rate_keeps_the_grid() {
        let start = Instant::now();
        let mut schedule = Schedule::new(start, interval(1.0));
        schedule.set_interval(start + Duration::from_millis(300), interval(1.0));
        assert_eq!(schedule.due(), start);
    }

    proptest! {
        #[test]
        fn deadlines_stay_on_the_grid_and_every_one_is_served_or_counted(
            seconds in 0.001f64..100.0,
            steps in prop::collection::vec(0u64..300_000_000_000, 1..50),
        ) {
            let interval = interval(seconds);
            let start = Instant::now();
            let mut schedule = Schedule::new(start, interval);
            let (mut now, mut passed) = (start, 0u128);
            for step in steps {
                now += Duration::from_nanos(step);
                let was_due = schedule.due() <= now;
                let missed = schedule.advance(now);
                if was_due {
                    passed += 1 + u128::from(missed);
                } else {
                    prop_assert_eq!(missed, 0);
                }
                prop_assert!(schedule.due() > now);
                prop_assert!(schedule.due() - now <= interval.duration());
                let expected = interval.duration().as_nanos() * passed;
                prop_assert_eq!((schedule.due() - start).as_nanos(), expected);
            }
        }
    }
}
