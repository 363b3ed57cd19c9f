//! Why there is no connection: the reason in plain words, and what to do about it.

use super::tls::TlsError;
use super::tracker::Unmatched;
use crate::spool::SpoolError;
use rumqttc::v5::mqttbytes::Error as PacketError;
use rumqttc::v5::mqttbytes::v5::{ConnectReturnCode, DisconnectReasonCode};
use rumqttc::v5::{ConnectionError, StateError, TlsError as TransportError};
use rustls::{AlertDescription, CertificateError};
use std::error::Error;
use std::fmt;
use std::io;

/// Why a connection could not be made, or ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Failure {
    /// What happened.
    pub(super) reason: String,
    /// What to do; empty where there is nothing to do but wait.
    pub(super) remedy: &'static str,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)?;
        if self.remedy.is_empty() { Ok(()) } else { write!(f, "; {}", self.remedy) }
    }
}

impl Failure {
    pub(super) fn new(reason: impl Into<String>, remedy: &'static str) -> Self {
        Self { reason: reason.into(), remedy }
    }

    /// Nothing came for longer than the keep alive allows.
    pub(super) fn silent() -> Self {
        Self::new("the broker has fallen silent", "check the network between device and broker")
    }
}

impl From<TlsError> for Failure {
    fn from(error: TlsError) -> Self {
        Self::new(error.to_string(), "")
    }
}

impl From<Unmatched> for Failure {
    fn from(error: Unmatched) -> Self {
        Self::new(format!("the broker broke the protocol: {error}"), "")
    }
}

impl From<SpoolError> for Failure {
    fn from(error: SpoolError) -> Self {
        Self::new(format!("the spool failed: {error}"), "")
    }
}

impl From<&ConnectionError> for Failure {
    fn from(error: &ConnectionError) -> Self {
        match error {
            ConnectionError::ConnectionRefused(code) => refused(*code),
            ConnectionError::Timeout(_) => {
                Self::new("the broker did not answer in time", "check the network, the address and the firewall")
            }
            ConnectionError::MqttState(StateError::ServerDisconnect { reason_code, reason_string }) => {
                disconnected(*reason_code, reason_string.as_deref())
            }
            ConnectionError::MqttState(StateError::ConnectionAborted) => closed(),
            ConnectionError::MqttState(StateError::AwaitPingResp) => Self::silent(),
            ConnectionError::MqttState(StateError::Deserialization(PacketError::Io(error)))
            | ConnectionError::MqttState(StateError::Io(error))
            | ConnectionError::Tls(TransportError::Io(error))
            | ConnectionError::Io(error) => transport(error),
            ConnectionError::Tls(TransportError::TLS(error)) => tls(error),
            other => Self::new(with_causes(other), ""),
        }
    }
}

/// The reason code of an acknowledgement that the client library does not know, so that it gave up the connection.
/// Brokers do send such: mosquitto answers a message above its `message_size_limit` with 0x95.
pub(super) fn undecodable_reason(error: &ConnectionError) -> Option<u8> {
    match error {
        ConnectionError::MqttState(StateError::Deserialization(
            PacketError::InvalidConnectReturnCode(code) | PacketError::InvalidReason(code),
        )) => Some(*code),
        _ => None,
    }
}

const RENEW: &str = "renew the device's certificate (mqtt.client_cert)";
const CLOCK: &str = "check the device's clock";
const ACCESS: &str =
    "allow this device on the broker: its certificate's common name and its client id must be its device id";

fn transport(error: &io::Error) -> Failure {
    if let Some(error) = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        return tls(error);
    }
    match error.kind() {
        io::ErrorKind::ConnectionRefused => Failure::new(
            "connection refused: nothing listens there",
            "start the broker, or correct mqtt.host and mqtt.port",
        ),
        io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe | io::ErrorKind::UnexpectedEof => closed(),
        io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => {
            Failure::new(error.to_string(), "check the device's network")
        }
        // tokio and the resolver have no kind of their own for it.
        _ if error.to_string().contains("failed to lookup address") => Failure::new(
            format!("the broker's name can't be resolved ({error})"),
            "check mqtt.host and the device's DNS",
        ),
        _ => Failure::new(with_causes(error), ""),
    }
}

