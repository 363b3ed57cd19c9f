//! When telemetry may be sent: what the broker refuses is offered again later, ever more rarely, and in the end given
//! up, so that one message never blocks the queue for good.
//!
//! ```text
//!  Open --refused--> Paused --the pause is over--> Probing (one message at a time) --accepted--> Open
//!                      ^                              |
//!                      +----------refused-------------+   after `ATTEMPTS` the message is given up
//! ```
//! A pure state machine: the time is an argument.

use crate::backoff::{Limits, delay};
use std::time::{Duration, Instant};

/// A message that was refused this many times is given up.
pub(super) const ATTEMPTS: u32 = 5;

/// The pauses between attempts.
const PAUSES: Limits =
    Limits { first: Duration::from_secs(1), longest: Duration::from_secs(30), stable_after: Duration::ZERO };

/// How the broker answered a message that it did not deliver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// Nobody subscribes to the topic (MQTT 5 reason 0x10): worth waiting for, however long it takes.
    Unheard,
    /// A reason that may pass: not authorized, quota exceeded, unspecified.
    Passing,
    /// Longer than the broker accepts.
    TooLarge,
    /// A reason that will not pass: the broker finds the topic or the payload invalid.
    Final,
}

/// Whether telemetry may be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flow {
    /// As much as the window allows.
    Open,
    /// Nothing until then.
    Paused {
        /// The end of the pause.
        until: Instant,
        /// Refusals of the oldest message so far.
        attempts: u32,
    },
    /// One message at a time, to find out whether it is accepted now.
    Probing {
        /// Refusals of the oldest message so far.
        attempts: u32,
    },
}

/// What to do with a refused message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    /// Put it back to be sent again.
    Release,
    /// Put it back and send fewer readings in one message from now on.
    Split,
    /// Give it up and count it.
    Discard,
}

impl Flow {
    /// The most telemetry messages that may be on their way, of a window of `window`.
    pub(super) fn window(self, window: usize) -> usize {
        match self {
            Self::Open => window,
            Self::Paused { .. } => 0,
            Self::Probing { .. } => window.min(1),
        }
    }

    /// When the state changes by itself.
    pub(super) fn wakes_at(self) -> Option<Instant> {
        match self {
            Self::Paused { until, .. } => Some(until),
            Self::Open | Self::Probing { .. } => None,
        }
    }

    /// The state at `now`: the end of a pause begins a probe.
    pub(super) fn at(self, now: Instant) -> Self {
        match self {
            Self::Paused { until, attempts } if now >= until => Self::Probing { attempts },
            other => other,
        }
    }

    /// The state after a message was accepted. One that was sent before the pause began does not end it.
    pub(super) fn accepted(self) -> Self {
        match self {
            Self::Paused { .. } => self,
            Self::Open | Self::Probing { .. } => Self::Open,
        }
    }

    /// The state after a message of `readings` readings was refused, and what to do with the message. `random` is
    /// within 0 to 1.
    pub(super) fn refused(self, refusal: Refusal, readings: usize, now: Instant, random: f64) -> (Self, Action) {
        match refusal {
            Refusal::TooLarge if readings > 1 => return (self, Action::Split),
            Refusal::TooLarge | Refusal::Final => return (self, Action::Discard),
            Refusal::Unheard | Refusal::Passing => {}
        }
        match self {
            Self::Open => (Self::pause(1, now, random), Action::Release),
            // Sent before the pause began: not another attempt.
            Self::Paused { .. } => (self, Action::Release),
            Self::Probing { attempts } if refusal == Refusal::Passing && attempts + 1 >= ATTEMPTS => {
                (Self::pause(1, now, random), Action::Discard)
            }
            Self::Probing { attempts } => (Self::pause(attempts.saturating_add(1), now, random), Action::Release),
        }
    }

    fn pause(attempts: u32, now: Instant, random: f64) -> Self {
        Self::Paused { until: now + delay(&PAUSES, attempts - 1, random), attempts }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Refuses every message of `flow`'s window until `count` were given up; returns how many were offered.
    fn offers_until_discarded(refusal: Refusal, limit: u32) -> Option<u32> {
        let mut flow = Flow::Open;
        let mut now = Instant::now();
        for offer in 1..=limit {
            let (next, action) = flow.refused(refusal, 10, now, 1.0);
            if action == Action::Discard {
                return Some(offer);
            }
            now = next.wakes_at().unwrap_or(now);
            flow = next.at(now);
        }
        None
    }

    #[test]
    fn a_message_that_stays_refused_is_given_up_after_some_attempts() {
        assert_eq!(offers_until_discarded(Refusal::Passing, 100), Some(ATTEMPTS));
    }

    #[test]
    fn a_message_that_nobody_hears_is_kept_for_ever() {
        assert_eq!(offers_until_discarded(Refusal::Unheard, 10_000), None);
    }

    #[test]
    fn the_rest_of_the_window_being_refused_too_is_not_another_attempt() {
        let now = Instant::now();
        let (paused, _) = Flow::Open.refused(Refusal::Passing, 10, now, 1.0);
        for _ in 0..50 {
            assert_eq!(paused.refused(Refusal::Passing, 10, now, 1.0), (paused, Action::Release));
        }
        assert_eq!(paused.accepted(), paused);
    }

    #[test]
    fn nothing_is_sent_in_a_pause_and_one_message_after_it() {
        let now = Instant::now();
        let (paused, _) = Flow::Open.refused(Refusal::Passing, 10, now, 1.0);
        assert_eq!(paused.at(now).window(16), 0);
        let probing = paused.at(now + Duration::from_secs(1));
        assert_eq!(probing.window(16), 1);
        assert_eq!(probing.accepted(), Flow::Open);
    }

    #[test]
    fn a_message_that_is_too_long_is_split_until_it_is_a_single_reading() {
        let now = Instant::now();
        assert_eq!(Flow::Open.refused(Refusal::TooLarge, 2, now, 0.0), (Flow::Open, Action::Split));
        assert_eq!(Flow::Open.refused(Refusal::TooLarge, 1, now, 0.0), (Flow::Open, Action::Discard));
        assert_eq!(Flow::Open.refused(Refusal::Final, 9, now, 0.0), (Flow::Open, Action::Discard));
    }
}
