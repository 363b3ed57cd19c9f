//! A device with its bus, its server and its identity.

pub(crate) mod ddi;
pub(crate) mod device;
pub(crate) mod goosebit;
pub(crate) mod pki;
pub(crate) mod rauc;
pub(crate) mod real_rauc;
pub(crate) mod scripts;
pub(crate) mod services;

use std::time::{Duration, Instant};

/// How long anything may take.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

/// Asks `probe` until it gives something.
pub(crate) async fn eventually<T>(what: &str, mut probe: impl AsyncFnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(found) = probe().await {
            return found;
        }
        assert!(started.elapsed() < DEADLINE, "not within {DEADLINE:?}: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
