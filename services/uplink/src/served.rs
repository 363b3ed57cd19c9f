//! `io.microkernel.Uplink1.Link`: what the uplink tells others on the device.

use crate::settings::Broker;
use crate::state::State;
use microkernel_bus::Error;
use microkernel_bus::uplink::LinkBackend;
use std::sync::Arc;
use std::time::Duration;

/// How long `Flush` waits.
const FLUSH_DEADLINE: Duration = Duration::from_secs(30);

/// The backend of the served object.
#[derive(Debug, Clone)]
pub struct Backend {
    state: Arc<State>,
    broker: Broker,
}

impl Backend {
    /// Tells of `state`.
    pub fn new(state: Arc<State>, broker: Broker) -> Self {
        Self { state, broker }
    }
}

impl LinkBackend for Backend {
    async fn flush(&self) -> Result<(), Error> {
        let mut usage = self.state.spool.watch();
        match tokio::time::timeout(FLUSH_DEADLINE, usage.wait_for(|usage| usage.depth == 0)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(_)) => Err(Error::Failed("the uplink is ending".to_owned())),
            Err(_) => {
                let depth = self.spool_depth();
                let link = self.state.link.borrow().clone();
                let reason = if link.last_error.is_empty() { link.phase.as_str().to_owned() } else { link.last_error };
                Err(Error::Unavailable(format!("{depth} readings still wait after {FLUSH_DEADLINE:?}: {reason}")))
            }
        }
    }

    fn state(&self) -> String {
        self.state.link.borrow().phase.as_str().to_owned()
    }

    fn broker(&self) -> String {
        self.broker.to_string()
    }

    fn spool_depth(&self) -> u64 {
        self.state.spool.usage().depth
    }

    fn spool_bytes(&self) -> u64 {
        self.state.spool.usage().bytes
    }

    fn published(&self) -> u64 {
        self.state.counters.published.get()
    }

    fn dropped(&self) -> u64 {
        self.state.spool.usage().dropped()
    }

    fn lost(&self) -> u64 {
        self.state.counters.lost.get()
    }

    fn last_error(&self) -> String {
        self.state.link.borrow().last_error.clone()
    }
}
