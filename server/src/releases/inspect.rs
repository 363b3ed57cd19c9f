//! Reads and verifies a bundle by the installed `rauc` program, which judges as it does on the devices: signature,
//! purpose of the certificate, bundle format.
//!
//! The program reads bytes from outside, so it runs confined: without the server's environment, without the right to
//! gain others, with bounded memory, processor time and output files, and no longer than [`DEADLINE`].

use super::{Image, Manifest};
use serde::Deserialize;
use serde_json::{Map, Value};
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;
use tokio::process::Command;
use tokio::time::timeout;

/// How long the program may take; it reads the end of the bundle, not all of it.
const DEADLINE: Duration = Duration::from_secs(30);
/// Processor seconds, address space and file size that it may use.
const LIMITS: [&str; 3] = ["--cpu=20", "--as=1073741824", "--fsize=0"];
/// Characters of a text of the manifest that are kept.
const TEXT_CHARS: usize = 512;

/// Why a bundle is not taken.
#[derive(Debug, thiserror::Error)]
pub enum InspectError {
    /// Nothing says whose signature is valid.
    #[error("bundles can't be verified: there is no keyring {path}; put the certificate of the authority that signs bundles there, or name it by --bundle-keyring", path = .0.display())]
    NoKeyring(PathBuf),
    /// The program is not installed.
    #[error("bundles can't be verified: the program {0:?} can't be run ({1}); install it (Debian package rauc)")]
    NoProgram(PathBuf, io::Error),
    /// It took too long.
    #[error("rauc did not read the bundle within {} s", DEADLINE.as_secs())]
    Timeout,
    /// RAUC refuses the bundle.
    #[error("the bundle is refused: {0}")]
    Refused(String),
    /// A file for the program can't be written.
    #[error("{path} can't be written: {cause}", path = .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        cause: io::Error,
    },
}

/// What verifies bundles.
#[derive(Debug, Clone)]
pub struct Inspector {
    /// The program, or its name on the PATH.
    pub program: PathBuf,
    /// The certificates that signers descend from.
    pub keyring: PathBuf,
}

/// `rauc info --output-format=json`.
#[derive(Debug, Deserialize)]
struct Info {
    compatible: Option<String>,
    version: Option<String>,
    build: Option<String>,
    description: Option<String>,
    /// Only newer versions of RAUC tell.
    format: Option<String>,
    #[serde(default)]
    images: Vec<Map<String, Value>>,
}

impl Inspector {
    /// Reads and verifies the bundle in `bundle`. `scratch` is a folder of the server's own.
    ///
    /// # Errors
    /// [`InspectError`].
    pub async fn inspect(&self, bundle: &Path, scratch: &Path) -> Result<Manifest, InspectError> {
        if !self.keyring.is_file() {
            return Err(InspectError::NoKeyring(self.keyring.clone()));
        }
        let configuration = scratch.join("rauc.conf");
        let content = configuration_for(&self.keyring);
        crate::data_dir::write_at_once(&configuration, content.as_bytes(), 0o600)
            .map_err(|cause| InspectError::File { path: configuration.clone(), cause })?;
        let output = timeout(DEADLINE, self.command(&configuration, bundle).output());
        let output = output.await.map_err(|_| InspectError::Timeout)?;
        manifest(&output.map_err(|error| InspectError::NoProgram(self.program.clone(), error))?, &self.program)
    }

    fn command(&self, configuration: &Path, bundle: &Path) -> Command {
        let mut command = Command::new("prlimit");
        command.args(LIMITS).args(["--", "setpriv", "--no-new-privs", "--pdeathsig", "KILL", "--"]);
        command.arg(&self.program).arg("--conf").arg(configuration).args(["info", "--output-format=json"]).arg(bundle);
        command.env_clear().envs(std::env::var_os("PATH").map(|path| (OsString::from("PATH"), path)));
        command.env("LC_ALL", "C").current_dir("/").stdin(Stdio::null()).kill_on_drop(true);
        command
    }
}

/// RAUC's configuration: what it has to have, and what the devices' says of bundles.
fn configuration_for(keyring: &Path) -> String {
    format!(
        "[system]\ncompatible=any\nbootloader=noop\nbundle-formats=-plain\n\n\
         [keyring]\npath={}\ncheck-purpose=codesign\nuse-bundle-signing-time=true\n",
        keyring.display()
    )
}

fn manifest(output: &Output, program: &Path) -> Result<Manifest, InspectError> {
    let messages = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        // 127: the program that confines, setpriv, found no program to run.
        if output.status.code() == Some(127) {
            let cause = io::Error::new(io::ErrorKind::NotFound, last_words(&messages));
            return Err(InspectError::NoProgram(program.to_owned(), cause));
        }
        return Err(InspectError::Refused(last_words(&messages)));
    }
    let refused = |reason: String| InspectError::Refused(reason);
    let info: Info = serde_json::from_slice(&output.stdout)
        .map_err(|error| refused(format!("rauc's answer is not known: {error}")))?;
    let required = |name: &str, text: Option<String>| {
        text.map(|text| short(&text))
            .filter(|text| !text.is_empty())
            .ok_or_else(|| refused(format!("its manifest has no {name}: set {name}= in the section [update]")))
    };
    let signer =
        signer(&messages).ok_or_else(|| refused("rauc named no signer with an inline signature".to_owned()))?;
    Ok(Manifest {
        compatible: required("compatible", info.compatible)?,
        version: required("version", info.version)?,
        build: info.build.map(|text| short(&text)).filter(|text| !text.is_empty()),
        description: info.description.map(|text| short(&text)).filter(|text| !text.is_empty()),
        // `crypt` can't be read without a recipient's key, and `plain` has no inline signature.
        format: info.format.unwrap_or_else(|| "verity".to_owned()),
        signer,
        images: info.images.iter().flatten().map(|(name, image)| parse_image(name, image)).collect(),
    })
}

fn parse_image(name: &str, image: &Value) -> Image {
    let text = |key: &str| image[key].as_str().map(short).filter(|text| !text.is_empty());
    Image {
        name: short(name),
        filename: text("filename"),
        sha256: text("checksum"),
        size_bytes: image["size"].as_i64(),
        artifact: text("artifact"),
    }
}

/// The subject of the signer's certificate; the formats that devices take have an inline signature.
fn signer(messages: &str) -> Option<String> {
    let line = messages.lines().find_map(|line| line.split_once("Verified inline signature by '"))?.1;
    Some(short(line.strip_suffix('\'').unwrap_or(line)))
}

/// What RAUC says last of all that is not a progress message: its reason.
fn last_words(messages: &str) -> String {
    let reason = messages.lines().rev().find(|line| !line.trim().is_empty() && !line.starts_with("rauc-Message"));
    reason.map_or_else(|| "rauc gave no reason".to_owned(), |line| short(line.trim()))
}

/// Bounded, and fit for the database and a page.
fn short(text: &str) -> String {
    text.chars().filter(|char| !char.is_control()).take(TEXT_CHARS).collect()
}
