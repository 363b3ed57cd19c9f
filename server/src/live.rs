//! Changes as they happen, on every server of the same database.
//!
//! Whoever changes a device says so here; the ids are collected and sent through PostgreSQL's NOTIFY, outside the
//! transaction that made the change (a NOTIFY within it would serialise the commits). Every server listens on one
//! connection and tells its subscribers. A notification only says *that* something changed: who listens reads the
//! database. One that was missed is made good by [`Change::Everything`].

use sqlx::PgPool;
use sqlx::postgres::PgListener;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, broadcast};
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// The shortest time between two notifications of one server.
const INTERVAL: Duration = Duration::from_millis(250);
/// Pause before the database is tried again.
const RETRY: Duration = Duration::from_secs(1);
/// The channel's name.
const CHANNEL: &str = "microkernel_devices";
/// PostgreSQL's limit for a payload is 8000 bytes.
const PAYLOAD_BYTES: usize = 7_900;
/// Notifications that a slow subscriber may be behind before it is told [`Change::Everything`].
const BACKLOG: usize = 256;

/// Something changed.
#[derive(Debug, Clone)]
pub enum Change {
    /// With these devices: a reading, their state, a command.
    Devices(Arc<BTreeSet<String>>),
    /// Perhaps with any: notifications were missed.
    Everything,
}

impl Change {
    /// Whether it may concern this device.
    pub fn concerns(&self, device_id: &str) -> bool {
        match self {
            Self::Devices(ids) => ids.contains(device_id),
            Self::Everything => true,
        }
    }
}

/// The way in and out of live changes. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Live {
    changed: Arc<Changed>,
    changes: broadcast::Sender<Change>,
}

/// The ids that wait to be sent.
#[derive(Debug, Default)]
struct Changed {
    ids: Mutex<BTreeSet<String>>,
    wake: Notify,
}

impl Live {
    /// Begins to send and to listen, on `tasks`, until `shutdown`.
    pub fn start(pool: PgPool, tasks: &TaskTracker, shutdown: CancellationToken) -> Self {
        let live = Self { changed: Arc::default(), changes: broadcast::channel(BACKLOG).0 };
        let (sender, listener) = (live.clone(), live.clone());
        let sending = shutdown.clone();
        let sending_pool = pool.clone();
        tasks.spawn(async move {
            sending.run_until_cancelled(sender.send(&sending_pool)).await;
        });
        tasks.spawn(async move {
            shutdown.run_until_cancelled(listener.listen(&pool)).await;
        });
        live
    }

    /// Says that devices changed.
    pub fn changed(&self, device_ids: impl IntoIterator<Item = String>) {
        // A panic elsewhere leaves the set whole.
        self.changed.ids.lock().unwrap_or_else(PoisonError::into_inner).extend(device_ids);
        self.changed.wake.notify_one();
    }

    /// Changes from now on.
    pub fn subscribe(&self) -> Subscription {
        Subscription(self.changes.subscribe())
    }

    async fn send(&self, pool: &PgPool) {
        let mut next = Instant::now();
        loop {
            self.changed.wake.notified().await;
            sleep_until(next).await;
            next = Instant::now() + INTERVAL;
            let ids = std::mem::take(&mut *self.changed.ids.lock().unwrap_or_else(PoisonError::into_inner));
            if let Err(error) = notify(pool, &ids).await {
                tracing::warn!("live updates wait for the database: {error}");
                sleep(RETRY).await;
                self.changed(ids);
            }
        }
    }

    async fn listen(&self, pool: &PgPool) {
        loop {
            if let Err(error) = self.forward(pool).await {
                tracing::warn!("live updates wait for the database: {error}");
            }
            sleep(RETRY).await;
        }
    }

    /// Forwards notifications until the connection is lost.
    async fn forward(&self, pool: &PgPool) -> Result<(), sqlx::Error> {
        let mut listener = PgListener::connect_with(pool).await?;
        listener.listen(CHANNEL).await?;
        // No receivers is not an error: nobody looks.
        let _ = self.changes.send(Change::Everything);
        while let Some(notification) = listener.try_recv().await? {
            let ids = notification.payload().split(',').map(str::to_owned).collect();
            let _ = self.changes.send(Change::Devices(Arc::new(ids)));
        }
        Ok(())
    }
}

async fn notify(pool: &PgPool, ids: &BTreeSet<String>) -> Result<(), sqlx::Error> {
    for payload in payloads(ids) {
        sqlx::query!("SELECT pg_notify($1, $2)", CHANNEL, payload).execute(pool).await?;
    }
    Ok(())
}

/// The ids, comma separated (an id has no comma), in as few payloads as hold them.
fn payloads(ids: &BTreeSet<String>) -> Vec<String> {
    let mut payloads: Vec<String> = Vec::new();
    for id in ids {
        match payloads.last_mut() {
            Some(last) if last.len() + 1 + id.len() <= PAYLOAD_BYTES => {
                last.push(',');
                last.push_str(id);
            }
            _ => payloads.push(id.clone()),
        }
    }
    payloads
}

/// One subscriber's view.
#[derive(Debug)]
pub struct Subscription(broadcast::Receiver<Change>);

impl Subscription {
    /// The next change; `None` when the server ends.
    pub async fn next(&mut self) -> Option<Change> {
        match self.0.recv().await {
            Ok(change) => Some(change),
            Err(broadcast::error::RecvError::Lagged(_)) => Some(Change::Everything),
            Err(broadcast::error::RecvError::Closed) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_ids_are_split_below_the_limit_and_none_is_lost() {
        let ids: BTreeSet<String> = (0..1_000).map(|number| format!("device-{number:04}")).collect();
        let payloads = payloads(&ids);
        assert!(payloads.len() > 1 && payloads.iter().all(|payload| payload.len() <= PAYLOAD_BYTES));
        let together: BTreeSet<String> = payloads.iter().flat_map(|p| p.split(',')).map(str::to_owned).collect();
        assert_eq!(together, ids);
    }
}
