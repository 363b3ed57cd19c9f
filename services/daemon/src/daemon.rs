//! The service's hold on its own life: shutdown, reload, and what it tells the service manager.

use crate::notify::{Notifier, Watchdog};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// Given to a service by [`crate::run`]; cheap to clone.
///
/// Outside a service manager (no `NOTIFY_SOCKET`, no `WATCHDOG_USEC`) the notifications do nothing.
#[derive(Debug, Clone)]
pub struct Daemon {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    shutdown: CancellationToken,
    reload: Notify,
    notifier: Notifier,
    watchdog: Option<Watchdog>,
    status: Mutex<String>,
}

impl Daemon {
    /// A daemon as the environment says: `NOTIFY_SOCKET`, `WATCHDOG_USEC`, `WATCHDOG_PID`.
    pub(crate) fn from_environment() -> Self {
        let inner = Inner {
            shutdown: CancellationToken::new(),
            reload: Notify::new(),
            notifier: Notifier,
            watchdog: sd_notify::watchdog_enabled().map(Watchdog::new),
            status: Mutex::default(),
        };
        Self { inner: Arc::new(inner) }
    }

    /// Cancelled by SIGTERM and SIGINT: stop taking work, finish what was begun, flush, return.
    pub fn shutdown(&self) -> &CancellationToken {
        &self.inner.shutdown
    }

    /// Resolves when SIGHUP asks for a reload; signals that arrive while nobody waits are one.
    ///
    /// For one task: where several wait, only one of them is woken. Cancel-safe.
    pub async fn reload(&self) {
        self.inner.reload.notified().await;
    }

    /// Tells the service manager that the service is serving, at the start and after a reload.
    pub fn ready(&self) {
        self.inner.notifier.ready();
    }

    /// Tells the service manager that the configuration is being read anew; to be followed by [`Self::ready`].
    pub fn reloading(&self) {
        self.inner.notifier.reloading();
    }

    /// Tells the service manager, and thereby the operator, in one line what the service is doing.
    ///
    /// During a drain: what is being waited for, so that a drain that takes too long can say so.
    pub fn status(&self, text: &str) {
        *self.inner.status.lock().unwrap_or_else(PoisonError::into_inner) = text.to_owned();
        self.inner.notifier.status(text);
    }

    /// Feeds the watchdog. To be called by the work loop after it has made progress, or has found that there was nothing
    /// to do, and by nothing else: a timer that feeds it would keep a hung service alive.
    ///
    /// Must come at least every half of `WatchdogSec=`. As often as it likes: at most four messages go out in that time.
    pub fn progress(&self) {
        if self.inner.watchdog.as_ref().is_some_and(Watchdog::is_due) {
            self.inner.notifier.watchdog();
        }
    }

    pub(crate) fn last_status(&self) -> String {
        self.inner.status.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn request_reload(&self) {
        self.inner.reload.notify_one();
    }

    pub(crate) fn begin_drain(&self) {
        self.inner.notifier.stopping();
        self.inner.shutdown.cancel();
    }
}
