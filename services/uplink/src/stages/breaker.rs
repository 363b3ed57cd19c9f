//! A circuit breaker: a stage that keeps failing is not asked for a while, so that it costs nothing.
//!
//! ```text
//!            `after_failures` in a row                    the pause is over
//!  Closed ------------------------------> Open ----------------------------> HalfOpen
//!    ^                                     ^                                    |  |
//!    |                                     +-------- the probe failed ----------+  |
//!    +------------------------------------ the probe succeeded --------------------+
//! ```
//! A pure state machine: the time is an argument.

use microkernel_wire::StageOutcome;
use std::time::{Duration, Instant};

/// When a breaker opens, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// This many failures in a row open it.
    pub after_failures: u32,
    /// The first pause; it doubles with every failed probe.
    pub first_pause: Duration,
    /// The longest pause.
    pub longest_pause: Duration,
}

impl Default for Policy {
    fn default() -> Self {
        Self { after_failures: 3, first_pause: Duration::from_secs(1), longest_pause: Duration::from_secs(30) }
    }
}

/// The state of a breaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Breaker {
    /// The stage is asked.
    Closed {
        /// Failures in a row so far.
        failures: u32,
    },
    /// The stage is not asked.
    Open {
        /// The end of the pause.
        until: Instant,
        /// How long the pause is.
        pause: Duration,
        /// The failure that opened it.
        cause: StageOutcome,
    },
    /// One question is under way to find out whether the stage is back.
    HalfOpen {
        /// The pause before this probe.
        pause: Duration,
    },
}

/// What happens to a breaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// There is something to ask.
    Ask(Instant),
    /// The stage answered in time.
    Succeeded,
    /// The stage did not: how, and when.
    Failed(StageOutcome, Instant),
}

/// An answer came although nothing was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an open circuit breaker was told {0:?}, but its stage was not asked: ask only while `skips` is None")]
pub struct IllegalTransition(pub Event);

impl Default for Breaker {
    fn default() -> Self {
        Self::Closed { failures: 0 }
    }
}

impl Breaker {
    /// The state after `event`.
    ///
    /// # Errors
    /// [`IllegalTransition`] for an answer while open.
    pub fn next(self, event: Event, policy: &Policy) -> Result<Self, IllegalTransition> {
        match (self, event) {
            (Self::Open { until, pause, .. }, Event::Ask(now)) if now >= until => Ok(Self::HalfOpen { pause }),
            (_, Event::Ask(_)) => Ok(self),
            (Self::Open { .. }, Event::Succeeded | Event::Failed(..)) => Err(IllegalTransition(event)),
            (_, Event::Succeeded) => Ok(Self::Closed { failures: 0 }),
            (Self::Closed { failures }, Event::Failed(cause, now)) if failures + 1 >= policy.after_failures => {
                Ok(Self::open(policy.first_pause, cause, now))
            }
            (Self::Closed { failures }, Event::Failed(..)) => Ok(Self::Closed { failures: failures + 1 }),
            (Self::HalfOpen { pause }, Event::Failed(cause, now)) => {
                Ok(Self::open(pause.saturating_mul(2).min(policy.longest_pause), cause, now))
            }
        }
    }

    /// The outcome of a reading whose stage is not asked; `None` when it is asked.
    ///
    /// A stage that is known to be absent stays `absent`: that tells more than that its breaker is open.
    pub fn skips(self) -> Option<StageOutcome> {
        match self {
            Self::Open { cause: StageOutcome::Absent, .. } => Some(StageOutcome::Absent),
            Self::Open { .. } => Some(StageOutcome::Open),
            Self::Closed { .. } | Self::HalfOpen { .. } => None,
        }
    }

    fn open(pause: Duration, cause: StageOutcome, now: Instant) -> Self {
        Self::Open { until: now + pause, pause, cause }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    const POLICY: Policy =
        Policy { after_failures: 3, first_pause: Duration::from_secs(1), longest_pause: Duration::from_secs(4) };

    fn failing(mut breaker: Breaker, times: u32, now: Instant) -> Breaker {
        for _ in 0..times {
            breaker = breaker.next(Event::Ask(now), &POLICY).unwrap();
            breaker = breaker.next(Event::Failed(StageOutcome::Timeout, now), &POLICY).unwrap();
        }
        breaker
    }

    #[test]
    fn opens_after_failures_in_a_row_only() {
        let now = Instant::now();
        let breaker = failing(Breaker::default(), 2, now).next(Event::Succeeded, &POLICY).unwrap();
        let breaker = failing(breaker, 2, now);
        assert_eq!(breaker.skips(), None);
        assert_eq!(failing(breaker, 1, now).skips(), Some(StageOutcome::Open));
    }

    #[test]
    fn lets_one_probe_through_after_the_pause_and_closes_when_it_succeeds() {
        let now = Instant::now();
        let open = failing(Breaker::default(), 3, now);
        assert_eq!(open.next(Event::Ask(now + Duration::from_millis(999)), &POLICY).unwrap(), open);
        let half_open = open.next(Event::Ask(now + Duration::from_secs(1)), &POLICY).unwrap();
        assert_eq!(half_open.skips(), None);
        assert_eq!(half_open.next(Event::Succeeded, &POLICY).unwrap(), Breaker::default());
    }

    #[test]
    fn pauses_longer_after_each_failed_probe_up_to_the_longest() {
        let mut now = Instant::now();
        let mut breaker = failing(Breaker::default(), 3, now);
        let mut pauses = vec![];
        for _ in 0..4 {
            let Breaker::Open { until, pause, .. } = breaker else { panic!("{breaker:?} is not open") };
            pauses.push(pause.as_secs());
            now = until;
            breaker = failing(breaker, 1, now);
        }
        assert_eq!(pauses, [1, 2, 4, 4]);
    }

    #[test]
    fn an_absent_stage_stays_absent_while_it_is_not_asked() {
        let now = Instant::now();
        let mut breaker = Breaker::default();
        for _ in 0..3 {
            breaker = breaker.next(Event::Failed(StageOutcome::Absent, now), &POLICY).unwrap();
        }
        assert_eq!(breaker.skips(), Some(StageOutcome::Absent));
    }

    #[test]
    fn an_answer_while_open_is_illegal() {
        let now = Instant::now();
        let open = failing(Breaker::default(), 3, now);
        assert_eq!(open.next(Event::Succeeded, &POLICY), Err(IllegalTransition(Event::Succeeded)));
    }

    proptest! {
        #[test]
        fn a_dead_stage_is_asked_ever_more_rarely(batches in 1_u32..2_000) {
            let start = Instant::now();
            let mut breaker = Breaker::default();
            let mut asked = 0;
            for batch in 0..batches {
                let now = start + Duration::from_millis(100) * batch;
                breaker = breaker.next(Event::Ask(now), &POLICY).unwrap();
                if breaker.skips().is_none() {
                    asked += 1;
                    breaker = breaker.next(Event::Failed(StageOutcome::Error, now), &POLICY).unwrap();
                }
            }
            // Three to open it, then a probe after 1 s, 2 s and each 4 s.
            prop_assert!(asked <= 3 + 2 + batches / 40 + 1, "{} questions in {} batches", asked, batches);
        }
    }
}
