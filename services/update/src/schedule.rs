//! When the server is asked next.

use rand::RngExt;
use std::time::Duration;

/// The shortest time after a poll or an update that failed.
const FIRST_RETRY: Duration = Duration::from_secs(10);

/// The server's interval, with jitter, so that a fleet that was switched on together does not ask together; and less or
/// more of it after failures. In monotonic time: a clock that jumps does not matter.
#[derive(Debug, Clone)]
pub struct Schedule {
    interval: Duration,
    failures: u32,
}

impl Schedule {
    /// Until the server says otherwise.
    pub fn new(interval: Duration) -> Self {
        Self { interval, failures: 0 }
    }

    /// How long to wait after the start.
    pub fn first(&self) -> Duration {
        (self.interval / 10).min(FIRST_RETRY).mul_f64(rand::rng().random_range(0.0..1.0))
    }

    /// How long to wait after the server answered.
    pub fn after_success(&mut self, interval: Option<Duration>) -> Duration {
        self.failures = 0;
        self.interval = interval.unwrap_or(self.interval);
        jittered(self.interval)
    }

    /// How long to wait after it did not: twice as long each time, up to the interval.
    pub fn after_failure(&mut self) -> Duration {
        let backoff = doubled(self.failures);
        self.failures = self.failures.saturating_add(1);
        jittered(backoff.min(self.interval))
    }

    /// How long to wait after an update failed that is worth another attempt, the first one or one after it: twice as long each
    /// time, up to the interval.
    pub fn after_attempt(&self, failures: u32) -> Duration {
        jittered(doubled(failures.saturating_sub(1)).min(self.interval))
    }
}

/// The shortest retry, doubled so many times.
fn doubled(times: u32) -> Duration {
    FIRST_RETRY.saturating_mul(2_u32.saturating_pow(times))
}

/// A tenth more or less.
fn jittered(duration: Duration) -> Duration {
    duration.mul_f64(rand::rng().random_range(0.9..1.1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(duration: Duration, seconds: u64) -> bool {
        (Duration::from_secs(seconds).mul_f64(0.9)..=Duration::from_secs(seconds).mul_f64(1.1)).contains(&duration)
    }

    #[test]
    fn failures_double_the_wait_up_to_the_interval_and_a_success_ends_that() {
        let mut schedule = Schedule::new(Duration::from_secs(300));
        for seconds in [10, 20, 40, 80, 160, 300, 300] {
            let wait = schedule.after_failure();
            assert!(near(wait, seconds), "{wait:?} is not about {seconds} s");
        }
        for _ in 0..100 {
            assert!(near(schedule.after_failure(), 300));
        }
        assert!(near(schedule.after_success(Some(Duration::from_secs(60))), 60));
        assert!(near(schedule.after_failure(), 10));
        assert!(near(schedule.after_success(None), 60), "the server's last word holds");
    }

    #[test]
    fn an_update_that_failed_is_tried_again_before_the_next_poll_is_due() {
        let schedule = Schedule::new(Duration::from_secs(300));
        for (failures, seconds) in [(1, 10), (2, 20), (5, 160), (6, 300), (100, 300)] {
            let wait = schedule.after_attempt(failures);
            assert!(near(wait, seconds), "{wait:?} after {failures} is not about {seconds} s");
        }
    }

    #[test]
    fn waits_differ_between_devices() {
        let mut schedule = Schedule::new(Duration::from_secs(300));
        let waits: std::collections::BTreeSet<_> = (0..20).map(|_| schedule.after_success(None)).collect();
        assert!(waits.len() > 10, "{waits:?}");
    }
}
