//! How a session leaves: deliver what waits, say offline, disconnect, each step within its time.
//!
//! A status that does not get through is left to the last will: the connection is dropped then, without DISCONNECT, which
//! would cancel the will. A pure state machine: the time is an argument.

use std::time::{Duration, Instant};

/// How long saying offline, and how long disconnecting, may take.
const STEP: Duration = Duration::from_secs(1);

/// How far the session has come with leaving.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Leaving {
    /// It was not asked to.
    No,
    /// Everything that waits is being delivered.
    Draining(Instant),
    /// The offline status is on its way.
    Saying(Instant),
    /// DISCONNECT is on its way; the broker will close the connection.
    Disconnecting(Instant),
}

/// What to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// Nothing yet.
    Stay,
    /// Publish the offline status.
    SayOffline,
    /// Send DISCONNECT.
    Disconnect,
    /// Go.
    Leave,
}

impl Leaving {
    /// Asked to leave; delivery may take `until` then.
    pub(super) fn draining(until: Instant) -> Self {
        Self::Draining(until)
    }

    /// When the next step is due whatever has happened.
    pub(super) fn deadline(self) -> Option<Instant> {
        match self {
            Self::No => None,
            Self::Draining(until) | Self::Saying(until) | Self::Disconnecting(until) => Some(until),
        }
    }

    /// Nothing but the status is published any more.
    pub(super) fn is_past_draining(self) -> bool {
        matches!(self, Self::Saying(_) | Self::Disconnecting(_))
    }

    pub(super) fn is_disconnecting(self) -> bool {
        matches!(self, Self::Disconnecting(_))
    }

    /// The next step. `delivered`: nothing waits any more; `said`: the broker has the status.
    pub(super) fn next(&mut self, now: Instant, delivered: bool, said: bool) -> Next {
        let late = self.deadline().is_some_and(|until| now >= until);
        let (state, next) = match *self {
            Self::Draining(_) if delivered || late => (Self::Saying(now + STEP), Next::SayOffline),
            Self::Saying(_) if said => (Self::Disconnecting(now + STEP), Next::Disconnect),
            Self::Saying(_) | Self::Disconnecting(_) if late => (*self, Next::Leave),
            unchanged => (unchanged, Next::Stay),
        };
        *self = state;
        next
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delivers_says_offline_and_disconnects() {
        let now = Instant::now();
        let mut leaving = Leaving::draining(now + Duration::from_secs(5));
        assert_eq!(leaving.next(now, false, true), Next::Stay);
        assert_eq!(leaving.next(now, true, true), Next::SayOffline);
        assert_eq!(leaving.next(now, true, false), Next::Stay);
        assert_eq!(leaving.next(now, true, true), Next::Disconnect);
        assert_eq!(leaving.next(now, true, true), Next::Stay);
        assert!(leaving.is_disconnecting());
    }

    #[test]
    fn a_broker_that_does_not_answer_hears_no_disconnect_so_that_the_last_will_speaks() {
        let mut now = Instant::now();
        let mut leaving = Leaving::draining(now + Duration::from_secs(5));
        for expected in [Next::SayOffline, Next::Leave] {
            assert_eq!(leaving.next(now, false, false), Next::Stay);
            now = leaving.deadline().unwrap_or(now);
            assert_eq!(leaving.next(now, false, false), expected);
        }
    }

    #[test]
    fn who_was_not_asked_stays() {
        assert_eq!(Leaving::No.next(Instant::now(), true, true), Next::Stay);
    }
}
