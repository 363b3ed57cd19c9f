//! Waiting with a deadline.

use std::{future::Future, time::Duration};
use tokio::time::{Instant, sleep, timeout_at};

/// Asks `attempt` every `interval` until it succeeds; at the deadline, its last error.
pub(crate) async fn until<T, F>(
    limit: Duration,
    interval: Duration,
    mut attempt: impl FnMut() -> F,
) -> Result<T, String>
where
    F: Future<Output = Result<T, String>>,
{
    let deadline = Instant::now() + limit;
    let mut last = "no answer".to_owned();
    loop {
        match timeout_at(deadline, attempt()).await {
            Ok(Ok(value)) => return Ok(value),
            Ok(Err(reason)) => last = reason,
            Err(_) => return Err(format!("{last} (after {limit:?})")),
        }
        if Instant::now() + interval >= deadline {
            return Err(format!("{last} (after {limit:?})"));
        }
        sleep(interval).await;
    }
}
