//! Releases: signed RAUC bundles that devices can be updated to.
//!
//! An upload ([`Bundles::upload`]) is streamed to disk, read and verified by RAUC itself ([`Inspector`]), kept under a key
//! of our own and only then registered. No name from outside ever becomes a file's.

mod inspect;
mod place;
mod storage;
pub(crate) mod store;
mod upload;

pub use inspect::{InspectError, Inspector};
pub use place::Place;
pub use storage::{Bundles, Content, Settings, StorageError};
pub use upload::{UploadError, Uploaded};

use crate::time::Time;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

/// A release as the API and the pages show it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Release {
    /// Names it; hawkBit's software module id.
    pub id: i64,
    /// Which devices can take it: RAUC's `compatible`.
    pub compatible: String,
    /// Its version.
    pub version: String,
    /// Which build it is.
    pub build: Option<String>,
    /// What it is, for people.
    pub description: Option<String>,
    /// RAUC's bundle format, `verity` or `crypt`.
    pub format: String,
    /// The subject of the certificate that signed it.
    pub signer: String,
    /// What is in it.
    pub images: Vec<Image>,
    /// The bundle's size.
    pub size_bytes: i64,
    /// The bundle's SHA-256, hexadecimal.
    pub sha256: String,
    /// Its SHA-1, which hawkBit clients compare; not for security.
    #[serde(skip)]
    pub sha1: String,
    /// Its MD5, for the same.
    #[serde(skip)]
    pub md5: String,
    /// The bundle's key in the storage.
    #[serde(skip)]
    pub key: Uuid,
    /// When it was uploaded.
    pub created_at: Time,
}

impl Release {
    /// The name by which devices fetch the bundle.
    pub fn file_name(&self) -> String {
        format!("release-{}.raucb", self.id)
    }
}

/// An image in a bundle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Image {
    /// The class of the slot, or the name of the artifact repository, that it is for.
    pub name: String,
    /// Its name in the bundle.
    pub filename: Option<String>,
    /// Its SHA-256, hexadecimal.
    pub sha256: Option<String>,
    /// Its size.
    pub size_bytes: Option<i64>,
    /// The artifact, where it is for an artifact repository.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact: Option<String>,
}

/// What a bundle says of itself, as verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// RAUC's `compatible`.
    pub compatible: String,
    /// Its version.
    pub version: String,
    /// Which build it is.
    pub build: Option<String>,
    /// What it is, for people.
    pub description: Option<String>,
    /// The bundle format.
    pub format: String,
    /// The subject of the certificate that signed it.
    pub signer: String,
    /// What is in it.
    pub images: Vec<Image>,
}
