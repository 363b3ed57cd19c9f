//! The development CA, and the certificates made with it: the embedded broker's, the HTTPS listener's, the server's own
//! as a client of the broker, the devices'.
//!
//! Everything is ECDSA P-256. Keys are readable by their owner only. It is a development CA in that its key lies beside
//! the server; the profile of the certificates (RFC 5280) is that of a real one.

mod names;

pub use names::{PublicName, PublicNameError};

use crate::config::TlsFiles;
use crate::data_dir::{private_dir, write_at_once};
use microkernel_wire::DeviceId;
use names::{names_of, server_names};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    PublicKeyData as _, SerialNumber,
};
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use time::{Duration, OffsetDateTime};
use x509_parser::pem::Pem;

/// The common name of the server's own client certificate, and so its user name at the broker; no device may have it.
pub const SERVER_NAME: &str = "microkernel-server";
/// The name of the CA's own files.
const CA_NAME: &str = "ca";
/// The name of the broker's files.
const BROKER_NAME: &str = "broker";
/// The name of the files of the HTTPS listener.
const HTTPS_NAME: &str = "https";

const CA_VALID: Duration = Duration::days(3652);
const DEVICE_VALID: Duration = Duration::days(365);
/// The broker's and the server's own.
const OWN_VALID: Duration = Duration::days(3 * 365);
/// Own certificates are looked at when the server starts, and made anew when they end sooner than this: so long may a
/// server run without a restart.
const RENEW_BEFORE: Duration = Duration::days(2 * 365);
/// Certificates begin a little in the past: the clock of a device may be behind.
const CLOCK_SKEW: Duration = Duration::days(1);

const KEY_MODE: u32 = 0o600;
const CERTIFICATE_MODE: u32 = 0o644;

/// Why a certificate can't be made.
#[derive(Debug, thiserror::Error)]
pub enum PkiError {
    /// A file can't be read or written.
    #[error("{path}: {cause}", path = .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        cause: io::Error,
    },
    /// A file holds something else than expected.
    #[error("{path} is not {expected}: {reason}", path = .path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What it should hold.
        expected: &'static str,
        /// What is wrong.
        reason: String,
    },
    /// The CA's own certificate has ended.
    #[error("the development CA {path} has expired: remove its folder, restart the server and issue the devices' certificates again", path = .0.display())]
    Expired(PathBuf),
    /// The device must not have this identity.
    #[error("the device id {0:?} is refused: it is reserved for {1}; use another")]
    Reserved(String, &'static str),
    /// A file would be replaced.
    #[error("{path} exists; --force replaces it", path = .0.display())]
    Exists(PathBuf),
    /// The cryptography refused.
    #[error("the certificate of {name:?} could not be made: {cause}")]
    Sign {
        /// Its common name.
        name: String,
        /// Why.
        cause: rcgen::Error,
    },
}

/// What a certificate is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Purpose {
    /// TLS client.
    Client,
    /// TLS server with names of this machine, and those by which devices reach it.
    Server,
}

/// A certificate with its key, as PEM.
struct Credential {
    certificate: String,
    key: String,
}

/// The development CA.
pub struct Authority {
    dir: PathBuf,
    public_names: Vec<PublicName>,
    certificate: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    /// Opens the CA in `DATA/pki`, making it first if there is none. Several processes may do so at once.
    ///
    /// # Errors
    /// [`PkiError`] names the file.
    pub fn open_or_create(data_dir: &Path) -> Result<Self, PkiError> {
        let dir = data_dir.join("pki");
        private_dir(&dir).map_err(at(&dir))?;
        let lock_path = dir.join("lock");
        let lock = File::create(&lock_path).map_err(at(&lock_path))?;
        // Released when the file is closed, at the end of this function.
        lock.lock().map_err(at(&lock_path))?;

        if !certificate_path(&dir, CA_NAME).exists() {
            tracing::info!("creating the development CA in {} (first start) …", dir.display());
            store(&dir, CA_NAME, &new_ca()?)?;
        }
        Self::open(dir)
    }

    fn open(dir: PathBuf) -> Result<Self, PkiError> {
        let path = certificate_path(&dir, CA_NAME);
        let certificate = read(&path)?;
        let key = read_key(&key_path(&dir, CA_NAME))?;
        let not_a_ca = |reason: String| PkiError::Content { path: path.clone(), expected: "a CA certificate", reason };
        let pem = parse_pem(&path, &certificate)?;
        let parsed = pem.parse_x509().map_err(|error| not_a_ca(error.to_string()))?;
        if parsed.validity().not_after.to_datetime() < OffsetDateTime::now_utc() {
            return Err(PkiError::Expired(path));
        }
        if parsed.public_key().raw != key.subject_public_key_info() {
            return Err(not_a_ca(format!("the key beside it, {CA_NAME}.key, is not its own")));
        }
        let issuer = Issuer::from_ca_cert_pem(&certificate, key).map_err(|error| not_a_ca(error.to_string()))?;
        Ok(Self { dir, public_names: Vec::new(), certificate, issuer })
    }

