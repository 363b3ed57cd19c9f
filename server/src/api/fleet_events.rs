//! The event stream of the whole fleet: each device that changed, at most once a second.

use super::events::{DEVICE_TICK, json, merge};
use crate::live::Subscription;
use crate::registry;
use crate::state::AppState;
use axum::response::sse::Event;
use futures_util::stream::{self, Stream};
use std::collections::{BTreeSet, VecDeque};
use std::convert::Infallible;
use tokio::time::{Instant, sleep_until, timeout_at};

/// One client's view of the fleet.
pub(super) struct FleetStream {
    state: AppState,
    changes: Subscription,
    /// The devices to send; all where `None`.
    pending: Option<BTreeSet<String>>,
    next: Instant,
    ready: VecDeque<Event>,
}

impl FleetStream {
    /// Begins with every device.
    pub(super) fn begin(state: AppState, changes: Subscription) -> Self {
        Self { state, changes, pending: None, next: Instant::now(), ready: VecDeque::new() }
    }

    pub(super) fn events(self) -> impl Stream<Item = Result<Event, Infallible>> {
        stream::unfold(self, |mut stream| async move {
            loop {
                if let Some(event) = stream.ready.pop_front() {
                    return Some((Ok(event), stream));
                }
                stream.wait().await?;
                stream.collect().await;
            }
        })
    }

    /// Waits for the next change, then gathers until the next event is due; `None` when the server ends.
    async fn wait(&mut self) -> Option<()> {
        if self.pending.as_ref().is_some_and(BTreeSet::is_empty) {
            merge(&mut self.pending, self.changes.next().await?);
        }
        while let Ok(change) = timeout_at(self.next, self.changes.next()).await {
            merge(&mut self.pending, change?);
        }
        sleep_until(self.next).await;
        Some(())
    }

    async fn collect(&mut self) {
        self.next = Instant::now() + DEVICE_TICK;
        let only: Option<Vec<String>> = self.pending.as_ref().map(|ids| ids.iter().cloned().collect());
        match registry::list(&self.state.pool, self.state.organisation, only.as_deref()).await {
            Ok(devices) => {
                self.pending = Some(BTreeSet::new());
                self.ready.extend(devices.iter().map(|device| json("device", device)));
            }
            Err(error) => tracing::debug!("an event stream waits for the database: {error}"),
        }
    }
}
