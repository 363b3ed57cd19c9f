//! What can be wrong with the configuration. The texts are for the operator: where, what was expected, what was found,
//! what to do.

use super::{
    sections::SECTIONS,
    wording::{Hint, one_of},
};
use std::{fmt, io, path::PathBuf};

/// A place in the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// A file or another text; line and column count from 1.
    Text {
        /// The file's path, or what the text is.
        name: String,
        /// The line.
        line: usize,
        /// The column, in characters.
        column: usize,
    },
    /// An environment variable.
    Environment(&'static str),
    /// The merged whole.
    Merged,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text { name, line, column } => write!(f, "{name}:{line}:{column}"),
            Self::Environment(variable) => write!(f, "environment variable {variable}"),
            Self::Merged => f.write_str("configuration"),
        }
    }
}

/// Why the configuration was refused.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A file or folder is there but can't be read.
    #[error("{}: cannot be read: {source}; correct its permissions or remove it", path.display())]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A text is not TOML.
    #[error("{origin}: not valid TOML: {message}; correct it there")]
    Syntax {
        /// Where it stops to be.
        origin: Origin,
        /// What is wrong, in the words of the parser.
        message: String,
    },
    /// There is no such section.
    #[error("{origin}: unknown section [{section}]{}; expected {}; rename or remove it", Hint(nearest), one_of(&SECTIONS))]
    UnknownSection {
        /// Where it is.
        origin: Origin,
        /// Its name.
        section: String,
        /// The section that was probably meant.
        nearest: Option<&'static str>,
    },
    /// A section does not have such a key.
    #[error("{origin}: unknown key {key}{}; expected {}; rename or remove it", Hint(nearest), one_of(expected))]
    UnknownKey {
        /// Where it is.
        origin: Origin,
        /// The key with its path, for example `mqtt.prot`.
        key: String,
        /// The keys that there are.
        expected: &'static [&'static str],
        /// The key that was probably meant.
        nearest: Option<&'static str>,
    },
    /// A value is not what the key takes.
    #[error("{origin}: {key}: expected {expected}, found {found}; correct it there")]
    InvalidValue {
        /// Where it is.
        origin: Origin,
        /// The key with its path, for example `mqtt.port`.
        key: String,
        /// What it takes.
        expected: String,
        /// What it got.
        found: String,
    },
    /// A value breaks a rule that only the service knows.
    #[error("{origin}: {key}: {message}, found {found}; correct it there")]
    Refused {
        /// Where it is.
        origin: Origin,
        /// The key with its path, for example `sensor.sensors.Temperature`.
        key: String,
        /// The rule.
        message: String,
        /// What it got.
        found: String,
    },
    /// A key that must be there is not.
    #[error("{key} is missing: expected in one of {places}; add it there")]
    Missing {
        /// The key with its path, for example `mqtt.host`.
        key: String,
        /// Where it could be: folders, and an environment variable where there is one for it.
        places: String,
    },
}
