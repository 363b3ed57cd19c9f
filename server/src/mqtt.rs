//! The server's connections to the broker: address, what they have in common.

use crate::config::BrokerAddress;
use crate::tls::{TlsError, client_config};
use rumqttc::v5::{ConnectionError, MqttOptions, StateError};
use rumqttc::{TlsConfiguration, Transport};
use std::sync::Arc;
use std::time::Duration;

/// The broker is asked for a sign of life this often, and declared gone after as long again.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// TCP, TLS and the MQTT handshake together take no longer than this.
const CONNECT_SECONDS: u64 = 10;
/// Bounds of the pause before the next attempt to connect.
const RECONNECT: std::ops::RangeInclusive<Duration> = Duration::from_millis(250)..=Duration::from_secs(10);

/// What every connection has in common.
///
/// # Errors
/// A file for TLS can't be used.
pub(crate) fn options(broker: &BrokerAddress, client_id: &str) -> Result<MqttOptions, TlsError> {
    let mut options = MqttOptions::new(client_id, &broker.host, broker.port);
    options.set_keep_alive(KEEP_ALIVE);
    options.set_connection_timeout(CONNECT_SECONDS);
    if let Some(files) = &broker.tls {
        options.set_transport(Transport::tls_with_config(TlsConfiguration::Rustls(Arc::new(client_config(files)?))));
    }
    Ok(options)
}

/// Why a connection ended, with the remedy where the broker's reason has one.
pub(crate) fn explain(error: &ConnectionError) -> String {
    use rumqttc::v5::mqttbytes::v5::{ConnectReturnCode, DisconnectReasonCode};
    match error {
        ConnectionError::MqttState(StateError::ServerDisconnect {
            reason_code: DisconnectReasonCode::SessionTakenOver,
            ..
        }) => "another server connected with this server's client id: give each its own data folder".to_owned(),
        ConnectionError::ConnectionRefused(
            ConnectReturnCode::NotAuthorized | ConnectReturnCode::BadUserNamePassword,
        ) => "the broker refuses this server's certificate: check MQTT_CLIENT_CERT and the broker's access list"
            .to_owned(),
        other => other.to_string(),
    }
}

/// The pause before the next attempt to connect: doubles from 250 ms to 10 s, each shortened by up to half at random,
/// so that several servers don't come back all at once.
#[derive(Debug)]
pub(crate) struct Backoff(Duration);

impl Backoff {
    pub(crate) fn new() -> Self {
        Self(*RECONNECT.start())
    }

    /// The next pause.
    pub(crate) fn next(&mut self) -> Duration {
        let longest = self.0;
        self.0 = (longest * 2).min(*RECONNECT.end());
        let random = uuid::Uuid::new_v4().as_u128() as u8;
        longest - longest.mul_f64(f64::from(random) / 512.0)
    }

    /// Begins anew, after a success.
    pub(crate) fn reset(&mut self) {
        *self = Self::new();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pause_grows_to_its_limit_and_begins_anew() {
        let mut backoff = Backoff::new();
        let pauses: Vec<Duration> = (0..10).map(|_| backoff.next()).collect();
        assert!(pauses[0] <= *RECONNECT.start() && pauses[9] > *RECONNECT.end() / 3, "{pauses:?}");
        assert!(pauses.iter().all(|pause| pause <= RECONNECT.end()));
        backoff.reset();
        assert!(backoff.next() <= *RECONNECT.start());
    }
}