    /// The same, with names and addresses that devices reach this server by: the certificates of the broker and of the
    /// HTTPS listener name them beside this machine's own.
    #[must_use]
    pub fn with_public_names(self, public_names: Vec<PublicName>) -> Self {
        Self { public_names, ..self }
    }

    /// The file of the CA's certificate.
    pub fn certificate_path(&self) -> PathBuf {
        certificate_path(&self.dir, CA_NAME)
    }

    /// The server's own files as a client of the broker, made or renewed if need be.
    ///
    /// # Errors
    /// [`PkiError`].
    pub fn server_client(&self) -> Result<TlsFiles, PkiError> {
        self.keep_valid(SERVER_NAME, SERVER_NAME, Purpose::Client)?;
        Ok(TlsFiles {
            ca_cert: self.certificate_path(),
            client_cert: certificate_path(&self.dir, SERVER_NAME),
            client_key: key_path(&self.dir, SERVER_NAME),
        })
    }

    /// The files of the HTTPS listener, made or renewed if need be: its own certificate, and the CA's, which devices'
    /// certificates must descend from.
    ///
    /// # Errors
    /// [`PkiError`].
    pub fn https_server(&self) -> Result<TlsFiles, PkiError> {
        self.keep_valid(HTTPS_NAME, "localhost", Purpose::Server)?;
        Ok(TlsFiles {
            ca_cert: self.certificate_path(),
            client_cert: certificate_path(&self.dir, HTTPS_NAME),
            client_key: key_path(&self.dir, HTTPS_NAME),
        })
    }

    /// Puts what the broker needs into `dir`: `ca.crt`, `broker.crt`, `broker.key`, made or renewed if need be.
    ///
    /// # Errors
    /// [`PkiError`].
    pub(crate) fn equip_broker(&self, dir: &Path) -> Result<(), PkiError> {
        self.keep_valid(BROKER_NAME, "localhost", Purpose::Server)?;
        let certificate = read(&certificate_path(&self.dir, BROKER_NAME))?;
        let key = read(&key_path(&self.dir, BROKER_NAME))?;
        store(dir, BROKER_NAME, &Credential { certificate, key })?;
        write(&certificate_path(dir, CA_NAME), &self.certificate, CERTIFICATE_MODE)
    }

    /// Issues a device's certificate: writes `ca.crt`, `ID.crt` and `ID.key` to `out`, which is made when missing.
    ///
    /// # Errors
    /// [`PkiError`]: a reserved id; a file that exists, unless `force`. Nothing is written then.
    pub fn issue_device(&self, id: &DeviceId, out: &Path, force: bool) -> Result<(), PkiError> {
        let name = id.as_str();
        match name {
            SERVER_NAME => return Err(PkiError::Reserved(name.to_owned(), "the server itself")),
            CA_NAME => return Err(PkiError::Reserved(name.to_owned(), "the CA, whose file has that name")),
            _ => {}
        }
        std::fs::create_dir_all(out).map_err(at(out))?;
        let ca_path = certificate_path(out, CA_NAME);
        if !force {
            let ca_differs = ca_path.exists() && read(&ca_path)? != self.certificate;
            let taken = [certificate_path(out, name), key_path(out, name)].into_iter().find(|path| path.exists());
            if let Some(path) = taken.or(ca_differs.then(|| ca_path.clone())) {
                return Err(PkiError::Exists(path));
            }
        }
        store(out, name, &self.sign(name, Purpose::Client, DEVICE_VALID)?)?;
        write(&ca_path, &self.certificate, CERTIFICATE_MODE)
    }

    /// Makes the certificate `file` with the common name `name` in the CA's folder unless there is one that serves on.
    fn keep_valid(&self, file: &str, name: &str, purpose: Purpose) -> Result<(), PkiError> {
        match self.obstacle(file, purpose) {
            None => Ok(()),
            Some(reason) => {
                tracing::info!("making the certificate {} ({reason})", certificate_path(&self.dir, file).display());
                store(&self.dir, file, &self.sign(name, purpose, OWN_VALID)?)
            }
        }
    }

