//! What the server is to do, checked: [`Settings`] is made from the command line and the environment and holds no
//! value that can't be used.

use crate::cli::{DataArguments, ServeArguments};
use crate::embedded::PublicName;
use crate::releases::Place;
use nix::unistd::geteuid;
use sqlx::postgres::PgConnectOptions;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

/// The port of the dashboard and the API when none is asked for.
pub const DEFAULT_HTTP_PORT: u16 = 4000;
/// The port of the embedded broker when none is asked for (the registered port of MQTT over TLS).
pub const DEFAULT_MQTTS_PORT: u16 = 8883;
/// The port that devices ask for updates on when none is asked for.
pub const DEFAULT_HTTPS_PORT: u16 = 8443;
/// The largest bundle taken when nothing else is asked for.
const DEFAULT_BUNDLE_MIB: u32 = 4_096;
/// The port of `mqtt://` when the URL names none.
const DEFAULT_MQTT_PORT: u16 = 1883;

/// The group in which the servers of a broker that runs already share their subscriptions. That broker's access rules
/// must keep devices out of it.
const SHARE_GROUP: &str = "ingest";

/// Why the command line or the environment is refused.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// `--http` names an address that others can reach.
    #[error(
        "--http {0} is refused: the server has no accounts yet, so whoever reaches it controls the fleet; use a \
         loopback address such as 127.0.0.1:{port}, and an SSH tunnel or an authenticating proxy for others",
        port = .0.port()
    )]
    NotLoopback(SocketAddr),
    /// No folder for the data can be derived.
    #[error(
        "there is no folder for the data: neither XDG_DATA_HOME nor HOME is set to an absolute path; use --data-dir"
    )]
    NoDataDir,
    /// The URL of the database is not one.
    #[error("DATABASE_URL is not a PostgreSQL URL such as postgresql://user@host/name: {0}")]
    DatabaseUrl(String),
    /// The URL of the broker is not one.
    #[error("MQTT_URL is refused: {0}")]
    MqttUrl(String),
    /// The bundles' storage is not named as it must be.
    #[error(
        "BUNDLE_STORE or --bundle-store is {0:?}: expected s3://BUCKET or s3://BUCKET/PREFIX; keys are given by AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
    )]
    BundleStore(String),
    /// TLS needs the three files.
    #[error("MQTT_URL with mqtts:// needs {0} (this server proves who it is by a client certificate)")]
    MissingTlsFile(&'static str),
}

/// What `serve` is to do.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Folder of everything the server keeps.
    pub data_dir: PathBuf,
    /// Address of the dashboard and the API; loopback.
    pub http: Requested<SocketAddr>,
    /// Address that devices ask for updates on.
    pub https: Requested<SocketAddr>,
    /// Names and addresses that devices reach this server by, beside this machine's own.
    pub public_names: Vec<PublicName>,
    /// The certificates on that address, where not the embedded ones.
    pub https_files: HttpsFiles,
    /// How bundles are taken.
    pub bundles: BundleSettings,
    /// Which database to use.
    pub database: Database,
    /// Which broker to use.
    pub broker: Broker,
}

/// The files of the devices' HTTPS that are given, the rest being the development CA's.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HttpsFiles {
    /// This server's certificate and its key.
    pub own: Option<(PathBuf, PathBuf)>,
    /// The authorities that issue the devices' certificates.
    pub device_ca: Option<PathBuf>,
}

impl HttpsFiles {
    /// What is given, completed from `embedded`.
    pub fn complete(&self, embedded: TlsFiles) -> TlsFiles {
        let (client_cert, client_key) = self.own.clone().unwrap_or((embedded.client_cert, embedded.client_key));
        TlsFiles { ca_cert: self.device_ca.clone().unwrap_or(embedded.ca_cert), client_cert, client_key }
    }
}

