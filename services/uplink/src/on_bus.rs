//! The uplink's life on the device's bus: connect, serve `Uplink1.Link`, pull; and again when the bus was away.

use crate::backoff::{Backoff, Limits};
use crate::pull::Puller;
use crate::served::Backend;
use crate::settings::Settings;
use crate::state::State;
use microkernel_bus::uplink::{self, Link};
use microkernel_bus::zbus::connection::Builder;
use microkernel_bus::zbus::{self, Connection};
use microkernel_bus::{Served, uplink::NAME};
use microkernel_daemon::Daemon;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// Everything that needs the bus.
#[derive(Debug)]
pub struct OnBus {
    /// What was configured.
    pub settings: Arc<Settings>,
    /// What the parts share.
    pub state: Arc<State>,
    /// The service's life.
    pub daemon: Daemon,
    /// Where others find the connection.
    pub bus: watch::Sender<Option<Connection>>,
}

impl OnBus {
    /// Stays on the bus that `builder` connects to, for as long as it is polled. The link to the broker goes on without
    /// the bus.
    pub async fn run(self, builder: impl Fn() -> Builder<'static>) {
        let mut backoff = Backoff::new(Limits::BUS);
        loop {
            let begun = Instant::now();
            let result = self.once(builder()).await;
            self.bus.send_replace(None);
            self.daemon.progress();
            let delay = backoff.after(begun.elapsed(), fastrand::f64());
            match result {
                Ok(()) => tracing::warn!("the device's bus is gone; connecting anew in {delay:?}"),
                Err(zbus::Error::NameTaken) => {
                    tracing::error!(
                        "{NAME} belongs to another process: is a second uplink running? Trying anew in {delay:?}"
                    );
                }
                Err(error) => tracing::warn!("no connection to the device's bus: {error}; trying anew in {delay:?}"),
            }
            tokio::time::sleep(delay).await;
        }
    }

    async fn once(&self, builder: Builder<'static>) -> zbus::Result<()> {
        let backend = Backend::new(self.state.clone(), self.settings.broker.clone());
        let served = uplink::serve(builder, backend).await?;
        let connection = served.connection().clone();
        let puller = Puller::new(self.settings.clone(), self.state.clone(), self.daemon.clone(), &connection).await?;
        self.bus.send_replace(Some(connection));
        self.daemon.ready();
        tokio::select! {
            ended = puller.run() => ended,
            ended = announce(&self.state, &served, &self.daemon) => ended,
            () = served.closed() => Ok(()),
        }
    }
}

/// Tells the bus and the service manager of each change of the link.
async fn announce(state: &State, served: &Served<Link<Backend>>, daemon: &Daemon) -> zbus::Result<()> {
    let mut link = state.link.subscribe();
    loop {
        let current = link.borrow_and_update().clone();
        let error = if current.last_error.is_empty() { String::new() } else { format!(": {}", current.last_error) };
        daemon.status(&format!("{}{error}", current.phase.as_str()));
        served.link_changed().await?;
        if link.changed().await.is_err() {
            return Ok(());
        }
        // A link that flaps is announced once a moment.
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
