//! The embedded broker: a private mosquitto, its files in `DATA/broker`.
//!
//! It listens on loopback, speaks TLS 1.3 only, and knows a client by its certificate alone: the common name is the
//! user name, and a device may publish and read below `devices/{its own id}/` only.
//!
//! What it holds for a client that is away or slow is bounded: see [`QUEUE_MAX_MESSAGES`].

use super::Host;
use super::identity::{Identity, IdentityError};
use super::pki::{Authority, PkiError, SERVER_NAME};
use super::ports::{self, PortError};
use super::process::{Ending, find_by_argument, find_in_path};
use super::supervise::{Service, StartError, Supervised};
use crate::config::{BrokerAddress, Requested, TlsFiles};
use crate::data_dir::{private_dir, write_at_once};
use crate::tls::{TlsError, client_config};
use nix::sys::signal::Signal;
use rustls_pki_types::ServerName;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::process::Command;
use tokio_rustls::TlsConnector;

/// How many QoS 1 messages are kept for a subscriber that does not take them, such as an ingest that waits for the
/// database; mosquitto drops what comes beyond, silently. At 1000 messages a second it lasts 16 minutes.
const QUEUE_MAX_MESSAGES: u32 = 1_000_000;
/// The same in bytes; whichever is reached first.
const QUEUE_MAX_BYTES: u64 = 1 << 30;
/// How many messages may be on their way to a client without its acknowledgement: an ingest acknowledges in batches.
const INFLIGHT_MAX_MESSAGES: u32 = 10_000;
/// The largest payload.
const MESSAGE_MAX_BYTES: u32 = 1 << 20;
/// The largest packet: a payload with its topic and properties. A client that sends a larger one is disconnected.
const PACKET_MAX_BYTES: u32 = MESSAGE_MAX_BYTES + (1 << 17);
/// How often queued and retained messages are saved. Only a broker that is itself killed loses what is newer: the end
/// of the server, in whatever way, makes it save.
const SAVE_INTERVAL_SECONDS: u32 = 10;

/// How often another port is tried when one is lost to another program.
const PORT_ATTEMPTS: u32 = 3;
const READY_WITHIN: Duration = Duration::from_secs(30);
const CONNECT_WITHIN: Duration = Duration::from_secs(2);
const ENDING: Ending = Ending { polite: Signal::SIGTERM, patience: Duration::from_secs(20), harsh: Signal::SIGKILL };

/// Why the embedded broker did not start.
#[derive(Debug, thiserror::Error)]
pub enum BrokerError {
    /// No mosquitto.
    #[error(
        "mosquitto is neither in /usr/sbin nor in PATH: install it (Debian: apt install mosquitto), name the program by \
         --mosquitto-bin, or use another broker by MQTT_URL"
    )]
    NotFound,
    /// Not where the user said.
    #[error("--mosquitto-bin {program} is not a file", program = .0.display())]
    NotAFile(PathBuf),
    /// The server is root, and the broker can't be someone else.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// A file could not be written.
    #[error("the broker's folder could not be prepared: {path}: {cause}", path = .path.display())]
    File {
        /// The file or folder.
        path: PathBuf,
        /// What the system says.
        cause: io::Error,
    },
    /// Its certificate could not be made.
    #[error(transparent)]
    Pki(#[from] PkiError),
    /// The server's own certificate can't be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// No port.
    #[error(transparent)]
    Port(#[from] PortError),
    /// The broker of a killed server is still there.
    #[error(
        "a mosquitto of an earlier server (process {0}) still runs on this data folder and does not end; end it by hand"
    )]
    Stale(i32),
    /// It did not come up.
    #[error(transparent)]
    Start(#[from] StartError),
}

/// The running embedded broker.
#[derive(Debug)]
pub struct EmbeddedBroker {
    supervised: Supervised,
    port: u16,
    tls: TlsFiles,
    share_group: String,
}

