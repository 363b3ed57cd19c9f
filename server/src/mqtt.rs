//! The server's connections to the broker: address, TLS, and what both of them have in common.

use crate::config::{BrokerAddress, TlsFiles};
use rumqttc::v5::{ConnectionError, MqttOptions, StateError};
use rumqttc::{TlsConfiguration, Transport};
use rustls::RootCertStore;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// The broker is asked for a sign of life this often, and declared gone after as long again.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// TCP, TLS and the MQTT handshake together take no longer than this.
const CONNECT_SECONDS: u64 = 10;
/// Bounds of the pause before the next attempt to connect.
const RECONNECT: std::ops::RangeInclusive<Duration> = Duration::from_millis(250)..=Duration::from_secs(10);

/// Why a connection can't be set up.
#[derive(Debug, thiserror::Error)]
pub enum MqttError {
    /// A PEM file can't be read, or is not what it should be.
    #[error("{path}: {reason}: expected {expected} in PEM form, readable by this process")]
    File {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
        /// What should be in it.
        expected: &'static str,
    },
    /// The files don't make a TLS client.
    #[error("{cert} and {key} can't be used for TLS: {source}")]
    Tls {
        /// The client certificate.
        cert: PathBuf,
        /// Its key.
        key: PathBuf,
        /// What rustls says.
        source: rustls::Error,
    },
}

/// What every connection has in common.
///
/// # Errors
/// A file for TLS can't be used.
pub(crate) fn options(broker: &BrokerAddress, client_id: &str) -> Result<MqttOptions, MqttError> {
    let mut options = MqttOptions::new(client_id, &broker.host, broker.port);
    options.set_keep_alive(KEEP_ALIVE);
    options.set_connection_timeout(CONNECT_SECONDS);
    if let Some(files) = &broker.tls {
        options.set_transport(Transport::tls_with_config(TlsConfiguration::Rustls(Arc::new(tls_client(files)?))));
    }
    Ok(options)
}

fn tls_client(files: &TlsFiles) -> Result<rustls::ClientConfig, MqttError> {
    let tls = |source| MqttError::Tls { cert: files.client_cert.clone(), key: files.client_key.clone(), source };
    let mut roots = RootCertStore::empty();
    for certificate in certificates(&files.ca_cert, "a CA certificate")? {
        roots.add(certificate).map_err(|error| file_error(&files.ca_cert, "a CA certificate", error))?;
    }
    let chain = certificates(&files.client_cert, "a client certificate")?;
    let key = PrivateKeyDer::from_pem_file(&files.client_key)
        .map_err(|error| file_error(&files.client_key, "a private key", error))?;
    rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(tls)?
        .with_root_certificates(roots)
        .with_client_auth_cert(chain, key)
        .map_err(tls)
}

fn certificates(path: &Path, expected: &'static str) -> Result<Vec<CertificateDer<'static>>, MqttError> {
    let certificates: Vec<_> = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect)
        .map_err(|error| file_error(path, expected, error))?;
    if certificates.is_empty() {
        return Err(file_error(path, expected, "it holds no certificate"));
    }
    Ok(certificates)
}

fn file_error(path: &Path, expected: &'static str, reason: impl ToString) -> MqttError {
    MqttError::File { path: path.to_owned(), reason: reason.to_string(), expected }
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
    #![allow(clippy::unwrap_used)]
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

    #[test]
    fn a_missing_file_is_named_with_what_was_expected() {
        let tls = TlsFiles {
            ca_cert: "/nowhere/ca.crt".into(),
            client_cert: "/nowhere/server.crt".into(),
            client_key: "/nowhere/server.key".into(),
        };
        let broker = BrokerAddress { host: "localhost".to_owned(), port: 8883, tls: Some(tls) };
        let error = options(&broker, "test").unwrap_err().to_string();
        assert!(error.contains("/nowhere/ca.crt") && error.contains("a CA certificate"), "{error}");
    }
}
