//! What the service manager is told: `sd_notify(3)`.

use sd_notify::NotifyState;
use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// Sends to `NOTIFY_SOCKET`; does nothing where there is none. That a message can't be sent is logged: it must not stop
/// the service.
#[derive(Debug)]
pub(crate) struct Notifier;

impl Notifier {
    pub(crate) fn ready(&self) {
        self.send(&[NotifyState::Ready]);
    }

    pub(crate) fn reloading(&self) {
        match NotifyState::monotonic_usec_now() {
            // systemd 253 and later fails a reload that comes without the time.
            Ok(now) => self.send(&[NotifyState::Reloading, now]),
            Err(error) => tracing::warn!("RELOADING=1 was not sent: cannot read CLOCK_MONOTONIC: {error}"),
        }
    }

    pub(crate) fn stopping(&self) {
        self.send(&[NotifyState::Stopping]);
    }

    pub(crate) fn status(&self, text: &str) {
        // A line break would end the field and start another one.
        self.send(&[NotifyState::Status(&text.replace(['\n', '\r'], " "))]);
    }

    pub(crate) fn watchdog(&self) {
        self.send(&[NotifyState::Watchdog]);
    }

    fn send(&self, states: &[NotifyState<'_>]) {
        if let Err(error) = sd_notify::notify(states) {
            tracing::warn!("the service manager was not told {states:?} over NOTIFY_SOCKET: {error}");
        }
    }
}

/// When the watchdog wants to be fed again.
#[derive(Debug)]
pub(crate) struct Watchdog {
    interval: Duration,
    fed_at: Mutex<Option<Instant>>,
}

impl Watchdog {
    /// A watchdog that bites after `timeout` (`WATCHDOG_USEC`).
    pub(crate) fn new(timeout: Duration) -> Self {
        Self { interval: timeout / 4, fed_at: Mutex::new(None) }
    }

    /// Whether it should be fed now; counts that as done.
    pub(crate) fn is_due(&self) -> bool {
        self.is_due_at(Instant::now())
    }

    fn is_due_at(&self, now: Instant) -> bool {
        let mut fed_at = self.fed_at.lock().unwrap_or_else(PoisonError::into_inner);
        let due = fed_at.is_none_or(|at| now.duration_since(at) >= self.interval);
        if due {
            *fed_at = Some(now);
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_fed_at_once_and_then_four_times_in_its_timeout() {
        let watchdog = Watchdog::new(Duration::from_secs(4));
        let start = Instant::now();
        let due: Vec<u64> =
            (0..=3000).step_by(100).filter(|ms| watchdog.is_due_at(start + Duration::from_millis(*ms))).collect();
        assert_eq!(due, [0, 1000, 2000, 3000]);
    }
}
