//! What a worker's thread is doing right now, for the one who watches it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Shared between a worker's thread and its handle.
#[derive(Debug, Default)]
pub(super) struct Activity {
    busy: Mutex<Option<Busy>>,
    retired: AtomicBool,
}

#[derive(Debug, Clone, Copy)]
struct Busy {
    operation: &'static str,
    since: Instant,
    reported: bool,
}

/// Held while the thread is within the driver; dropping it ends the activity, whatever the way out.
pub(super) struct Within<'a>(&'a Activity);

impl Drop for Within<'_> {
    fn drop(&mut self) {
        *self.0.busy() = None;
    }
}

impl Activity {
    /// The thread goes into the driver.
    pub(super) fn begin(&self, operation: &'static str) -> Within<'_> {
        *self.busy() = Some(Busy { operation, since: Instant::now(), reported: false });
        Within(self)
    }

    /// The operation that has been going on for longer than `deadline`; each is returned once.
    pub(super) fn overdue(&self, now: Instant, deadline: Duration) -> Option<&'static str> {
        let mut busy = self.busy();
        let busy = busy.as_mut()?;
        let late = !busy.reported && now.saturating_duration_since(busy.since) > deadline;
        busy.reported |= late;
        late.then_some(busy.operation)
    }

    /// What the thread still measures is not wanted any more.
    pub(super) fn retire(&self) {
        self.retired.store(true, Ordering::Relaxed);
    }

    /// Whether the thread has been retired.
    pub(super) fn is_retired(&self) -> bool {
        self.retired.load(Ordering::Relaxed)
    }

    fn busy(&self) -> MutexGuard<'_, Option<Busy>> {
        self.busy.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
