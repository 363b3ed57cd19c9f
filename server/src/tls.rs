//! TLS by rustls with the ring provider: as a client that proves who it is by a certificate (TLS 1.3 only), and as the
//! server that devices talk to.

use crate::config::TlsFiles;
use rustls::crypto::ring;
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Why TLS can't be set up.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file can't be read as PEM.
    #[error("{path} can't be read as {expected}: {cause}", path = .path.display())]
    Pem {
        /// The file.
        path: PathBuf,
        /// What it should hold.
        expected: &'static str,
        /// What is wrong.
        cause: rustls_pki_types::pem::Error,
    },
    /// The content is not usable.
    #[error("{path} can't be used: {cause}", path = .path.display())]
    Unusable {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        cause: rustls::Error,
    },
}

/// Makes the ring provider that of HTTP clients, which have none of their own.
pub(crate) fn install_provider() {
    // Another part of the program may have been first, with the same one.
    drop(ring::default_provider().install_default());
}

/// The configuration of a TLS client with these files.
///
/// # Errors
/// [`TlsError`] names the file.
pub fn client_config(files: &TlsFiles) -> Result<ClientConfig, TlsError> {
    let (roots, key) = (roots(files)?, key(files)?);
    ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(unusable(&files.ca_cert))?
        .with_root_certificates(roots)
        .with_client_auth_cert(certificates(&files.client_cert)?, key)
        .map_err(unusable(&files.client_cert))
}

/// The configuration of a TLS server with these files: clients may show a certificate of the CA, and none but such.
/// TLS 1.2, too, for devices that run since long.
///
/// # Errors
/// [`TlsError`] names the file.
pub fn server_config(files: &TlsFiles) -> Result<ServerConfig, TlsError> {
    let (roots, key) = (roots(files)?, key(files)?);
    let provider = Arc::new(ring::default_provider());
    let clients = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone())
        .allow_unauthenticated()
        .build()
        .map_err(|error| unusable(&files.ca_cert)(rustls::Error::General(error.to_string())))?;
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(unusable(&files.client_cert))?
        .with_client_cert_verifier(clients)
        .with_single_cert(certificates(&files.client_cert)?, key)
        .map_err(unusable(&files.client_cert))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

fn roots(files: &TlsFiles) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(&files.ca_cert)? {
        roots.add(certificate).map_err(unusable(&files.ca_cert))?;
    }
    Ok(roots)
}

fn key(files: &TlsFiles) -> Result<PrivateKeyDer<'static>, TlsError> {
    PrivateKeyDer::from_pem_file(&files.client_key).map_err(|cause| TlsError::Pem {
        path: files.client_key.clone(),
        expected: "a private key",
        cause,
    })
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    CertificateDer::pem_file_iter(path).and_then(Iterator::collect).map_err(|cause| TlsError::Pem {
        path: path.to_owned(),
        expected: "certificates",
        cause,
    })
}

fn unusable(path: &Path) -> impl FnOnce(rustls::Error) -> TlsError {
    let path = path.to_owned();
    move |cause| TlsError::Unusable { path, cause }
}
