//! What every handler of the server shares, and the background work behind it.

use crate::commands::CommandDispatcher;
use crate::config::BrokerAddress;
use crate::ingest;
use crate::live::Live;
use crate::mqtt;
use crate::tls::TlsError;
use sqlx::PgPool;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Who owns a device, its readings and its commands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct OrganisationId(pub i32);

impl OrganisationId {
    /// The organisation that owns everything until accounts exist.
    pub const DEFAULT: Self = Self(1);
}

/// The shared state: cheap to clone, nothing in it that the database does not hold.
#[derive(Debug, Clone)]
pub struct AppState {
    /// The database.
    pub pool: PgPool,
    /// Whose fleet is shown.
    pub organisation: OrganisationId,
    /// Changes as they happen, on this server or any other of the same database.
    pub live: Live,
    /// Takes commands for devices.
    pub commands: CommandDispatcher,
    /// Whether the ingest is connected to the broker.
    pub broker: watch::Receiver<bool>,
}

impl AppState {
    /// Begins the background work (ingest, dispatch of commands, live updates) on `tasks`; it ends soon after
    /// `shutdown` is cancelled, the ingest after what it has begun is stored and acknowledged.
    ///
    /// `client_id` names this server to the broker, which keeps messages for it while it is away: always the same for
    /// one server, another for each server of a broker.
    ///
    /// # Errors
    /// A file for TLS can't be used.
    pub fn start(
        pool: PgPool,
        broker: &BrokerAddress,
        client_id: &str,
        tasks: &TaskTracker,
        shutdown: &CancellationToken,
    ) -> Result<Self, TlsError> {
        let organisation = OrganisationId::DEFAULT;
        let live = Live::start(pool.clone(), tasks, shutdown.clone());
        let (commands, dispatch) = CommandDispatcher::new(pool.clone(), live.clone());
        tasks.spawn(dispatch.run(mqtt::options(broker, &format!("{client_id}-commands"))?, shutdown.clone()));
        let ingest = ingest::Ingest {
            pool: pool.clone(),
            organisation,
            live: live.clone(),
            commands: commands.clone(),
            share_group: broker.share_group.clone(),
            settings: ingest::Settings::default(),
        };
        let connected = ingest.start(mqtt::options(broker, client_id)?, tasks, shutdown.clone());
        Ok(Self { pool, organisation, live, commands, broker: connected })
    }
}
