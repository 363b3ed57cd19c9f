//! The embedded default: the database and the broker that the server starts for itself, below its data folder.
//!
//! Both run as children of the server from the programs that the system has installed, with their own files, socket and
//! port. They are started again when they end, and end with the server, also when it is killed.

use crate::data_dir::{DataDir, DataDirError, private_dir};
use log_file::LogFile;
use process::Spawner;
use std::path::PathBuf;
use supervise::{Service, Supervised};
use tokio_util::sync::CancellationToken;

mod broker;
mod identity;
mod log_file;
mod pki;
mod ports;
mod postgres;
mod postgres_programs;
mod process;
mod socket_dir;
mod supervise;

pub use broker::{BrokerError, EmbeddedBroker};
pub use identity::IdentityError;
pub use pki::{Authority, PkiError, PublicName, PublicNameError, SERVER_NAME};
pub use ports::{PortError, Ports, bind};
pub use postgres::{EmbeddedPostgres, PostgresError};
pub use postgres_programs::ProgramsError;
pub use socket_dir::SocketDirError;
pub use supervise::StartError;

/// What the embedded programs have in common: where their files are, the thread that starts them, and the shutdown that
/// abandons a start.
#[derive(Debug)]
pub struct Host {
    data_dir: PathBuf,
    log_dir: PathBuf,
    spawner: Spawner,
    shutdown: CancellationToken,
}

impl Host {
    /// Prepares to start programs. Needs a Tokio runtime around it.
    ///
    /// # Errors
    /// The data folder can't be used, or there is no thread left.
    pub fn new(data_dir: &DataDir, shutdown: CancellationToken) -> Result<Self, DataDirError> {
        let log_dir = data_dir.path().join("log");
        let unusable = |cause| DataDirError::Unusable { path: log_dir.clone(), cause };
        private_dir(&log_dir).map_err(unusable)?;
        let spawner = Spawner::start().map_err(unusable)?;
        Ok(Self { data_dir: data_dir.path().to_owned(), log_dir, spawner, shutdown })
    }

    /// Starts a program, whose output goes to `log/NAME.log`, and keeps it running.
    async fn start<S: Service>(&self, service: S, log_name: &str) -> Result<Supervised, StartError> {
        let log = LogFile::new(&self.log_dir, log_name);
        Supervised::start(service, log, self.spawner.clone(), &self.shutdown).await
    }
}
