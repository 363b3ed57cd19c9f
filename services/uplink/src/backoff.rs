//! How long to wait before the next attempt: exponential backoff with equal jitter.
//!
//! Half of each delay is certain and half is random, so that a fleet whose broker comes back does not return in one
//! wave, and no device hammers it. What is random is an argument: the module itself is deterministic.

use std::time::Duration;

/// The bounds of the delays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The longest first delay.
    pub first: Duration,
    /// The longest delay of all.
    pub longest: Duration,
    /// An attempt that held at least this long has succeeded: the next delay is a first one again.
    pub stable_after: Duration,
}

impl Limits {
    /// For the connection to the broker: 1 s to 60 s, reset after 30 s of connection.
    pub const BROKER: Self =
        Self { first: Duration::from_secs(1), longest: Duration::from_secs(60), stable_after: Duration::from_secs(30) };
    /// For the local bus, which is either there or about to be: 0.2 s to 5 s.
    pub const BUS: Self = Self {
        first: Duration::from_millis(200),
        longest: Duration::from_secs(5),
        stable_after: Duration::from_secs(5),
    };
}

/// The attempts so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    limits: Limits,
    attempts: u32,
}

impl Backoff {
    /// Before the first attempt.
    pub fn new(limits: Limits) -> Self {
        Self { limits, attempts: 0 }
    }

    /// The delay after an attempt that held for `held` (zero when it failed at once); `random` is within 0 to 1.
    ///
    /// A connection that is accepted and dropped again right away still backs off: only one that held for
    /// [`Limits::stable_after`] counts as a success.
    pub fn after(&mut self, held: Duration, random: f64) -> Duration {
        if held >= self.limits.stable_after {
            self.attempts = 0;
        }
        let delay = delay(&self.limits, self.attempts, random);
        self.attempts = self.attempts.saturating_add(1);
        delay
    }
}

/// The delay before attempt number `attempt` (from 0): between a half and the whole of `first` × 2^`attempt`, that
/// capped at `longest`.
pub fn delay(limits: &Limits, attempt: u32, random: f64) -> Duration {
    let whole = limits.first.saturating_mul(1_u32.checked_shl(attempt).unwrap_or(u32::MAX)).min(limits.longest);
    let half = whole / 2;
    half + half.mul_f64(random.clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn delays_double_up_to_the_longest() {
        let mut backoff = Backoff::new(Limits::BROKER);
        let delays: Vec<u64> = (0..9).map(|_| backoff.after(Duration::ZERO, 1.0).as_secs()).collect();
        assert_eq!(delays, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
    }

    #[test]
    fn a_connection_that_is_dropped_at_once_does_not_reset_the_delay() {
        let mut backoff = Backoff::new(Limits::BROKER);
        for _ in 0..5 {
            backoff.after(Duration::from_secs(2), 1.0);
        }
        assert_eq!(backoff.after(Duration::from_secs(2), 1.0), Duration::from_secs(32));
        assert_eq!(backoff.after(Limits::BROKER.stable_after, 1.0), Duration::from_secs(1));
    }

    proptest! {
        #[test]
        fn every_delay_is_within_half_and_whole_of_its_step(attempt: u32, random in 0.0..=1.0_f64) {
            let whole = delay(&Limits::BROKER, attempt, 1.0);
            let actual = delay(&Limits::BROKER, attempt, random);
            prop_assert!(whole <= Limits::BROKER.longest);
            prop_assert!(actual <= whole && actual >= whole / 2);
            prop_assert!(delay(&Limits::BROKER, attempt.saturating_add(1), 1.0) >= whole);
        }
    }
}
