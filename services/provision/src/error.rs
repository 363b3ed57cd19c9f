//! What can be wrong with the settings, or on the way to the data partition.

use std::{io, path::PathBuf};

/// Why the settings were not taken over. Each says in which file, and what is expected instead.
#[derive(Debug, thiserror::Error)]
pub enum ProvisionError {
    /// A file that is there can't be read.
    #[error("{path}: {source}", path = path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// `microkernel.toml` is no TOML, or says something that is not known, or not right.
    #[error("{path}: {source}", path = path.display())]
    Toml {
        /// The file.
        path: PathBuf,
        /// With line, column and the line itself.
        source: Box<toml::de::Error>,
    },
    /// One of Raspberry Pi Imager's files can't be understood.
    #[error("{path}: {message}", path = path.display())]
    Yaml {
        /// The file.
        path: PathBuf,
        /// With line and column, as far as the parser knows them.
        message: String,
    },
    /// A file can't be written.
    #[error("{path} can't be written: {source}", path = path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}
