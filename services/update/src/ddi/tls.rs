//! TLS: rustls with ring, and one authority.

use super::{DdiError, client::Credentials};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem, pem::PemObject};
use std::{io, path::Path, sync::Arc};

/// What the server must show, and what the device shows. The files are read anew for each client: a renewed certificate
/// needs a reload, not a new configuration.
pub(super) fn client_config(ca_cert: &Path, credentials: &Credentials) -> Result<ClientConfig, DdiError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(ca_cert)? {
        roots
            .add(certificate)
            .map_err(|error| invalid(ca_cert, &format!("not an authority's certificate: {error}")))?;
    }
    let builder = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| DdiError::Setup(error.to_string()))?
        .with_root_certificates(roots);
    match credentials {
        Credentials::Certificate { cert, key } => {
            let private_key = PrivateKeyDer::from_pem_file(key)
                .map_err(|error| unreadable(key, error, "expected a private key, PEM"))?;
            builder
                .with_client_auth_cert(certificates(cert)?, private_key)
                .map_err(|error| invalid(cert, &format!("does not fit the key {}: {error}", key.display())))
        }
        Credentials::TargetToken(_) | Credentials::GatewayToken(_) => Ok(builder.with_no_client_auth()),
    }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, DdiError> {
    let expected = "expected a certificate, PEM";
    let certificates: Vec<_> = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect)
        .map_err(|error| unreadable(path, error, expected))?;
    if certificates.is_empty() {
        return Err(invalid(path, expected));
    }
    Ok(certificates)
}

fn unreadable(path: &Path, error: pem::Error, expected: &str) -> DdiError {
    match error {
        pem::Error::Io(error) => DdiError::identity(path, &error),
        pem::Error::NoItemsFound => invalid(path, expected),
        error => DdiError::identity(path, &io::Error::other(error.to_string())),
    }
}

fn invalid(path: &Path, problem: &str) -> DdiError {
    DdiError::Identity { path: path.to_owned(), problem: problem.to_owned() }
}
