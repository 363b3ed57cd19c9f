//! The command line. What it says is checked and completed by [`crate::config`].

mod fleet;

pub use fleet::{
    DeploymentsAction, DeploymentsArguments, DevicesAction, DevicesArguments, NewRolloutArguments, Output,
    ReleasesAction, ReleasesArguments, RolloutArguments, RolloutsAction, RolloutsArguments, ServerArguments,
    TargetArguments,
};

use crate::embedded::PublicName;
use clap::{Args, Parser, Subcommand};
use std::net::SocketAddr;
use std::path::PathBuf;

/// The fleet server of Microkernel.
///
/// Without a command it serves: it starts a private PostgreSQL and an MQTT broker below its data folder, unless
/// DATABASE_URL or MQTT_URL name others, then the ingest, the REST API and the dashboard.
///
/// Exit codes: 0 done, 1 refused or failed (the reason is on standard error), 2 not understood.
#[derive(Debug, Parser)]
#[command(version, args_conflicts_with_subcommands = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: ServeArguments,
}

impl Cli {
    /// The command that was given; `serve` when there was none.
    pub fn command(self) -> Command {
        self.command.unwrap_or(Command::Serve(Box::new(self.serve)))
    }
}

/// What the program is to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve the fleet (the default)
    Serve(Box<ServeArguments>),
    /// Certificates of the development CA
    Certificate(CertificateArguments),
    /// Releases of a server that runs: upload, list, show, delete
    Releases(ReleasesArguments),
    /// Rollouts of a server that runs: create, list, show, pause, resume, cancel, retry, watch
    Rollouts(RolloutsArguments),
    /// Deployments of a server that runs: create, list, cancel
    Deployments(DeploymentsArguments),
    /// Devices of a server that runs: list, show, tag
    Devices(DevicesArguments),
}

/// The arguments of `serve`.
#[derive(Debug, Default, Args)]
pub struct ServeArguments {
    #[command(flatten)]
    pub(crate) data: DataArguments,

    /// Address of the dashboard and the API; loopback only [default: 127.0.0.1:4000, or a free port when it is taken]
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(crate) http: Option<SocketAddr>,

    /// Address that devices ask for updates on, HTTPS; any address, as every device proves who it is [default:
    /// 127.0.0.1:8443, or a free port when it is taken]
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(crate) https: Option<SocketAddr>,

    /// This server's certificate on the devices' HTTPS, with its chain; read again on SIGHUP [default: one of the
    /// development CA]
    #[arg(long, value_name = "FILE", env = "HTTPS_CERT", requires = "https_key")]
    pub(crate) https_cert: Option<PathBuf>,

    /// The key of that certificate; read again on SIGHUP
    #[arg(long, value_name = "FILE", env = "HTTPS_KEY", requires = "https_cert")]
    pub(crate) https_key: Option<PathBuf>,

    /// Certificates of the authorities that issue the devices' certificates; read again on SIGHUP [default: the
    /// development CA]
    #[arg(long, value_name = "FILE", env = "DEVICE_CA")]
    pub(crate) device_ca: Option<PathBuf>,

    /// Port of the embedded broker on 127.0.0.1, MQTT over TLS [default: 8883, or a free port when it is taken]
    #[arg(long, value_name = "PORT")]
    pub(crate) mqtt_port: Option<u16>,

    /// A name or an address that devices reach this server by, beside this machine's own; repeat it or separate by
    /// commas. They go into the certificates of the embedded broker and of the HTTPS listener
    #[arg(long = "public-name", value_name = "NAME_OR_ADDRESS", env = "PUBLIC_NAMES", value_delimiter = ',')]
    pub(crate) public_names: Vec<PublicName>,

    /// Folder of the PostgreSQL programs for the embedded database [default: the newest below /usr/lib/postgresql, or
    /// PATH]
    #[arg(long, value_name = "DIR")]
    pub(crate) postgres_bin: Option<PathBuf>,

    /// The mosquitto program for the embedded broker [default: /usr/sbin/mosquitto, or PATH]
    #[arg(long, value_name = "FILE")]
    pub(crate) mosquitto_bin: Option<PathBuf>,

    /// Certificates of the authorities that sign bundles [default: bundles/keyring.pem in the data folder]
    #[arg(long, value_name = "FILE", env = "BUNDLE_KEYRING")]
    pub(crate) bundle_keyring: Option<PathBuf>,

    /// Keep bundles in S3-compatible storage, s3://BUCKET/PREFIX, which is reached as AWS_ACCESS_KEY_ID,
    /// AWS_SECRET_ACCESS_KEY, AWS_REGION, AWS_ENDPOINT_URL and AWS_ALLOW_HTTP say [default: bundles/ in the data folder]
    #[arg(long, value_name = "URL", env = "BUNDLE_STORE")]
    pub(crate) bundle_store: Option<String>,

    /// The largest bundle that is taken, in MiB [default: 4096]
    #[arg(long, value_name = "MIB")]
    pub(crate) bundle_max_mib: Option<u32>,

    /// The rauc program, which verifies bundles [default: rauc on PATH]
    #[arg(long, value_name = "FILE")]
    pub(crate) rauc_bin: Option<PathBuf>,

    /// Use this PostgreSQL (15 or newer) instead of the embedded one
    #[arg(long, value_name = "URL", env = "DATABASE_URL", hide_env_values = true)]
    pub(crate) database_url: Option<String>,

    /// Use this MQTT 5 broker instead of the embedded one: mqtts://host:port with the three files below, or
    /// mqtt://host:port on loopback
    #[arg(long, value_name = "URL", env = "MQTT_URL", hide_env_values = true)]
    pub(crate) mqtt_url: Option<String>,

    /// Certificate of the CA that signed the broker's certificate
    #[arg(long, value_name = "FILE", env = "MQTT_CA_CERT")]
    pub(crate) mqtt_ca_cert: Option<PathBuf>,

    /// This server's client certificate for the broker
    #[arg(long, value_name = "FILE", env = "MQTT_CLIENT_CERT")]
    pub(crate) mqtt_client_cert: Option<PathBuf>,

    /// The key of that certificate
    #[arg(long, value_name = "FILE", env = "MQTT_CLIENT_KEY")]
    pub(crate) mqtt_client_key: Option<PathBuf>,
}

/// Where the data lives; shared by all commands.
#[derive(Debug, Default, Args)]
pub struct DataArguments {
    /// Folder of everything the server keeps [default: $XDG_DATA_HOME/microkernel-server or
    /// ~/.local/share/microkernel-server; for root /var/lib/microkernel-server]
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
}

/// The arguments of `certificate`.
#[derive(Debug, Args)]
pub struct CertificateArguments {
    #[command(subcommand)]
    pub(crate) action: CertificateAction,
}

/// What to do with certificates.
#[derive(Debug, Subcommand)]
pub enum CertificateAction {
    /// Issue a device's client certificate: writes ca.crt, DEVICE_ID.crt and DEVICE_ID.key
    Issue {
        /// The device's identity: its certificate's common name and the second level of its topics
        device_id: String,
        /// Folder to write to; created when missing
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
        /// Replace files that exist
        #[arg(long)]
        force: bool,
        /// The data folder whose CA signs.
        #[command(flatten)]
        data: DataArguments,
    },
}
