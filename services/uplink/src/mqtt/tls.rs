//! The TLS side of the connection: TLS 1.3 only, the broker checked against our CA, this device known by its
//! certificate.

use crate::settings::Identity;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use rustls::{ClientConfig, RootCertStore, crypto::ring, version::TLS13};
use rustls_pki_types::pem;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Why a device can't identify itself or check the broker: which file, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file can't be read.
    #[error("can't read {what} {path}: {source}; {remedy}", path = .path.display())]
    Read {
        /// What the file is.
        what: &'static str,
        /// Where it should be.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
        /// What to do.
        remedy: &'static str,
    },
    /// A file has no usable PEM section.
    #[error("{what} {path} is not usable: {reason}; expected PEM, as the CA issued it", path = .path.display())]
    Content {
        /// What the file is.
        what: &'static str,
        /// Where it is.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// Certificate and key don't belong together, or are of a kind that can't be used.
    #[error("certificate {cert} with key {key}: {source}; do the two belong together?", cert = .cert.display(), key = .key.display())]
    Identity {
        /// The certificate.
        cert: PathBuf,
        /// The key.
        key: PathBuf,
        /// What the TLS implementation said.
        source: rustls::Error,
    },
    /// The provider has no TLS 1.3. Can't happen with ring.
    #[error("TLS 1.3 is not available: {0}")]
    Version(rustls::Error),
}

const CA: &str = "the CA certificate (mqtt.ca_cert, MQTT_CA_CERT)";
const CERTIFICATE: &str = "the device's certificate (mqtt.client_cert, MQTT_CLIENT_CERT)";
const KEY: &str = "the device's key (mqtt.client_key, MQTT_CLIENT_KEY)";

/// Reads the files anew, so that a renewed certificate is used from the next connection on.
///
/// # Errors
/// [`TlsError`] names the file and the remedy.
pub fn client_config(identity: &Identity) -> Result<ClientConfig, TlsError> {
    let mut roots = RootCertStore::empty();
    for root in certificates(CA, &identity.ca_cert)? {
        roots.add(root).map_err(|error| content(CA, &identity.ca_cert, error))?;
    }
    let chain = certificates(CERTIFICATE, &identity.client_cert)?;
    let key = PrivateKeyDer::from_pem_slice(&read(KEY, &identity.client_key)?)
        .map_err(|error| content(KEY, &identity.client_key, error))?;
    ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[&TLS13])
        .map_err(TlsError::Version)?
        .with_root_certificates(roots)
        .with_client_auth_cert(chain, key)
        .map_err(|source| TlsError::Identity {
            cert: identity.client_cert.clone(),
            key: identity.client_key.clone(),
            source,
        })
}

fn certificates(what: &'static str, path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let pem = read(what, path)?;
    let all: Result<Vec<_>, pem::Error> = CertificateDer::pem_slice_iter(&pem).collect();
    match all {
        Ok(certificates) if certificates.is_empty() => Err(content(what, path, "no certificate in it")),
        Ok(certificates) => Ok(certificates),
        Err(error) => Err(content(what, path, error)),
    }
}

fn read(what: &'static str, path: &Path) -> Result<Vec<u8>, TlsError> {
    std::fs::read(path).map_err(|source| {
        let remedy = match source.kind() {
            std::io::ErrorKind::NotFound => "enrol the device, or correct the path; it is looked for again",
            std::io::ErrorKind::PermissionDenied => "let the user of this service read it",
            _ => "check the path and the file system",
        };
        TlsError::Read { what, path: path.to_owned(), source, remedy }
    })
}

fn content(what: &'static str, path: &Path, reason: impl ToString) -> TlsError {
    TlsError::Content { what, path: path.to_owned(), reason: reason.to_string() }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn identity(dir: &Path) -> Identity {
        let issued = rcgen::generate_simple_self_signed(["device-001".to_owned()]).unwrap();
        std::fs::write(dir.join("cert"), issued.cert.pem()).unwrap();
        std::fs::write(dir.join("key"), issued.signing_key.serialize_pem()).unwrap();
        Identity { ca_cert: dir.join("cert"), client_cert: dir.join("cert"), client_key: dir.join("key") }
    }

    /// Lets our client shake hands with a server that speaks these versions; the TLS version that they agreed upon.
    fn shake_hands(
        identity: &Identity,
        versions: &[&'static rustls::SupportedProtocolVersion],
    ) -> Result<Option<rustls::ProtocolVersion>, rustls::Error> {
        let chain = certificates(CERTIFICATE, &identity.client_cert).unwrap();
        let key = PrivateKeyDer::from_pem_file(&identity.client_key).unwrap();
        let server = rustls::ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(versions)
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .unwrap();
        let mut server = rustls::ServerConnection::new(Arc::new(server)).unwrap();
        let config = client_config(identity).unwrap();
        let mut client = rustls::ClientConnection::new(Arc::new(config), "device-001".try_into().unwrap()).unwrap();
        while client.is_handshaking() || server.is_handshaking() {
            let mut bytes = vec![];
            client.write_tls(&mut bytes).unwrap();
            server.read_tls(&mut bytes.as_slice()).unwrap();
            server.process_new_packets()?;
            let mut bytes = vec![];
            server.write_tls(&mut bytes).unwrap();
            client.read_tls(&mut bytes.as_slice()).unwrap();
            client.process_new_packets()?;
        }
        Ok(client.protocol_version())
    }

    #[test]
    fn only_tls_1_3_is_spoken() {
        let dir = tempfile::tempdir().unwrap();
        let identity = identity(dir.path());
        let version = shake_hands(&identity, rustls::ALL_VERSIONS);
        assert_eq!(version, Ok(Some(rustls::ProtocolVersion::TLSv1_3)));
        assert!(shake_hands(&identity, &[&rustls::version::TLS12]).is_err());
    }

    #[test]
    fn a_missing_file_is_named_with_its_setting_and_the_remedy() {
        let dir = tempfile::tempdir().unwrap();
        let identity = Identity { client_cert: dir.path().join("absent.crt"), ..identity(dir.path()) };
        let error = client_config(&identity).unwrap_err().to_string();
        for part in ["absent.crt", "MQTT_CLIENT_CERT", "enrol the device"] {
            assert!(error.contains(part), "{error} lacks {part}");
        }
    }

    #[test]
    fn a_file_without_a_certificate_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let identity = identity(dir.path());
        std::fs::write(dir.path().join("empty"), "").unwrap();
        let error = client_config(&Identity { ca_cert: dir.path().join("empty"), ..identity }).unwrap_err();
        assert!(error.to_string().contains("no certificate in it"), "{error}");
    }

    #[test]
    fn a_key_of_another_certificate_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let identity = identity(dir.path());
        std::fs::write(dir.path().join("key"), rcgen::KeyPair::generate().unwrap().serialize_pem()).unwrap();
        let error = client_config(&identity).unwrap_err();
        assert!(matches!(error, TlsError::Identity { .. }), "{error}");
    }
}
