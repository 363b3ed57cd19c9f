//! The event stream of one rollout: the rollout and its devices' states whenever they have changed, at most once a
//! second.

use super::events::{DEVICE_TICK, json};
use super::problem::Problem;
use super::rollouts::load;
use crate::live::Subscription;
use crate::rollouts::{RolloutDetail, topic};
use crate::state::AppState;
use axum::response::sse::Event;
use futures_util::stream::{self, Stream};
use std::convert::Infallible;
use tokio::time::sleep;

/// One client's view of a rollout.
pub(super) struct RolloutStream {
    state: AppState,
    id: i64,
    changes: Subscription,
    ready: Option<RolloutDetail>,
}

impl RolloutStream {
    /// Begins with how it stands.
    pub(super) async fn begin(state: AppState, id: i64, changes: Subscription) -> Result<Self, Problem> {
        let ready = Some(load(&state, id).await?);
        Ok(Self { state, id, changes, ready })
    }

    pub(super) fn events(self) -> impl Stream<Item = Result<Event, Infallible>> {
        stream::unfold(self, |mut stream| async move {
            loop {
                if let Some(rollout) = stream.ready.take() {
                    return Some((Ok(json("rollout", &rollout)), stream));
                }
                let topic = topic(stream.id);
                while !stream.changes.next().await?.concerns(&topic) {}
                // What changes meanwhile is in the same event.
                sleep(DEVICE_TICK).await;
                match load(&stream.state, stream.id).await {
                    Ok(rollout) => stream.ready = Some(rollout),
                    Err(problem) => tracing::debug!("an event stream waits: {}", problem.detail()),
                }
            }
        })
    }
}
