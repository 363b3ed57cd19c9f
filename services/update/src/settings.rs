//! The configuration: `[update]`, with `[device]` and `[mqtt]` for what it leaves open.

use crate::{
    ddi::Credentials,
    machine::{Policy, Transport},
    window::Window,
};
use microkernel_daemon::{
    config::{ConfigError, Device, Layers, Mqtt, Origin},
    health_record::HealthRecord,
};
use reqwest::Url;
use serde::Deserialize;
use std::{
    collections::BTreeMap,
    net::IpAddr,
    num::{NonZeroU32, NonZeroU64},
    path::{Path, PathBuf},
    time::Duration,
};

/// Where the DDI of our server listens.
const DDI_PORT: u16 = 8443;
/// With the usual interval of five minutes, so many attempts outlast a quarter of an hour in which the server answers but the
/// bundle can't be had.
const DEFAULT_ATTEMPTS: u32 = 8;

/// Everything that the agent has to know.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The update server, without a path.
    pub server: Url,
    /// The tenant, a part of every path.
    pub tenant: String,
    /// This device's name there.
    pub controller: String,
    /// The authority that signed the server's certificate, PEM.
    pub ca_cert: PathBuf,
    /// How the device proves who it is.
    pub credentials: Credentials,
    /// How often the server is asked, until it says.
    pub poll_interval: Duration,
    /// When the device may be disturbed; at any time when there is no window.
    pub window: Option<Window>,
    /// How updates are treated.
    pub policy: Policy,
    /// What the server is told about the device beside what the agent knows.
    pub attributes: BTreeMap<String, String>,
    /// What the health check found in the last boots.
    pub health_record: HealthRecord,
}

#[derive(Deserialize)]
struct Config {
    #[serde(default)]
    device: Device,
    mqtt: Option<Mqtt>,
    #[serde(default)]
    update: Section,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Section {
    server: Option<Server>,
    tenant: Option<String>,
    ca_cert: Option<PathBuf>,
    client_cert: Option<PathBuf>,
    client_key: Option<PathBuf>,
    target_token: Option<Token>,
    gateway_token: Option<Token>,
    poll_interval_seconds: Option<NonZeroU64>,
    maintenance_window: Option<Window>,
    #[serde(default)]
    transport: TransportName,
    #[serde(default)]
    allow_downgrade: bool,
    attempts: Option<NonZeroU32>,
    #[serde(default)]
    attributes: BTreeMap<String, String>,
}

#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum TransportName {
    #[default]
    Stream,
    File,
}

impl Settings {
    /// Reads and checks them. `state_dir` has the device's identity, where the files are not named.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn load(layers: &Layers, state_dir: &Path) -> Result<Self, ConfigError> {
        let Config { device, mqtt, update } = layers.load()?;
        let identity = state_dir.join("identity");
        let server = match (update.server, mqtt) {
            (Some(Server(url)), _) => url,
            (None, mqtt) => mqtt.and_then(|mqtt| beside(&mqtt.host)).ok_or_else(|| {
                missing("update.server", "[update] of the configuration files (or mqtt.host, to derive it from)")
            })?,
        };
        let credentials = match (update.target_token, update.gateway_token) {
            (Some(_), Some(_)) => return Err(two_tokens()),
            (Some(Token(token)), None) => Credentials::TargetToken(token),
            (None, Some(Token(token))) => Credentials::GatewayToken(token),
            (None, None) => Credentials::Certificate {
                cert: update.client_cert.unwrap_or_else(|| identity.join("device.crt")),
                key: update.client_key.unwrap_or_else(|| identity.join("device.key")),
            },
        };
        Ok(Self {
            server,
            tenant: update.tenant.unwrap_or_else(|| "default".to_owned()),
            controller: device.id.filter(|id| !id.is_empty()).ok_or_else(|| {
                missing("device.id", "[device] of the configuration files, environment variable DEVICE_ID")
            })?,
            ca_cert: update.ca_cert.unwrap_or_else(|| identity.join("ca.crt")),
            credentials,
            poll_interval: Duration::from_secs(update.poll_interval_seconds.map_or(300, NonZeroU64::get)),
            window: update.maintenance_window,
            policy: Policy {
                transport: match update.transport {
                    TransportName::Stream => Transport::Stream,
                    TransportName::File => Transport::File,
                },
                allow_downgrade: update.allow_downgrade,
                attempts: update.attempts.map_or(DEFAULT_ATTEMPTS, NonZeroU32::get),
            },
            attributes: update.attributes,
            health_record: HealthRecord::below(state_dir),
        })
    }
}

fn missing(key: &str, places: &str) -> ConfigError {
    ConfigError::Missing { key: key.to_owned(), places: places.to_owned() }
}

fn two_tokens() -> ConfigError {
    ConfigError::InvalidValue {
        origin: Origin::Merged,
        key: "update.target_token".to_owned(),
        expected: "no gateway_token beside it".to_owned(),
        found: "both".to_owned(),
    }
}