/// How bundles are taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BundleSettings {
    /// Where they are kept.
    pub place: Place,
    /// The largest, in bytes.
    pub max_bytes: u64,
    /// The certificates that signers descend from.
    pub keyring: PathBuf,
    /// RAUC's program, or its name on the PATH.
    pub rauc: PathBuf,
}

/// A value that was asked for, which must be honoured, or a default, which may be replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Requested<T> {
    /// Asked for.
    Explicit(T),
    /// Nothing was asked for.
    Default(T),
}

/// Which database the server uses.
#[derive(Debug, Clone)]
pub enum Database {
    /// A private PostgreSQL that the server starts, from the programs in `bin_dir` or from where they usually are.
    Embedded {
        /// Folder that holds `postgres` and `initdb`.
        bin_dir: Option<PathBuf>,
    },
    /// One that runs already. `PgConnectOptions` has the password: never log it.
    External(Box<PgConnectOptions>),
}

/// Which broker the server uses.
#[derive(Debug, Clone)]
pub enum Broker {
    /// A mosquitto that the server starts.
    Embedded {
        /// Its port on 127.0.0.1.
        port: Requested<u16>,
        /// The program.
        program: Option<PathBuf>,
    },
    /// One that runs already.
    External(BrokerAddress),
}

/// How the ingest reaches the broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrokerAddress {
    /// Host name or address.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// The files for TLS with a client certificate; none only for a broker on loopback.
    pub tls: Option<TlsFiles>,
    /// The group that the servers of this broker share their subscriptions in; none where there is but one server.
    pub share_group: Option<String>,
}

/// PEM files of a side of TLS that proves who it is by a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// Certificate of the CA that signed the other side's certificate.
    pub ca_cert: PathBuf,
    /// Own certificate.
    pub client_cert: PathBuf,
    /// Its key.
    pub client_key: PathBuf,
}

impl Settings {
    /// Checks what the command line says and completes it.
    ///
    /// # Errors
    /// [`ConfigError`] names the argument and the remedy.
    pub fn from_arguments(arguments: ServeArguments) -> Result<Self, ConfigError> {
        let database = match &arguments.database_url {
            Some(url) => Database::External(Box::new(database_options(url)?)),
            None => Database::Embedded { bin_dir: arguments.postgres_bin.clone() },
        };
        let data_dir = data_dir(&arguments.data)?;
        Ok(Self {
            http: http_address(arguments.http)?,
            https: https_address(arguments.https),
            public_names: arguments.public_names.clone(),
            https_files: HttpsFiles {
                own: arguments.https_cert.clone().zip(arguments.https_key.clone()),
                device_ca: arguments.device_ca.clone(),
            },
            bundles: bundles(&arguments, &data_dir)?,
            data_dir,
            database,
            broker: broker(arguments)?,
        })
    }
}

/// The folder of everything the server keeps: as asked for, else the user's data folder, for root `/var/lib`.
///
/// # Errors
/// [`ConfigError::NoDataDir`].
pub fn data_dir(arguments: &DataArguments) -> Result<PathBuf, ConfigError> {
    if let Some(dir) = &arguments.data_dir {
        return Ok(dir.clone());
    }
    if geteuid().is_root() {
        return Ok(PathBuf::from("/var/lib/microkernel-server"));
    }
    let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    absolute("XDG_DATA_HOME")
        .or_else(|| absolute("HOME").map(|home| home.join(".local/share")))
        .map(|base| base.join("microkernel-server"))
        .ok_or(ConfigError::NoDataDir)
}

fn http_address(asked: Option<SocketAddr>) -> Result<Requested<SocketAddr>, ConfigError> {
    match asked {
        Some(address) if !address.ip().is_loopback() => Err(ConfigError::NotLoopback(address)),
        Some(address) => Ok(Requested::Explicit(address)),
        None => Ok(Requested::Default(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), DEFAULT_HTTP_PORT))),
    }
}

