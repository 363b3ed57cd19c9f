//! The newest lines that this process has logged, for a service that is asked for them where there is no journal.

use std::collections::VecDeque;
use std::io;
use std::sync::{Mutex, PoisonError};

/// So many lines are kept.
const LINES: usize = 500;

/// Of a line, so many characters are kept.
const LINE_CHARS: usize = 1_000;

static RECENT: Mutex<VecDeque<String>> = Mutex::new(VecDeque::new());

/// The newest `count` lines of this process's log, oldest first; at most 500 of at most 1,000 characters each.
pub fn recent_log(count: usize) -> Vec<String> {
    let recent = RECENT.lock().unwrap_or_else(PoisonError::into_inner);
    recent.iter().skip(recent.len().saturating_sub(count)).cloned().collect()
}

/// Keeps what is written to it; each write is one event.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Keep;

impl io::Write for Keep {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(event);
        let mut recent = RECENT.lock().unwrap_or_else(PoisonError::into_inner);
        for line in text.lines() {
            recent.push_back(line.chars().take(LINE_CHARS).collect());
        }
        let surplus = recent.len().saturating_sub(LINES);
        recent.drain(..surplus);
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::io::Write;

    #[test]
    fn the_newest_lines_are_kept_and_long_ones_clipped() {
        for number in 0..LINES + 3 {
            Keep.write_all(format!("line {number}\n").as_bytes()).unwrap();
        }
        Keep.write_all("x".repeat(5_000).as_bytes()).unwrap();
        let lines = recent_log(2);
        assert_eq!(lines[0], format!("line {}", LINES + 2));
        assert_eq!(lines[1].len(), LINE_CHARS);
        assert_eq!(recent_log(usize::MAX).len(), LINES);
    }
}
