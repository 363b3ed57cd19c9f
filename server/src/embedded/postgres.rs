//! The embedded database: a private PostgreSQL cluster in `DATA/postgres`.
//!
//! It listens on a unix socket only, in a folder that is closed to others, and so needs no password. It never touches
//! a PostgreSQL that the machine runs already: own files, own socket, no TCP port.

use super::Host;
use super::identity::{Identity, IdentityError};
use super::postgres_programs::{Programs, ProgramsError, cluster_major};
use super::process::{Ending, find_by_argument};
use super::socket_dir::{SocketDir, SocketDirError};
use super::supervise::{Service, StartError, Supervised};
use crate::data_dir::private_dir;
use nix::sys::signal::Signal;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{ConnectOptions as _, Connection as _};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::process::Command;

/// The database, and the database user that owns it.
const DATABASE: &str = "microkernel";
const USER: &str = "microkernel";
/// Names the socket file; no TCP port is opened.
const PORT: u16 = 5432;
/// How long making a cluster may take.
const INITDB_WITHIN: Duration = Duration::from_secs(120);
/// How long a start may take: after a crash the write-ahead log is replayed first.
const READY_WITHIN: Duration = Duration::from_secs(600);
const CONNECT_WITHIN: Duration = Duration::from_secs(2);
/// What stays as it is in a URL's query: unreserved characters (RFC 3986, 2.3) and the slash.
const QUERY: &AsciiSet = &NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'_').remove(b'.').remove(b'~');
/// Fast shutdown, then immediate shutdown (PostgreSQL manual, 19.5).
const ENDING: Ending = Ending { polite: Signal::SIGINT, patience: Duration::from_secs(30), harsh: Signal::SIGQUIT };

/// What this server decides for its cluster; it wins over `postgresql.conf`.
const SETTINGS: &[(&str, &str)] = &[
    ("listen_addresses", ""),
    ("unix_socket_permissions", "0700"),
    ("max_connections", "100"),
    ("shared_buffers", "256MB"),
    // An acknowledged reading must survive a power cut.
    ("fsync", "on"),
    ("synchronous_commit", "on"),
    ("full_page_writes", "on"),
    ("wal_compression", "on"),
    ("max_wal_size", "2GB"),
    // Short queries only: compiling them costs more than it saves.
    ("jit", "off"),
    ("timezone", "UTC"),
    ("logging_collector", "off"),
    ("log_destination", "stderr"),
    ("log_timezone", "UTC"),
    ("log_checkpoints", "off"),
    ("log_line_prefix", "%m [%p] "),
];

/// Why the embedded database did not start.
#[derive(Debug, thiserror::Error)]
pub enum PostgresError {
    /// The programs were not found or don't fit the cluster.
    #[error(transparent)]
    Programs(#[from] ProgramsError),
    /// The server is root, and PostgreSQL can't be someone else.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// No folder for the socket.
    #[error(transparent)]
    SocketDir(#[from] SocketDirError),
    /// A file or folder could not be prepared.
    #[error("the database folder {path} could not be prepared: {cause}", path = .path.display())]
    Folder {
        /// The file or folder.
        path: PathBuf,
        /// What the system says.
        cause: io::Error,
    },
    /// `initdb` failed.
    #[error("initdb could not create the database cluster in {path}: {reason}", path = .path.display())]
    Initdb {
        /// The cluster's folder.
        path: PathBuf,
        /// What it said.
        reason: String,
    },
    /// A PostgreSQL of a killed server is still there.
    #[error(
        "a PostgreSQL of an earlier server (process {0}) still runs on this data folder and does not end; end it by hand"
    )]
    Stale(i32),
    /// The server did not come up.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The database could not be created.
    #[error("the database {DATABASE:?} could not be created: {0}")]
    CreateDatabase(sqlx::Error),
}

/// The running embedded database.
#[derive(Debug)]
pub struct EmbeddedPostgres {
    supervised: Supervised,
    socket_dir: SocketDir,
}

impl EmbeddedPostgres {
    /// Starts the cluster, making it first if need be, from the programs in `bin_dir` or where they usually are.
    ///
    /// # Errors
    /// [`PostgresError`] names the file and the remedy.
    pub async fn start(host: &Host, bin_dir: Option<&Path>) -> Result<Self, PostgresError> {
        let cluster = host.data_dir.join("postgres");
        let programs = Programs::find(bin_dir, cluster_major(&cluster)?).await?;
        let identity = Identity::choose("postgres", &[&cluster, &programs.postgres]).await?;
        // A server that was killed has left a PostgreSQL that is still going down, or that never heard of it.
        end_stale(&cluster).await?;
        if !cluster.join("PG_VERSION").exists() {
            tracing::info!("creating the database cluster in {} (first start) …", cluster.display());
            create_cluster(&cluster, &programs, &identity, host).await?;
        }
        identity.own(&cluster).map_err(|cause| PostgresError::Folder { path: cluster.clone(), cause })?;
        let socket_dir = SocketDir::prepare(&host.data_dir, &format!(".s.PGSQL.{PORT}"), &identity)?;

        tracing::info!("starting PostgreSQL {} …", programs.version);
        let service =
            Postgres { program: programs.postgres, identity, cluster, socket_dir: socket_dir.path().to_owned() };
        let supervised = host.start(service, "postgres").await?;
        let started = Self { supervised, socket_dir };
        create_database(started.socket_dir.path()).await.map_err(PostgresError::CreateDatabase)?;
        Ok(started)
    }