/// Any address will do: whoever asks has to prove which device it is.
fn https_address(asked: Option<SocketAddr>) -> Requested<SocketAddr> {
    let default = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), DEFAULT_HTTPS_PORT);
    asked.map_or(Requested::Default(default), Requested::Explicit)
}

fn bundles(arguments: &ServeArguments, data_dir: &Path) -> Result<BundleSettings, ConfigError> {
    let place = match &arguments.bundle_store {
        Some(url) => Place::from_url(url).ok_or_else(|| ConfigError::BundleStore(without_secret(url)))?,
        None => Place::Folder,
    };
    let mebibytes = arguments.bundle_max_mib.unwrap_or(DEFAULT_BUNDLE_MIB);
    Ok(BundleSettings {
        place,
        max_bytes: u64::from(mebibytes) * 1024 * 1024,
        keyring: arguments.bundle_keyring.clone().unwrap_or_else(|| data_dir.join("bundles/keyring.pem")),
        rauc: arguments.rauc_bin.clone().unwrap_or_else(|| PathBuf::from("rauc")),
    })
}

/// A URL without what is before its `@`, which may be a secret.
fn without_secret(url: &str) -> String {
    url.rsplit_once('@').map_or_else(|| url.to_owned(), |(_, rest)| format!("s3://…@{rest}"))
}

fn database_options(url: &str) -> Result<PgConnectOptions, ConfigError> {
    // sqlx takes any scheme, and a value without one would be a confusing failure to connect later.
    if !(url.starts_with("postgres://") || url.starts_with("postgresql://")) {
        return Err(ConfigError::DatabaseUrl("it must start with postgresql://".to_owned()));
    }
    url.parse().map_err(|error: sqlx::Error| ConfigError::DatabaseUrl(error.to_string()))
}

fn broker(arguments: ServeArguments) -> Result<Broker, ConfigError> {
    let Some(url) = &arguments.mqtt_url else {
        let port = arguments.mqtt_port.map_or(Requested::Default(DEFAULT_MQTTS_PORT), Requested::Explicit);
        return Ok(Broker::Embedded { port, program: arguments.mosquitto_bin });
    };
    let (tls, authority) = match url.split_once("://") {
        Some(("mqtts", rest)) => (true, rest),
        Some(("mqtt", rest)) => (false, rest),
        _ => return Err(ConfigError::MqttUrl("expected mqtts://host:port".to_owned())),
    };
    let (host, port) = host_and_port(authority, if tls { DEFAULT_MQTTS_PORT } else { DEFAULT_MQTT_PORT })?;
    let tls = if tls {
        Some(TlsFiles {
            ca_cert: arguments.mqtt_ca_cert.ok_or(ConfigError::MissingTlsFile("MQTT_CA_CERT"))?,
            client_cert: arguments.mqtt_client_cert.ok_or(ConfigError::MissingTlsFile("MQTT_CLIENT_CERT"))?,
            client_key: arguments.mqtt_client_key.ok_or(ConfigError::MissingTlsFile("MQTT_CLIENT_KEY"))?,
        })
    } else if is_loopback(&host) {
        None
    } else {
        let reason =
            format!("mqtt:// (no TLS) is for a broker on this machine only, and {host:?} is not: use mqtts://");
        return Err(ConfigError::MqttUrl(reason));
    };
    Ok(Broker::External(BrokerAddress { host, port, tls, share_group: Some(SHARE_GROUP.to_owned()) }))
}

