//! What the uplink is told: configuration, validated.
//!
//! [`Config`] is the configuration as it is written; a value out of range is refused while it is read, so that the
//! error names file, line and key. [`Settings`] is what the service works with.

mod bounded;

use crate::mqtt::MAX_IN_FLIGHT;
use bounded::{Count, Seconds};
use microkernel_daemon::config::{ConfigError, Device, Mqtt, Origin};
use microkernel_wire::DeviceId;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// The sections that the uplink reads.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Config {
    /// `[device]`.
    #[serde(default)]
    pub device: Device,
    /// `[mqtt]`.
    pub mqtt: Mqtt,
    /// `[uplink]`.
    #[serde(default)]
    pub uplink: Uplink,
}

/// `[uplink]`; every key has a default.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Uplink {
    /// Readings are looked for at least this often, whether or not the sensor service hints at some.
    poll_interval_seconds: Seconds<10, 60_000>,
    /// Readings are collected for this long after a hint, so that a fast sensor makes few large batches.
    linger_seconds: Seconds<0, 10_000>,
    /// The most readings of one batch: what is read, and given to the stages, at once.
    batch_readings: Count<1, 10_000>,
    /// How long the edge scripts may take for a batch.
    wasm_deadline_seconds: Seconds<1, 10_000>,
    /// How long the model may take for a batch.
    ml_deadline_seconds: Seconds<1, 10_000>,
    /// The most readings that wait for the broker; then the oldest are dropped.
    spool_readings: Count<1_000, 10_000_000>,
    /// The most readings of one message.
    message_readings: Count<1, 1_000>,
    /// The most messages on their way to the broker.
    in_flight_messages: Count<1, { MAX_IN_FLIGHT as u64 }>,
    /// Keep readings whose message the broker took but had no subscriber for. `false` for a broker that passes messages
    /// on without a subscription (rules, bridges).
    require_subscriber: bool,
    /// A silent connection is probed this often; the broker calls the device offline after one and a half times as long.
    keep_alive_seconds: Seconds<5_000, 3_600_000>,
    /// For how long the broker keeps commands for this device while it is away.
    session_expiry_seconds: Seconds<0, 2_592_000_000>,
    /// How often the health report is sent.
    health_interval_seconds: Seconds<1_000, 3_600_000>,
    /// For how long a service that is asked to finish tries to deliver what is spooled.
    drain_seconds: Seconds<0, 60_000>,
    /// The LED (a folder of `/sys/class/leds`) that `identify` blinks; empty: none.
    identify_led: String,
}

impl Default for Uplink {
    fn default() -> Self {
        Self {
            poll_interval_seconds: Seconds::of(1.0),
            linger_seconds: Seconds::of(0.02),
            batch_readings: Count::of(500),
            wasm_deadline_seconds: Seconds::of(0.25),
            ml_deadline_seconds: Seconds::of(0.5),
            spool_readings: Count::of(100_000),
            message_readings: Count::of(200),
            in_flight_messages: Count::of(16),
            require_subscriber: true,
            keep_alive_seconds: Seconds::of(30.0),
            session_expiry_seconds: Seconds::of(86_400.0),
            health_interval_seconds: Seconds::of(30.0),
            drain_seconds: Seconds::of(8.0),
            identify_led: String::new(),
        }
    }
}

/// What the service works with.
#[derive(Debug, Clone)]
pub struct Settings {
    /// This device.
    pub device: DeviceId,
    /// The broker.
    pub broker: Broker,
    /// Its and our certificates.
    pub identity: Identity,
    /// The pull loop.
    pub pull: Pull,
    /// The link to the broker.
    pub link: Link,
    /// The most readings in the spool.
    pub spool_readings: usize,
    /// How often the health report is sent.
    pub health_interval: Duration,
    /// The LED that `identify` blinks.
    pub identify_led: Option<String>,
}

/// Where the broker is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broker {
    /// Its name, which its certificate must bear.
    pub host: String,
    /// Its TLS port.
    pub port: u16,
}