fn tls(error: &rustls::Error) -> Failure {
    let invalid = |what: &str, remedy| Failure::new(format!("the broker's certificate {what}"), remedy);
    let rejected =
        |what: &str, remedy| Failure::new(format!("the broker rejects this device's certificate: {what}"), remedy);
    match error {
        rustls::Error::InvalidCertificate(reason) => match reason {
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                invalid("has expired", "renew it; if it has not expired, check the device's clock")
            }
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                invalid("is not valid yet", CLOCK)
            }
            CertificateError::UnknownIssuer => {
                invalid("was signed by an unknown authority", "check mqtt.ca_cert, or whether this is the right broker")
            }
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                invalid("is for another name", "set mqtt.host to a name in the certificate")
            }
            other => invalid(&format!("is not acceptable: {other}"), ""),
        },
        rustls::Error::AlertReceived(alert) => match alert {
            AlertDescription::CertificateExpired => rejected("it has expired", RENEW),
            AlertDescription::CertificateRevoked => rejected("it was revoked", RENEW),
            AlertDescription::UnknownCA => rejected(
                "it was signed by an authority the broker does not know",
                "enrol the device with this broker's CA",
            ),
            AlertDescription::BadCertificate | AlertDescription::CertificateUnknown => {
                rejected("it is not acceptable", RENEW)
            }
            AlertDescription::CertificateRequired => {
                rejected("none was sent", "set mqtt.client_cert and mqtt.client_key")
            }
            AlertDescription::ProtocolVersion => {
                Failure::new("the broker does not speak TLS 1.3", "enable TLS 1.3 there")
            }
            other => Failure::new(format!("the broker ended the TLS handshake: {other:?}"), "see the broker's log"),
        },
        rustls::Error::PeerIncompatible(reason) => {
            Failure::new(format!("the broker does not speak TLS 1.3 as required: {reason:?}"), "enable TLS 1.3 there")
        }
        rustls::Error::InvalidMessage(_) => {
            Failure::new("what answers there does not speak TLS", "correct mqtt.port (usually 8883)")
        }
        other => Failure::new(format!("TLS: {other}"), ""),
    }
}

fn refused(code: ConnectReturnCode) -> Failure {
    let reason = format!("the broker refused the connection: {code:?}");
    match code {
        ConnectReturnCode::NotAuthorized
        | ConnectReturnCode::BadUserNamePassword
        | ConnectReturnCode::Banned
        | ConnectReturnCode::ClientIdentifierNotValid
        | ConnectReturnCode::BadClientId => Failure::new(reason, ACCESS),
        ConnectReturnCode::UnsupportedProtocolVersion | ConnectReturnCode::RefusedProtocolVersion => {
            Failure::new(reason, "use a broker that speaks MQTT 5")
        }
        _ => Failure::new(reason, ""),
    }
}

fn disconnected(code: DisconnectReasonCode, text: Option<&str>) -> Failure {
    let text = text.map(|text| format!(" ({text})")).unwrap_or_default();
    let reason = format!("the broker ended the connection: {code:?}{text}");
    match code {
        DisconnectReasonCode::SessionTakenOver => {
            Failure::new(reason, "another client uses this device's id: give every device its own")
        }
        DisconnectReasonCode::NotAuthorized => Failure::new(reason, ACCESS),
        _ => Failure::new(reason, ""),
    }
}

fn closed() -> Failure {
    Failure::new("the broker closed the connection", "")
}

fn with_causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn explain(error: ConnectionError) -> String {
        Failure::from(&error).to_string()
    }

    fn over_tls(error: rustls::Error) -> ConnectionError {
        // As tokio-rustls hands it over.
        ConnectionError::Tls(TransportError::Io(io::Error::new(io::ErrorKind::InvalidData, error)))
    }

    #[test]
    fn certificates_are_explained_whoever_rejects_them() {
        let unknown = explain(over_tls(rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer)));
        assert!(unknown.contains("unknown authority") && unknown.contains("mqtt.ca_cert"), "{unknown}");
        let early = explain(over_tls(rustls::Error::InvalidCertificate(CertificateError::NotValidYet)));
        assert!(early.contains("clock"), "{early}");
        // In TLS 1.3 the client has finished its handshake when the broker rejects it: the alert comes while reading.
        let alert = rustls::Error::AlertReceived(AlertDescription::CertificateExpired);
        let expired = StateError::Deserialization(PacketError::Io(io::Error::new(io::ErrorKind::InvalidData, alert)));
        let expired = explain(ConnectionError::MqttState(expired));
        assert!(expired.contains("it has expired; renew the device's certificate"), "{expired}");
    }

    #[test]
    fn the_network_is_explained() {
        let refused = explain(ConnectionError::Io(io::ErrorKind::ConnectionRefused.into()));
        assert!(refused.contains("nothing listens there; start the broker"), "{refused}");
        let dns = io::Error::other("failed to lookup address information: Name or service not known");
        assert!(explain(ConnectionError::Io(dns)).contains("DNS"));
    }

    #[test]
    fn a_refusal_by_the_broker_says_what_to_allow() {
        let refused = explain(ConnectionError::ConnectionRefused(ConnectReturnCode::NotAuthorized));
        assert!(refused.contains("common name"), "{refused}");
        let taken =
            StateError::ServerDisconnect { reason_code: DisconnectReasonCode::SessionTakenOver, reason_string: None };
        assert!(explain(ConnectionError::MqttState(taken)).contains("another client uses this device's id"));
    }
}
