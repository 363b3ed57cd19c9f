//! The sections that belong to no single service.

use serde::{Deserialize, Deserializer, Serialize, de};
use std::path::PathBuf;
use tracing::level_filters::LevelFilter;

/// Every section there is: those here, and one a service.
pub(super) const SECTIONS: [&str; 8] = ["device", "mqtt", "log", "sensor", "wasm", "ml", "uplink", "update"];

/// `[device]`: who this device is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Device {
    /// Its identifier (`DEVICE_ID`). Absent on a device that takes it from its certificate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
}

/// `[mqtt]`: the broker, and how this device proves who it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mqtt {
    /// The broker's name or address (`MQTT_BROKER_HOST`). Its certificate must be for this name.
    #[serde(deserialize_with = "host")]
    pub host: String,
    /// The broker's port (`MQTT_BROKER_PORT`), where it speaks TLS.
    #[serde(default = "default_port", deserialize_with = "port")]
    pub port: u16,
    /// The certificate of the authority that signed the broker's, PEM (`MQTT_CA_CERT`).
    pub ca_cert: PathBuf,
    /// This device's certificate, PEM (`MQTT_CLIENT_CERT`).
    pub client_cert: PathBuf,
    /// The private key of that certificate, PEM (`MQTT_CLIENT_KEY`).
    pub client_key: PathBuf,
}

fn default_port() -> u16 {
    8883
}

fn host<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let host = String::deserialize(deserializer)?;
    if host.is_empty() || host.contains(|c: char| c.is_whitespace() || c == '/') {
        return Err(de::Error::invalid_value(
            de::Unexpected::Str(&host),
            &"a host name or an address, without scheme or path",
        ));
    }
    Ok(host)
}

fn port<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u16, D::Error> {
    let port = u16::deserialize(deserializer)?;
    if port == 0 {
        return Err(de::Error::invalid_value(de::Unexpected::Unsigned(0), &"a port from 1 to 65535"));
    }
    Ok(port)
}

/// `[log]`: what is logged. `RUST_LOG` overrides it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Log {
    /// The least severe level that is logged.
    #[serde(default)]
    pub level: LogLevel,
}

/// How severe an event must be to be logged.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    /// Failures that need an operator.
    Error,
    /// And what went wrong but is being coped with.
    Warn,
    /// And what happens in a service's life.
    #[default]
    Info,
    /// And what it does.
    Debug,
    /// And everything else.
    Trace,
}

impl From<LogLevel> for LevelFilter {
    fn from(level: LogLevel) -> Self {
        match level {
            LogLevel::Error => Self::ERROR,
            LogLevel::Warn => Self::WARN,
            LogLevel::Info => Self::INFO,
            LogLevel::Debug => Self::DEBUG,
            LogLevel::Trace => Self::TRACE,
        }
    }
}