impl fmt::Display for Broker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

/// Where the files are that broker and device prove themselves by, all PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The authority that signed the broker's certificate.
    pub ca_cert: PathBuf,
    /// This device's certificate (with intermediate ones, if any).
    pub client_cert: PathBuf,
    /// Its private key.
    pub client_key: PathBuf,
}

/// The pull loop's part.
#[derive(Debug, Clone, Copy)]
pub struct Pull {
    /// Readings are looked for at least this often.
    pub poll_interval: Duration,
    /// Readings are collected for this long after a hint.
    pub linger: Duration,
    /// The most readings of one batch.
    pub batch_readings: u32,
    /// How long the edge scripts may take for a batch.
    pub wasm_deadline: Duration,
    /// How long the model may take for a batch.
    pub ml_deadline: Duration,
}

/// The link's part.
#[derive(Debug, Clone, Copy)]
pub struct Link {
    /// The most readings of one message.
    pub message_readings: usize,
    /// The most messages on their way.
    pub in_flight_messages: u16,
    /// Keep readings that had no subscriber.
    pub require_subscriber: bool,
    /// MQTT's keep alive.
    pub keep_alive: Duration,
    /// MQTT's session expiry interval, in seconds.
    pub session_expiry_seconds: u32,
    /// For how long to drain.
    pub drain: Duration,
}

impl TryFrom<Config> for Settings {
    type Error = ConfigError;

    /// # Errors
    /// When the device's identity is missing or invalid, or the broker can't be addressed.
    fn try_from(Config { device, mqtt, uplink }: Config) -> Result<Self, ConfigError> {
        Ok(Self {
            device: device_id(device)?,
            broker: broker(mqtt.host, mqtt.port)?,
            identity: Identity { ca_cert: mqtt.ca_cert, client_cert: mqtt.client_cert, client_key: mqtt.client_key },
            pull: Pull {
                poll_interval: uplink.poll_interval_seconds.duration(),
                linger: uplink.linger_seconds.duration(),
                batch_readings: uplink.batch_readings.narrow(),
                wasm_deadline: uplink.wasm_deadline_seconds.duration(),
                ml_deadline: uplink.ml_deadline_seconds.duration(),
            },
            link: Link {
                message_readings: uplink.message_readings.narrow(),
                in_flight_messages: uplink.in_flight_messages.narrow(),
                require_subscriber: uplink.require_subscriber,
                keep_alive: uplink.keep_alive_seconds.duration(),
                session_expiry_seconds: uplink.session_expiry_seconds.whole(),
                drain: uplink.drain_seconds.duration(),
            },
            spool_readings: uplink.spool_readings.narrow(),
            health_interval: uplink.health_interval_seconds.duration(),
            identify_led: Some(uplink.identify_led).filter(|name| !name.is_empty()),
        })
    }
}

fn device_id(device: Device) -> Result<DeviceId, ConfigError> {
    let id = device.id.ok_or_else(|| ConfigError::Missing {
        key: "device.id".to_owned(),
        places: "the configuration folders, environment variable DEVICE_ID".to_owned(),
    })?;
    id.parse().map_err(|error| refused("device.id", format!("(DEVICE_ID) {error}"), id))
}

/// The MQTT client joins host and port by a colon and takes no brackets, so it can't be given an IPv6 address.
fn broker(host: String, port: u16) -> Result<Broker, ConfigError> {
    if host.contains(':') {
        let rule = "(MQTT_BROKER_HOST) expected a host name or an IPv4 address; give an IPv6 broker a name";
        return Err(refused("mqtt.host", rule.to_owned(), host));
    }
    Ok(Broker { host, port })
}

fn refused(key: &str, message: String, found: String) -> ConfigError {
    ConfigError::Refused { origin: Origin::Merged, key: key.to_owned(), message, found: format!("{found:?}") }
}

#[cfg(test)]
mod tests;
