//! Where configuration comes from, and how the layers become one value.

use super::{
    document::Document,
    environment::{self, Override},
    error::{ConfigError, Origin},
    merged::Merged,
};
use serde::de::DeserializeOwned;
use std::path::PathBuf;

/// The environment variable that replaces the three folders by others, separated by colons: for demos and tests.
pub const CONFIG_PATH_VARIABLE: &str = "MICROKERNEL_CONFIG_PATH";

const SYSTEM_DIRS: [&str; 3] =
    ["/usr/lib/microkernel/config.d", "/etc/microkernel/config.d", "/data/microkernel/config.d"];

/// Where configuration comes from, the weakest first: folders, texts, the environment.
#[derive(Debug, Clone, Default)]
pub struct Layers {
    dirs: Vec<PathBuf>,
    texts: Vec<(String, String)>,
    overrides: Vec<Override>,
}

impl Layers {
    /// The device's: its three folders, or those of `MICROKERNEL_CONFIG_PATH`, and the environment of this process.
    pub fn system() -> Self {
        let dirs: Vec<PathBuf> = match std::env::var_os(CONFIG_PATH_VARIABLE) {
            Some(paths) if !paths.is_empty() => std::env::split_paths(&paths).collect(),
            _ => SYSTEM_DIRS.map(PathBuf::from).into(),
        };
        Self::from_dirs(dirs).with_env(environment::of_this_process())
    }

    /// These folders, the weakest first, and no environment.
    pub fn from_dirs(dirs: impl IntoIterator<Item = impl Into<PathBuf>>) -> Self {
        Self { dirs: dirs.into_iter().map(Into::into).collect(), ..Self::default() }
    }

    /// And this folder above the others, for example the one where a service keeps what it was told over the bus.
    pub fn with_dir(mut self, dir: impl Into<PathBuf>) -> Self {
        self.dirs.push(dir.into());
        self
    }

    /// And this text above all folders, for example one that is yet to be kept; `name` says in errors what it is.
    pub fn with_text(mut self, name: impl Into<String>, toml: impl Into<String>) -> Self {
        self.texts.push((name.into(), toml.into()));
        self
    }

    /// And these environment variables (`DEVICE_ID`, `MQTT_…`; others are ignored, and so are empty ones) instead of
    /// those there were.
    pub fn with_env(mut self, variables: impl IntoIterator<Item = (String, String)>) -> Self {
        self.overrides = environment::overrides(variables);
        self
    }

    /// Reads and merges all layers. `T` names the sections it uses, for example
    /// `struct Config { device: Device, mqtt: Mqtt, uplink: Uplink }`, each with `#[serde(deny_unknown_fields)]`.
    ///
    /// # Errors
    /// The first thing that is wrong, in any file or for `T`.
    pub fn load<T: DeserializeOwned>(&self) -> Result<T, ConfigError> {
        Merged::new(&self.dirs, self.documents()?, &self.overrides).extract()
    }

    /// Where the value at `path` is from, as far as there is one: for a service that itself finds fault with a value.
    ///
    /// # Errors
    /// When the layers can't be read.
    pub fn origin_of(&self, path: &[String]) -> Result<Origin, ConfigError> {
        Ok(Merged::new(&self.dirs, self.documents()?, &self.overrides).origin(path))
    }

    fn documents(&self) -> Result<Vec<Document>, ConfigError> {
        let mut documents = Vec::new();
        for dir in &self.dirs {
            documents.extend(Document::read_dir(dir)?);
        }
        for (name, toml) in &self.texts {
            documents.push(Document::parse(name.clone(), toml.clone())?);
        }
        Ok(documents)
    }
}