    /// How to connect to the database.
    pub fn options(&self) -> PgConnectOptions {
        options(self.socket_dir.path(), DATABASE)
    }

    /// The same as a URL, for other programs.
    pub fn url(&self) -> String {
        let host = self.socket_dir.path().to_string_lossy();
        format!("postgresql:///{DATABASE}?host={}&user={USER}", utf8_percent_encode(&host, QUERY))
    }

    /// Shuts the database down and waits until it has ended.
    pub async fn stop(self) {
        self.supervised.stop().await;
        self.socket_dir.remove();
    }
}

fn options(socket_dir: &Path, database: &str) -> PgConnectOptions {
    PgConnectOptions::new_without_pgpass().socket(socket_dir).port(PORT).username(USER).database(database)
}

struct Postgres {
    program: PathBuf,
    identity: Identity,
    cluster: PathBuf,
    socket_dir: PathBuf,
}

impl Service for Postgres {
    fn name(&self) -> &'static str {
        "PostgreSQL"
    }

    fn command(&self) -> Command {
        // An interrupt is PostgreSQL's fast shutdown: connections are cut, data is written.
        let mut command = self.identity.command(&self.program, "INT");
        command.arg("-D").arg(&self.cluster);
        for (name, value) in SETTINGS {
            command.arg("-c").arg(format!("{name}={value}"));
        }
        command.arg("-c").arg(format!("port={PORT}"));
        // The setting is a list of quoted names.
        let folder = self.socket_dir.to_string_lossy().replace('"', "\"\"");
        command.arg("-c").arg(format!("unix_socket_directories=\"{folder}\""));
        command
    }

    async fn probe(&self) -> Result<(), String> {
        let connect = async { options(&self.socket_dir, "postgres").connect().await?.close().await };
        match tokio::time::timeout(CONNECT_WITHIN, connect).await {
            Ok(answer) => answer.map_err(|error: sqlx::Error| error.to_string()),
            Err(_) => Err("no answer on its socket".to_owned()),
        }
    }

    fn ready_within(&self) -> Duration {
        READY_WITHIN
    }

    fn ending(&self) -> Ending {
        ENDING
    }
}

async fn end_stale(cluster: &Path) -> Result<(), PostgresError> {
    let Some(pid) = find_by_argument("-D", cluster) else { return Ok(()) };
    tracing::warn!("ending the PostgreSQL (process {pid}) that an earlier server left on {} …", cluster.display());
    if ENDING.apply_to(pid).await { Ok(()) } else { Err(PostgresError::Stale(pid)) }
}

/// Makes the cluster beside its final place and moves it there when it is whole.
async fn create_cluster(
    cluster: &Path,
    programs: &Programs,
    identity: &Identity,
    host: &Host,
) -> Result<(), PostgresError> {
    let folder = |path: &Path| {
        let path = path.to_owned();
        move |cause| PostgresError::Folder { path, cause }
    };
    let unfinished = cluster.with_extension("unfinished");
    end_stale(&unfinished).await?;
    if unfinished.exists() {
        std::fs::remove_dir_all(&unfinished).map_err(folder(&unfinished))?;
    }
    private_dir(&unfinished).map_err(folder(&unfinished))?;
    identity.own(&unfinished).map_err(folder(&unfinished))?;

    let mut initdb = identity.command(&programs.initdb, "KILL");
    initdb.args(["--username", USER, "--encoding", "UTF8", "--locale", "C.UTF-8", "--lc-collate", "C"]);
    initdb.args(["--data-checksums", "--auth-local", "trust", "--auth-host", "reject", "--no-instructions", "-D"]);
    initdb.arg(&unfinished).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true);
    let failed = |reason: String| PostgresError::Initdb { path: cluster.to_owned(), reason };
    let run = async { host.spawner.spawn(initdb).await?.wait_with_output().await };
    let outcome = tokio::select! {
        outcome = tokio::time::timeout(INITDB_WITHIN, run) => outcome,
        () = host.shutdown.cancelled() => return Err(StartError::Cancelled("initdb").into()),
    };
    let output = outcome
        .map_err(|_| failed(format!("it did not end within {} s", INITDB_WITHIN.as_secs())))?
        .map_err(|error| failed(error.to_string()))?;
    if !output.status.success() {
        return Err(failed(String::from_utf8_lossy(&output.stderr).trim().to_owned()));
    }
    std::fs::rename(&unfinished, cluster).map_err(folder(cluster))
}

/// Creates the database in a cluster that has none yet.
async fn create_database(socket_dir: &Path) -> Result<(), sqlx::Error> {
    let mut connection = PgConnection::connect_with(&options(socket_dir, "postgres")).await?;
    let exists: bool = sqlx::query_scalar("SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)")
        .bind(DATABASE)
        .fetch_one(&mut connection)
        .await?;
    if !exists {
        sqlx::query("CREATE DATABASE microkernel").execute(&mut connection).await?;
    }
    connection.close().await
}
