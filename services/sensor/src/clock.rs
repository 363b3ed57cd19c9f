//! The clocks that stamp a reading.

use rustix::time::{ClockId, clock_gettime};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// When a reading was taken, by both clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// Microseconds since 1970-01-01T00:00:00Z by the wall clock (`CLOCK_REALTIME`).
    pub timestamp_us: i64,
    /// Nanoseconds since boot, suspend included (`CLOCK_BOOTTIME`): orders readings whatever the wall clock does.
    pub monotonic_ns: u64,
    /// Whether the wall clock has been synchronized since boot.
    pub synchronized: bool,
}

/// Stamps readings.
///
/// Whether the wall clock is right comes from the marker file that systemd-timesyncd touches when it has first set
/// the clock from NTP (systemd-timesyncd.service(8)). The kernel's own `STA_UNSYNC` flag would say the same, but
/// reading it takes `adjtimex`, for which no crate offers a safe call. Asking the file system for every reading
/// would be wasteful: [`Clock::refresh`] is called now and then.
#[derive(Debug)]
pub struct Clock {
    marker: PathBuf,
    synchronized: AtomicBool,
}

impl Clock {
    /// Where systemd-timesyncd leaves its marker.
    pub const MARKER: &'static str = "/run/systemd/timesync/synchronized";

    /// A clock that is synchronized once `marker` exists.
    pub fn new(marker: impl Into<PathBuf>) -> Self {
        let clock = Self { marker: marker.into(), synchronized: AtomicBool::new(false) };
        clock.refresh();
        clock
    }

    /// Looks again whether the wall clock is synchronized.
    pub fn refresh(&self) {
        self.synchronized.store(self.marker.exists(), Ordering::Relaxed);
    }

    /// Now.
    pub fn stamp(&self) -> Stamp {
        Stamp {
            timestamp_us: i64::try_from(read(ClockId::Realtime).as_micros()).unwrap_or(i64::MAX),
            monotonic_ns: u64::try_from(read(ClockId::Boottime).as_nanos()).unwrap_or(u64::MAX),
            synchronized: self.synchronized.load(Ordering::Relaxed),
        }
    }
}

/// The time of a clock since its zero. A wall clock that is set to before 1970 counts as 1970.
fn read(clock: ClockId) -> Duration {
    Duration::try_from(clock_gettime(clock)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::time::{SystemTime, UNIX_EPOCH};

    #[test]
    fn a_stamp_follows_both_clocks() {
        let clock = Clock::new("/nonexistent");
        let before = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_micros();
        let (first, second) = (clock.stamp(), clock.stamp());
        let after = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_micros();
        assert!((before..=after).contains(&u128::try_from(first.timestamp_us).unwrap()));
        assert!(first.monotonic_ns > 0 && first.monotonic_ns <= second.monotonic_ns);
    }

    #[test]
    fn the_clock_is_synchronized_once_the_marker_exists() {
        let folder = tempfile::tempdir().unwrap();
        let marker = folder.path().join("synchronized");
        let clock = Clock::new(&marker);
        assert!(!clock.stamp().synchronized);
        std::fs::write(&marker, "").unwrap();
        assert!(!clock.stamp().synchronized, "only a refresh looks again");
        clock.refresh();
        assert!(clock.stamp().synchronized);
    }
}
