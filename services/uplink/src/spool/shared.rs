//! One spool, used by the puller, the link and everybody who wants to know its depth.

use super::{Batch, BatchId, Cursor, Encoded, Limit, Spool, SpoolError, Usage};
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;

/// A [`Spool`] behind a lock, whose [`Usage`] can be watched.
///
/// The lock is never held across an await. The methods are asynchronous so that a spool on a disk may move its work to
/// another thread without a change to its callers.
pub struct SharedSpool {
    spool: Mutex<Box<dyn Spool>>,
    usage: watch::Sender<Usage>,
}

impl SharedSpool {
    /// Shares `spool`.
    pub fn new(spool: impl Spool + 'static) -> Self {
        let usage = watch::Sender::new(spool.usage());
        Self { spool: Mutex::new(Box::new(spool)), usage }
    }

    /// What it holds, and every change of that.
    pub fn watch(&self) -> watch::Receiver<Usage> {
        self.usage.subscribe()
    }

    /// What it holds now.
    pub fn usage(&self) -> Usage {
        self.usage.borrow().clone()
    }

    /// See [`Spool::cursor`].
    pub fn cursor(&self) -> Cursor {
        self.lock().cursor()
    }

    /// See [`Spool::append`].
    ///
    /// # Errors
    /// Those of [`Spool::append`].
    pub async fn append(&self, readings: Vec<Encoded>, cursor: Cursor) -> Result<u64, SpoolError> {
        self.change(|spool| spool.append(readings, cursor))
    }

    /// See [`Spool::take`].
    ///
    /// # Errors
    /// Those of [`Spool::take`].
    pub async fn take(&self, limit: Limit) -> Result<Option<Batch>, SpoolError> {
        self.lock().take(limit)
    }

    /// See [`Spool::acknowledge`].
    ///
    /// # Errors
    /// Those of [`Spool::acknowledge`].
    pub async fn acknowledge(&self, batch: BatchId) -> Result<(), SpoolError> {
        self.change(|spool| spool.acknowledge(batch))
    }

    /// See [`Spool::release`].
    ///
    /// # Errors
    /// Those of [`Spool::release`].
    pub async fn release(&self, batch: BatchId) -> Result<(), SpoolError> {
        self.change(|spool| spool.release(batch))
    }

    /// See [`Spool::discard`].
    ///
    /// # Errors
    /// Those of [`Spool::discard`].
    pub async fn discard(&self, batch: BatchId) -> Result<(), SpoolError> {
        self.change(|spool| spool.discard(batch))
    }

    fn change<T>(&self, operation: impl FnOnce(&mut dyn Spool) -> Result<T, SpoolError>) -> Result<T, SpoolError> {
        let mut spool = self.lock();
        let result = operation(&mut **spool);
        self.usage.send_replace(spool.usage());
        result
    }

    fn lock(&self) -> MutexGuard<'_, Box<dyn Spool>> {
        // A panic while the lock was held ends the process anyway (the runtime has one thread).
        self.spool.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for SharedSpool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SharedSpool").field("usage", &self.usage()).finish_non_exhaustive()
    }
}
