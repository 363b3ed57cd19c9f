//! The health report: at every connection and every interval after it.

mod services;
mod system;

use crate::settings::Settings;
use crate::state::{LinkPhase, State};
use microkernel_bus::zbus::Connection;
use microkernel_wire::{Health, Timestamp};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::MissedTickBehavior;

/// How long a report waits for a connection to the bus.
const BUS_DEADLINE: Duration = Duration::from_secs(2);

/// Makes health reports.
#[derive(Debug)]
pub struct Reporter {
    /// How often.
    pub settings: Arc<Settings>,
    /// What the uplink itself has to report.
    pub state: Arc<State>,
    /// The bus, while there is a connection to it.
    pub bus: watch::Receiver<Option<Connection>>,
    /// The root of the file system that `proc` and `sys` are in.
    pub root: PathBuf,
    /// A folder on the data partition.
    pub state_dir: PathBuf,
}

impl Reporter {
    /// Reports for as long as it is polled. While there is no connection to the broker nothing is collected: an old
    /// report tells nothing.
    pub async fn run(self) {
        let mut link = self.state.link.subscribe();
        let mut interval = tokio::time::interval(self.settings.health_interval);
        interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            if link.wait_for(|link| link.phase == LinkPhase::Connected).await.is_err() {
                return;
            }
            self.state.outbox.report(self.collect().await);
            interval.reset();
            loop {
                tokio::select! {
                    _ = interval.tick() => self.state.outbox.report(self.collect().await),
                    left = link.wait_for(|link| link.phase != LinkPhase::Connected) => {
                        if left.is_err() {
                            return;
                        }
                        break;
                    }
                }
            }
        }
    }

    async fn collect(&self) -> Health {
        // At the start the broker may be there before the bus, and a report that calls every service failed would stand
        // for a whole interval.
        let mut bus = self.bus.clone();
        let bus = match tokio::time::timeout(BUS_DEADLINE, bus.wait_for(Option::is_some)).await {
            Ok(Ok(bus)) => bus.clone(),
            Ok(Err(_)) | Err(_) => None,
        };
        let mut services = services::ask(bus.as_ref(), &self.state).await;
        services.insert("uplink".to_owned(), self.state.uplink_health());
        Health {
            timestamp: Some(Timestamp::now()),
            uptime_seconds: system::uptime_seconds(&self.root),
            load: system::load(&self.root),
            memory: system::memory(&self.root),
            storage: system::storage(&self.state_dir),
            temperature_celsius: system::temperature_celsius(&self.root),
            spool: Some(self.state.spool_health()),
            services,
        }
    }
}
