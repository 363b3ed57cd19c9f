//! How long to wait before a process that ended is started again.

use std::time::Duration;

/// The first pause.
const FIRST: Duration = Duration::from_millis(500);
/// The longest pause.
const LONGEST: Duration = Duration::from_secs(30);
/// A process that ran for this long was well: the pauses begin anew.
const STEADY: Duration = Duration::from_secs(60);

/// The pauses between starts: doubled each time, from 0.5 s to 30 s.
#[derive(Debug, Default)]
pub(crate) struct Backoff {
    ended_soon: u32,
}

impl Backoff {
    /// The pause after a process that ran for `lifetime` has ended.
    pub(crate) fn after(&mut self, lifetime: Duration) -> Duration {
        if lifetime >= STEADY {
            self.ended_soon = 0;
        }
        let pause = FIRST.saturating_mul(1_u32.checked_shl(self.ended_soon).unwrap_or(u32::MAX)).min(LONGEST);
        self.ended_soon = self.ended_soon.saturating_add(1);
        pause
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest_and_begin_anew_after_a_steady_run() {
        let mut backoff = Backoff::default();
        let pauses: Vec<u128> = (0..8).map(|_| backoff.after(Duration::ZERO).as_millis()).collect();
        assert_eq!(pauses, [500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]);
        assert_eq!((0..100).map(|_| backoff.after(Duration::ZERO)).max(), Some(LONGEST));
        assert_eq!(backoff.after(STEADY), FIRST);
        assert_eq!(backoff.after(Duration::from_secs(1)), FIRST * 2);
    }
}
