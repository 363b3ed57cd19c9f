//! TLS as a client that proves who it is by a certificate: rustls with the ring provider, TLS 1.3 only.

use crate::config::TlsFiles;
use rustls::crypto::ring;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Why a TLS client can't be set up.
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

/// The configuration of a TLS client with these files.
///
/// # Errors
/// [`TlsError`] names the file.
pub fn client_config(files: &TlsFiles) -> Result<ClientConfig, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(&files.ca_cert)? {
        roots.add(certificate).map_err(unusable(&files.ca_cert))?;
    }
    let key = PrivateKeyDer::from_pem_file(&files.client_key).map_err(|cause| TlsError::Pem {
        path: files.client_key.clone(),
        expected: "a private key",
        cause,
    })?;
    ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(unusable(&files.ca_cert))?
        .with_root_certificates(roots)
        .with_client_auth_cert(certificates(&files.client_cert)?, key)
        .map_err(unusable(&files.client_cert))
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