/// The server that also runs the broker.
fn beside(host: &str) -> Option<Url> {
    let host = if host.parse::<std::net::Ipv6Addr>().is_ok() { format!("[{host}]") } else { host.to_owned() };
    Url::parse(&format!("https://{host}:{DDI_PORT}")).ok()
}

/// A URL that may be asked for updates: HTTPS, or this very machine.
#[derive(Debug, Deserialize)]
#[serde(try_from = "String")]
struct Server(Url);

impl TryFrom<String> for Server {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let expected = || "expected a URL like https://updates.example.com:8443".to_owned();
        let url = Url::parse(&text).map_err(|error| format!("{} ({error})", expected()))?;
        let is_bare = url.path() == "/" && url.query().is_none() && url.username().is_empty();
        let is_safe = url.scheme() == "https" || (url.scheme() == "http" && is_loopback(&url));
        if is_bare && is_safe { Ok(Self(url)) } else { Err(expected()) }
    }
}

/// What can be sent in a header.
#[derive(Deserialize)]
#[serde(try_from = "String")]
struct Token(String);

impl TryFrom<String> for Token {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, &'static str> {
        let is_sendable = !text.is_empty() && text.chars().all(|c| c.is_ascii_graphic());
        if is_sendable { Ok(Self(text)) } else { Err("expected a token without spaces, of ASCII characters") }
    }
}

fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn load(toml: &str) -> Result<Settings, String> {
        let layers = Layers::default().with_text("config", toml);
        Settings::load(&layers, Path::new("/state")).map_err(|error| error.to_string())
    }

    #[test]
    fn a_provisioned_device_needs_no_section() {
        let settings = load(
            "[device]\nid = 'device-001'\n\
             [mqtt]\nhost = 'fleet.example.com'\nca_cert = 'a'\nclient_cert = 'b'\nclient_key = 'c'",
        )
        .unwrap();
        assert_eq!(settings.server.as_str(), "https://fleet.example.com:8443/");
        assert_eq!(settings.controller, "device-001");
        let (cert, key) = ("/state/identity/device.crt".into(), "/state/identity/device.key".into());
        assert_eq!(settings.credentials, Credentials::Certificate { cert, key });
        assert_eq!(settings.policy.transport, Transport::Stream);
    }

    #[test]
    fn what_is_wrong_is_named_with_its_remedy() {
        let server = "[device]\nid = 'd'\n[update]\nserver = 'https://u:8443'\n";
        for (toml, expected) in [
            ("[update]\nserver = 'https://u:8443'".to_owned(), "DEVICE_ID"),
            ("[device]\nid = 'd'".to_owned(), "update.server is missing"),
            ("[device]\nid = 'd'\n[update]\nserver = 'http://u'".to_owned(), "update.server"),
            ("[device]\nid = 'd'\n[update]\nserver = 'updates'".to_owned(), "https://updates.example.com:8443"),
            (format!("{server}transport = 'pigeon'"), "one of stream, file"),
            (format!("{server}attempts = 0"), "update.attempts"),
            (format!("{server}target_token = 'a'\ngateway_token = 'b'"), "no gateway_token beside it"),
            (format!("{server}target_token = 'a b'"), "update.target_token"),
            (format!("{server}sever = 'x'"), "did you mean server?"),
            (format!("{server}maintenance_window = {{ start = '25:00', end = '03:00' }}"), "maintenance_window"),
        ] {
            let error = load(&toml).unwrap_err();
            assert!(error.contains(expected), "{toml}: {error}");
        }
    }

    #[test]
    fn the_example_of_the_help_is_a_good_configuration() {
        use clap::CommandFactory;
        let help = crate::cli::Cli::command().get_after_help().unwrap().to_string();
        let example = &help[help.find("[update]").unwrap()..help.find("Environment:").unwrap()];
        let settings = load(&format!("[device]\nid = 'd'\n{example}")).unwrap();
        let defaults = load("[device]\nid = 'd'\n[update]\nserver = 'https://u'").unwrap();
        assert_eq!((settings.policy, settings.poll_interval), (defaults.policy, defaults.poll_interval));
        assert!(settings.window.is_some() && settings.attributes.contains_key("site"));
    }

    #[test]
    fn plain_http_is_for_this_machine_only() {
        for (url, taken) in [
            ("http://127.0.0.1:8080", true),
            ("http://[::1]:80", true),
            ("http://localhost", true),
            ("http://u", false),
        ] {
            assert_eq!(Server::try_from(url.to_owned()).is_ok(), taken, "{url}");
        }
    }

    #[test]
    fn tokens_are_not_shown() {
        let settings = load("[device]\nid='d'\n[update]\nserver='https://u'\ntarget_token='s3cret'").unwrap();
        assert!(!format!("{settings:?}").contains("s3cret"));
    }
}
