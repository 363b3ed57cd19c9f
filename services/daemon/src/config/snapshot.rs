//! The last good configuration, which a service falls back to when the files are bad.

use super::{ConfigError, Layers};
use crate::replace_file;
use serde::{Serialize, de::DeserializeOwned};
use std::{fs, path::Path};

/// A configuration to go on with.
#[derive(Debug)]
pub struct Loaded<T> {
    /// What to use.
    pub value: T,
    /// Set when `value` is the last good configuration: what is wrong with the present one.
    pub problem: Option<ConfigError>,
}

const HEADER: &str = "# The last configuration that was good, kept by the service. Changes here are overwritten.\n";

impl Layers {
    /// [`Layers::load`], with the last good configuration to fall back to.
    ///
    /// What was loaded is kept in `snapshot` (replaced atomically, readable by its owner only, and only when it has
    /// changed). That it can't be kept is logged. The snapshot holds the environment's overrides of that time too.
    ///
    /// # Errors
    /// What is wrong with the configuration, when there is no snapshot that can be read as a `T`.
    pub fn load_with_last_good<T>(&self, snapshot: &Path) -> Result<Loaded<T>, ConfigError>
    where
        T: DeserializeOwned + Serialize,
    {
        match self.load::<T>() {
            Ok(value) => {
                if let Err(error) = keep(&value, snapshot) {
                    tracing::warn!("the configuration was not kept in {}: {error:#}", snapshot.display());
                }
                Ok(Loaded { value, problem: None })
            }
            Err(problem) => match recall(snapshot) {
                Ok(value) => Ok(Loaded { value, problem: Some(problem) }),
                Err(error) => {
                    tracing::warn!("no last good configuration in {}: {error:#}", snapshot.display());
                    Err(problem)
                }
            },
        }
    }
}

fn recall<T: DeserializeOwned>(snapshot: &Path) -> anyhow::Result<T> {
    Ok(toml::from_str(&fs::read_to_string(snapshot)?)?)
}

fn keep<T: Serialize>(value: &T, snapshot: &Path) -> anyhow::Result<()> {
    let text = format!("{HEADER}{}", toml::to_string(value)?);
    if fs::read_to_string(snapshot).is_ok_and(|kept| kept == text) {
        return Ok(());
    }
    Ok(replace_file(snapshot, text.as_bytes(), 0o600)?)
}