impl EmbeddedBroker {
    /// Starts the broker, `program` or the mosquitto that is installed, on `port`; `remembered_port` comes before a
    /// default.
    ///
    /// # Errors
    /// [`BrokerError`] names the file or port and the remedy.
    pub async fn start(
        host: &Host,
        program: Option<&Path>,
        port: Requested<u16>,
        remembered_port: Option<u16>,
        authority: &Authority,
    ) -> Result<Self, BrokerError> {
        let program = find_program(program)?;
        let dir = host.data_dir.join("broker");
        let identity = Identity::choose("mosquitto", &[&dir, &program]).await?;
        let config = dir.join("mosquitto.conf");
        end_stale(&config).await?;

        let address = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let asked = match port {
            Requested::Explicit(port) => Requested::Explicit(address(port)),
            Requested::Default(port) => Requested::Default(address(port)),
        };
        private_dir(&dir).map_err(at(&dir))?;
        authority.equip_broker(&dir)?;
        write(&dir.join("acl"), &access())?;
        let tls = authority.server_client()?;
        let connector = TlsConnector::from(Arc::new(client_config(&tls)?));

        // mosquitto 2.0 lets anyone subscribe to anything and checks only what it delivers: a device that joined the
        // group would be handed its share of all telemetry, which the check then throws away. So the name is a secret.
        let share_group = format!("ingest-{}", host.instance);

        let mut attempt = 1;
        loop {
            let listener = ports::bind("the broker", "--mqtt-port", asked, remembered_port)?;
            let address = listener.local_addr().map_err(at(&dir))?;
            write(&config, &configuration(&dir, address.port()))?;
            identity.own(&dir).map_err(at(&dir))?;
            // Only now, so that mosquitto can take it.
            drop(listener);

            tracing::info!("starting the broker (mosquitto) on port {} …", address.port());
            let (program, identity, config) = (program.clone(), identity.clone(), config.clone());
            let service = Mosquitto { program, identity, config, address, connector: connector.clone() };
            match host.start(service, "mosquitto").await {
                Ok(supervised) => return Ok(Self { supervised, port: address.port(), tls, share_group }),
                // Another program was quicker than mosquitto; the next look at the port will tell.
                Err(StartError::Ended { .. }) if attempt < PORT_ATTEMPTS && TcpListener::bind(address).is_err() => {
                    attempt += 1;
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// How the server itself reaches the broker.
    pub fn address(&self) -> BrokerAddress {
        BrokerAddress {
            host: Ipv4Addr::LOCALHOST.to_string(),
            port: self.port,
            tls: Some(self.tls.clone()),
            share_group: self.share_group.clone(),
        }
    }

    /// Shuts the broker down, which saves its messages, and waits until it has ended.
    pub async fn stop(self) {
        self.supervised.stop().await;
    }
}

struct Mosquitto {
    program: PathBuf,
    identity: Identity,
    config: PathBuf,
    address: SocketAddr,
    connector: TlsConnector,
}

impl Service for Mosquitto {
    fn name(&self) -> &'static str {
        "mosquitto"
    }

    fn command(&self) -> Command {
        // It saves its messages when it is terminated.
        let mut command = self.identity.command(&self.program, "TERM");
        command.arg("-c").arg(&self.config);
        command
    }

    async fn probe(&self) -> Result<(), String> {
        let connect = async {
            let stream = TcpStream::connect(self.address).await?;
            self.connector.connect(ServerName::from(self.address.ip()), stream).await
        };
        match tokio::time::timeout(CONNECT_WITHIN, connect).await {
            Ok(answer) => answer.map(drop).map_err(|error| error.to_string()),
            Err(_) => Err(format!("no TLS on {}", self.address)),
        }
    }

    fn ready_within(&self) -> Duration {
        READY_WITHIN
    }

    fn ending(&self) -> Ending {
        ENDING
    }
}

/// `mosquitto.conf`(5). `per_listener_settings` stays off: with it mosquitto 2.0 queues nothing for clients that are
/// away. No `user`: mosquitto drops to it only when it starts as root, which it never does here.
fn configuration(dir: &Path, port: u16) -> String {
    let dir = dir.display();
    format!(
        "# Written by microkernel-server at each start.
listener {port} 127.0.0.1
cafile {dir}/ca.crt
certfile {dir}/broker.crt
keyfile {dir}/broker.key
tls_version tlsv1.3
require_certificate true
use_identity_as_username true
allow_anonymous false
acl_file {dir}/acl

message_size_limit {MESSAGE_MAX_BYTES}
max_packet_size {PACKET_MAX_BYTES}
max_inflight_messages {INFLIGHT_MAX_MESSAGES}
max_queued_messages {QUEUE_MAX_MESSAGES}
max_queued_bytes {QUEUE_MAX_BYTES}
set_tcp_nodelay true

persistence true
persistence_location {dir}
autosave_interval {SAVE_INTERVAL_SECONDS}

log_dest stderr
log_timestamp_format %Y-%m-%dT%H:%M:%S
"
    )
}

/// Who may do what: the server everything below `devices/`, a device what is its own. A pattern holds for every user.
fn access() -> String {
    format!("pattern readwrite devices/%u/#\n\nuser {SERVER_NAME}\ntopic readwrite devices/#\n")
}

fn find_program(asked: Option<&Path>) -> Result<PathBuf, BrokerError> {
    match asked {
        Some(program) if program.is_file() => program.canonicalize().map_err(at(program)),
        Some(program) => Err(BrokerError::NotAFile(program.to_owned())),
        None => find_in_path("mosquitto").ok_or(BrokerError::NotFound),
    }
}

async fn end_stale(config: &Path) -> Result<(), BrokerError> {
    let Some(pid) = find_by_argument("-c", config) else { return Ok(()) };
    tracing::warn!("ending the mosquitto (process {pid}) that an earlier server left …");
    if ENDING.apply_to(pid).await { Ok(()) } else { Err(BrokerError::Stale(pid)) }
}

fn write(path: &Path, text: &str) -> Result<(), BrokerError> {
    write_at_once(path, text.as_bytes(), 0o600).map_err(at(path))
}

/// Names the file in an error.
fn at(path: &Path) -> impl FnOnce(io::Error) -> BrokerError {
    let path = path.to_owned();
    move |cause| BrokerError::File { path, cause }
}
