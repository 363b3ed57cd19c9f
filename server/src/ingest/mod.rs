//! Ingest: from the broker into the database.
//!
//! ```text
//! broker --> session ----bounded channel----> writer --> one transaction a batch --> acknowledgements
//! ```
//!
//! A message is acknowledged only after the transaction that holds it has committed, and a message that comes again
//! changes nothing, so each reading that a device handed over is stored exactly once, whatever ends in between. While
//! the database is away nothing is acknowledged: the broker keeps what follows.

mod keys;
mod message;
mod sanitize;
mod session;
mod store;
mod transaction;
mod writer;

use crate::commands::CommandDispatcher;
use crate::live::Live;
use crate::state::OrganisationId;
use message::PlausibleTime;
use rumqttc::v5::MqttOptions;
use sqlx::PgPool;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How ingest judges what arrives.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// A reading that claims to be older than this is stored under its time of arrival.
    pub oldest: Duration,
    /// The same for one that claims to be further in the future than this.
    pub newest: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        const DAY: Duration = Duration::from_secs(86_400);
        Self { oldest: 400 * DAY, newest: DAY }
    }
}

/// The ingest of one server.
#[derive(Debug)]
pub struct Ingest {
    /// The database.
    pub pool: PgPool,
    /// Who owns the devices of this broker.
    pub organisation: OrganisationId,
    /// Is told which devices changed.
    pub live: Live,
    /// Is told when a device comes online.
    pub commands: CommandDispatcher,
    /// The group that the servers of one broker share their subscriptions in.
    pub share_group: String,
    /// How what arrives is judged.
    pub settings: Settings,
}

impl Ingest {
    /// Begins on `tasks`, until `shutdown`: then what was begun is stored and acknowledged, the rest stays with the
    /// broker. The answer tells whether the broker is connected and has accepted the subscriptions.
    pub fn start(
        self,
        options: MqttOptions,
        tasks: &TaskTracker,
        shutdown: CancellationToken,
    ) -> watch::Receiver<bool> {
        let (connected, is_connected) = watch::channel(false);
        let (deliveries, incoming) = mpsc::channel(session::CHANNEL_CAPACITY);
        let written = CancellationToken::new();
        let plausible = PlausibleTime { oldest: self.settings.oldest, newest: self.settings.newest };
        let client_id = options.client_id();
        let share_group = self.share_group.clone();
        let session = session::Session { options: session::options(options), share_group, deliveries, connected };
        let writer = writer::Writer::new(self, client_id, plausible);
        let session_end = written.clone();
        tasks.spawn(async move { session.run(session_end).await });
        tasks.spawn(async move {
            writer.run(incoming, shutdown).await;
            written.cancel();
        });
        is_connected
    }
}