    /// Why the certificate `file` does not serve on.
    fn obstacle(&self, file: &str, purpose: Purpose) -> Option<String> {
        let look = || -> Result<Option<String>, PkiError> {
            let path = certificate_path(&self.dir, file);
            let (pem, ca) = (parse_pem(&path, &read(&path)?)?, parse_pem(&path, &self.certificate)?);
            let content = |error: x509_parser::nom::Err<x509_parser::error::X509Error>| PkiError::Content {
                path: path.clone(),
                expected: "a certificate",
                reason: error.to_string(),
            };
            let (certificate, ca) = (pem.parse_x509().map_err(content)?, ca.parse_x509().map_err(content)?);
            let key = read_key(&key_path(&self.dir, file))?;
            Ok(if certificate.issuer().as_raw() != ca.subject().as_raw() {
                Some("the CA is another one".to_owned())
            } else if certificate.public_key().raw != key.subject_public_key_info() {
                Some("the key is another one".to_owned())
            } else if certificate.validity().not_after.to_datetime() < OffsetDateTime::now_utc() + RENEW_BEFORE {
                Some(format!("the old one ends on {}", certificate.validity().not_after))
            } else if purpose == Purpose::Server && names_of(&certificate) != server_names(&self.public_names) {
                Some("the names that this server is reached by have changed".to_owned())
            } else {
                None
            })
        };
        match look() {
            Ok(obstacle) => obstacle,
            Err(PkiError::File { cause, .. }) if cause.kind() == io::ErrorKind::NotFound => Some("new".to_owned()),
            Err(error) => Some(error.to_string()),
        }
    }

    fn sign(&self, name: &str, purpose: Purpose, valid: Duration) -> Result<Credential, PkiError> {
        let sign = || {
            let mut params = params(name, valid);
            params.use_authority_key_identifier_extension = true;
            params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
            match purpose {
                Purpose::Client => params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth],
                Purpose::Server => {
                    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
                    params.subject_alt_names =
                        CertificateParams::new(server_names(&self.public_names))?.subject_alt_names;
                }
            }
            let key = new_key()?;
            let certificate = params.signed_by(&key, &self.issuer)?;
            Ok(Credential { certificate: certificate.pem(), key: key.serialize_pem() })
        };
        sign().map_err(|cause| PkiError::Sign { name: name.to_owned(), cause })
    }
}

fn new_ca() -> Result<Credential, PkiError> {
    // A name of its own for each, so that a certificate tells which CA it is of.
    let serial = random_serial();
    let name = format!("Microkernel development CA {:02x}{:02x}{:02x}", serial[13], serial[14], serial[15]);
    let make = || {
        let mut params = params(&name, CA_VALID);
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = new_key()?;
        let certificate = params.self_signed(&key)?;
        Ok(Credential { certificate: certificate.pem(), key: key.serialize_pem() })
    };
    make().map_err(|cause| PkiError::Sign { name: name.clone(), cause })
}

fn params(name: &str, valid: Duration) -> CertificateParams {
    let now = OffsetDateTime::now_utc();
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.not_before = now - CLOCK_SKEW;
    params.not_after = now + valid;
    params.serial_number = Some(SerialNumber::from_slice(&random_serial()));
    params
}

fn new_key() -> Result<KeyPair, rcgen::Error> {
    KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256)
}

/// 16 bytes, 120 of their bits random: positive and without leading zeros (RFC 5280, 4.1.2.2).
fn random_serial() -> [u8; 16] {
    let mut bytes = uuid::Uuid::new_v4().into_bytes();
    bytes[0] = bytes[0] & 0x7f | 0x40;
    bytes
}

fn certificate_path(dir: &Path, name: &str) -> PathBuf {
    dir.join(format!("{name}.crt"))
}

fn key_path(dir: &Path, name: &str) -> PathBuf {
    dir.join(format!("{name}.key"))
}

/// Writes the key before the certificate: whoever finds a certificate finds its key.
fn store(dir: &Path, name: &str, credential: &Credential) -> Result<(), PkiError> {
    write(&key_path(dir, name), &credential.key, KEY_MODE)?;
    write(&certificate_path(dir, name), &credential.certificate, CERTIFICATE_MODE)
}

fn write(path: &Path, content: &str, mode: u32) -> Result<(), PkiError> {
    write_at_once(path, content.as_bytes(), mode).map_err(at(path))
}

fn read(path: &Path) -> Result<String, PkiError> {
    std::fs::read_to_string(path).map_err(at(path))
}

fn read_key(path: &Path) -> Result<KeyPair, PkiError> {
    KeyPair::from_pem(&read(path)?).map_err(|error| PkiError::Content {
        path: path.to_owned(),
        expected: "a private key in PEM form",
        reason: error.to_string(),
    })
}

fn parse_pem(path: &Path, text: &str) -> Result<Pem, PkiError> {
    let wrong =
        |reason: String| PkiError::Content { path: path.to_owned(), expected: "a certificate in PEM form", reason };
    Pem::iter_from_buffer(text.as_bytes())
        .next()
        .ok_or_else(|| wrong("it holds none".to_owned()))?
        .map_err(|error| wrong(error.to_string()))
}

/// Names the file in an error.
fn at(path: &Path) -> impl FnOnce(io::Error) -> PkiError {
    let path = path.to_owned();
    move |cause| PkiError::File { path, cause }
}

#[cfg(test)]
mod tests;