/// Splits `host[:port]`, where an IPv6 address is in brackets. The error never repeats the input: it may hold a
/// password.
fn host_and_port(authority: &str, default_port: u16) -> Result<(String, u16), ConfigError> {
    let refuse = |reason: &str| Err(ConfigError::MqttUrl(reason.to_owned()));
    let authority = authority.strip_suffix('/').unwrap_or(authority);
    if authority.contains('@') {
        return refuse("it holds a user name, but this server proves who it is by its client certificate: remove it");
    }
    if authority.contains(['/', '?', '#']) {
        return refuse("expected mqtts://host:port and nothing after the port");
    }
    let (host, port) = match authority.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, "")) => (address, None),
        Some((address, rest)) => match rest.strip_prefix(':') {
            Some(port) => (address, Some(port)),
            None => return refuse("there must be a colon and the port after the address in brackets"),
        },
        None if authority.starts_with('[') || authority.matches(':').count() > 1 => {
            return refuse("an IPv6 address must be in brackets: mqtts://[::1]:8883");
        }
        None => authority.split_once(':').map_or((authority, None), |(host, port)| (host, Some(port))),
    };
    let port = match port.map(str::parse) {
        None => default_port,
        Some(Ok(port)) if port != 0 => port,
        Some(_) => return refuse("the port is not a number from 1 to 65535"),
    };
    if host.is_empty() {
        return refuse("the host is missing: expected mqtts://host:port");
    }
    Ok((host.to_owned(), port))
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse().is_ok_and(|address: IpAddr| address.is_loopback())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn with_url(url: &str) -> Result<Settings, ConfigError> {
        let file = || Some(PathBuf::from("/some.pem"));
        Settings::from_arguments(ServeArguments {
            data: DataArguments { data_dir: Some("/data".into()) },
            mqtt_url: Some(url.to_owned()),
            mqtt_ca_cert: file(),
            mqtt_client_cert: file(),
            mqtt_client_key: file(),
            ..ServeArguments::default()
        })
    }

    fn address(url: &str) -> (String, u16, bool) {
        match with_url(url).unwrap().broker {
            Broker::External(address) => (address.host, address.port, address.tls.is_some()),
            Broker::Embedded { .. } => panic!("{url} is ignored"),
        }
    }

    #[test]
    fn a_broker_is_named_by_host_and_port() {
        assert_eq!(address("mqtts://broker.example:1234"), ("broker.example".to_owned(), 1234, true));
        assert_eq!(address("mqtts://broker.example/"), ("broker.example".to_owned(), 8883, true));
        assert_eq!(address("mqtts://[2001:db8::1]:1234"), ("2001:db8::1".to_owned(), 1234, true));
        assert_eq!(address("mqtt://127.0.0.1"), ("127.0.0.1".to_owned(), 1883, false));
        assert_eq!(address("mqtt://[::1]"), ("::1".to_owned(), 1883, false));
    }

    #[test]
    fn a_url_that_names_no_broker_is_refused() {
        for url in [
            "broker:8883",
            "https://broker",
            "mqtts://",
            "mqtts://:8883",
            "mqtts://broker:0",
            "mqtts://broker:70000",
            "mqtts://broker:",
            "mqtts://broker/path",
            "mqtts://[::1",
            "mqtts://[::1]8883",
            "mqtts://::1",
            "mqtts://user:secret@broker",
            "mqtt://broker.example",
        ] {
            let error = with_url(url).map(|settings| settings.broker).unwrap_err().to_string();
            assert!(error.contains("MQTT_URL") && !error.contains("secret"), "{url}: {error}");
        }
    }

    #[test]
    fn a_database_url_of_another_scheme_is_refused() {
        let database_url = |url: &str| {
            let arguments = ServeArguments { database_url: Some(url.to_owned()), ..ServeArguments::default() };
            Settings::from_arguments(arguments).map(drop)
        };
        assert!(matches!(database_url("mysql://host/name"), Err(ConfigError::DatabaseUrl(_))));
        assert!(database_url("postgresql:///name?host=/run/postgresql").is_ok());
    }

    #[test]
    fn only_loopback_addresses_are_served() {
        for (address, served) in
            [("127.0.0.1:4000", true), ("[::1]:0", true), ("0.0.0.0:4000", false), ("192.0.2.1:4000", false)]
        {
            assert_eq!(http_address(Some(address.parse().unwrap())).is_ok(), served, "{address}");
        }
    }
}
