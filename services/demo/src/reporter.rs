//! What is said while things happen.

use std::io::{IsTerminal, Write};
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// Who is told what happens.
pub trait Reporter: Send + Sync {
    /// A line that stays.
    fn say(&self, line: &str);
    /// How far something has come; replaces what was said of it before.
    fn progress(&self, text: &str);
}

/// Where no terminal can replace a line, progress is a line of its own this often.
const PROGRESS_LINE_EVERY: Duration = Duration::from_secs(5);

/// Standard output; progress overwrites itself on a terminal.
#[derive(Debug)]
pub struct Terminal {
    is_terminal: bool,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    progress_shown: bool,
    last_line: Option<Instant>,
}

impl Default for Terminal {
    fn default() -> Self {
        Self { is_terminal: std::io::stdout().is_terminal(), state: Mutex::default() }
    }
}

impl Terminal {
    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// Writes without a panic when nobody reads any more (`make demo | head`): what runs goes on and is stopped in order.
fn write(text: &str) {
    let mut out = std::io::stdout().lock();
    let _nobody_reads = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

impl Reporter for Terminal {
    fn say(&self, line: &str) {
        let mut state = self.state();
        let erase = if std::mem::take(&mut state.progress_shown) { "\r\x1b[K" } else { "" };
        write(&format!("{erase}{line}\n"));
    }

    fn progress(&self, text: &str) {
        let mut state = self.state();
        if self.is_terminal {
            state.progress_shown = true;
            write(&format!("\r\x1b[K{text} …"));
        } else if state.last_line.is_none_or(|last| last.elapsed() >= PROGRESS_LINE_EVERY) {
            state.last_line = Some(Instant::now());
            write(&format!("{text} …\n"));
        }
    }
}

/// Standard error, lines only: for tests, whose runner keeps it.
#[derive(Debug, Default)]
pub struct Plain;

impl Reporter for Plain {
    fn say(&self, line: &str) {
        eprintln!("{line}");
    }

    fn progress(&self, _text: &str) {}
}
