//! Where the settings are read from, and where those that come over the bus are kept.

use crate::settings::{InvalidSettings, Settings};
use microkernel_daemon::config::{ConfigError, Layers, Loaded};
use microkernel_daemon::replace_file;
use serde::{Deserialize, Serialize};
use std::io;
use std::path::PathBuf;

/// The files of the service.
///
/// Above the layers of the device lies the service's own: one file, which [`ConfigFiles::apply`] replaces.
#[derive(Debug, Clone)]
pub struct ConfigFiles {
    layers: Layers,
    state_dir: PathBuf,
}

/// The sections that this service uses.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Config {
    #[serde(default)]
    sensor: Settings,
}

/// Why settings were not applied. Those in force stay in force.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// They are wrong by themselves or together with the layers below.
    #[error(transparent)]
    Invalid(#[from] ConfigError),
    /// They configure something else too.
    #[error("[{0}]: expected only the section [sensor]; apply other sections to their own service")]
    ForeignSection(String),
    /// They could not be kept.
    #[error("write {}: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl ConfigFiles {
    /// The device's layers, and the folder below which this service keeps state.
    pub fn new(layers: Layers, state_dir: impl Into<PathBuf>) -> Self {
        Self { layers, state_dir: state_dir.into() }
    }

    /// Reads the settings without falling back to anything.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn check(&self) -> Result<Settings, ConfigError> {
        load(&self.all_layers())
    }

    /// Reads the settings; when they are wrong, the last good ones with what is wrong.
    ///
    /// # Errors
    /// What is wrong, when there are no last good ones.
    pub fn load(&self) -> Result<Loaded<Settings>, ConfigError> {
        let layers = self.all_layers();
        let loaded = layers
            .load_with_last_good::<Config>(&self.state_dir.join("last-good.toml"))
            .map_err(|error| name_the_key(error, &layers))?;
        let problem = loaded.problem.map(|problem| name_the_key(problem, &layers));
        Ok(Loaded { value: loaded.value.sensor, problem })
    }

    /// Checks `toml` in the place of the service's own layer, keeps it there, and reads the settings anew.
    ///
    /// # Errors
    /// What is wrong with it; then nothing was changed.
    pub fn apply(&self, toml: &str) -> Result<Loaded<Settings>, ApplyError> {
        load(&self.layers.clone().with_text("the configuration given", toml))?;
        let sections = toml.parse::<toml::Table>().unwrap_or_default();
        if let Some(section) = sections.keys().find(|section| *section != "sensor") {
            return Err(ApplyError::ForeignSection(section.clone()));
        }
        let path = self.own_dir().join("applied.toml");
        replace_file(&path, toml.as_bytes(), 0o600).map_err(|source| ApplyError::Write { path, source })?;
        Ok(self.load()?)
    }

    fn all_layers(&self) -> Layers {
        self.layers.clone().with_dir(self.own_dir())
    }

    fn own_dir(&self) -> PathBuf {
        self.state_dir.join("config.d")
    }
}

fn load(layers: &Layers) -> Result<Settings, ConfigError> {
    layers.load::<Config>().map(|config| config.sensor).map_err(|error| name_the_key(error, layers))
}

/// The section is parsed as a whole, so the layers see only that it was refused, and not for which key: this puts the
/// key, and the file that has it, into the error.
fn name_the_key(error: ConfigError, layers: &Layers) -> ConfigError {
    #[derive(Deserialize)]
    struct Unparsed {
        sensor: toml::Table,
    }
    if !matches!(error, ConfigError::Refused { .. }) {
        return error;
    }
    let Ok(Err(invalid)) = layers.load::<Unparsed>().map(|unparsed| Settings::try_from(unparsed.sensor)) else {
        return error;
    };
    let InvalidSettings { path, expected, found } = invalid;
    match layers.origin_of(&path) {
        Ok(origin) => ConfigError::InvalidValue { origin, key: path.join("."), expected, found },
        Err(_) => error,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::fs;

    const GOOD: &str = "[sensor.sensors.A]\ndriver = 'simulated'\n";

    fn files(text: &str) -> (tempfile::TempDir, ConfigFiles) {
        let folder = tempfile::tempdir().unwrap();
        let device = folder.path().join("device");
        fs::create_dir(&device).unwrap();
        fs::write(device.join("sensor.toml"), text).unwrap();
        let files = ConfigFiles::new(Layers::from_dirs([device]), folder.path().join("state"));
        (folder, files)
    }

    fn names(settings: &Settings) -> Vec<&str> {
        settings.sensors.keys().map(String::as_str).collect()
    }

    #[test]
    fn a_bad_file_leaves_the_last_good_settings_and_says_what_is_wrong() {
        let (folder, files) = files(GOOD);
        assert!(files.load().unwrap().problem.is_none());
        let path = folder.path().join("device/sensor.toml");
        fs::write(&path, "[sensor.sensors.A]\ndriver = 'lm75'\naddress = 0x10\n").unwrap();
        let loaded = files.load().unwrap();
        assert_eq!(names(&loaded.value), ["A"]);
        let problem = loaded.problem.unwrap().to_string();
        let expected = "device/sensor.toml:3:1: sensor.sensors.A.address: expected 0x48 to 0x4f for lm75, found 0x10; \
                        correct it there";
        assert!(problem.ends_with(expected), "{problem}");
    }

    #[test]
    fn a_fault_is_located_in_the_layer_that_has_it() {
        let (folder, files) = files(GOOD);
        files.apply("[sensor]\nring_capacity = 100\n[sensor.sensors.A]\ninterval_seconds = 0.5\n").unwrap();
        fs::write(folder.path().join("device/sensor.toml"), "[sensor.sensors.A]\ndriver = 'thermal'\n").unwrap();
        let problem = files.check().unwrap_err().to_string();
        assert!(problem.contains("sensor.sensors.A.zone: expected the zone's type"), "{problem}");
        fs::write(folder.path().join("device/sensor.toml"), "[sensor.sensors.A]\ndriver = 'simulation'\n").unwrap();
        let problem = files.check().unwrap_err().to_string();
        assert!(problem.contains("device/sensor.toml:2:1: sensor.sensors.A.driver"), "{problem}");
    }

    #[test]
    fn a_bad_file_without_last_good_settings_is_an_error() {
        let (_folder, files) = files("[sensor]\nring_capacity = 'many'\n");
        assert!(files.load().unwrap_err().to_string().contains("sensor.ring_capacity"));
    }

    #[test]
    fn applied_settings_are_kept_above_the_files_and_replace_those_applied_before() {
        let (_folder, files) = files(GOOD);
        let applied = files.apply("[sensor.sensors.B]\ndriver = 'simulated'\n").unwrap();
        assert_eq!(names(&applied.value), ["A", "B"]);
        let applied = files.apply("[sensor.sensors.A]\ninterval_seconds = 0.5\n").unwrap();
        assert_eq!(names(&applied.value), ["A"]);
        assert_eq!(files.load().unwrap().value.sensors["A"].interval.seconds(), 0.5);
        assert_eq!(names(&files.apply("").unwrap().value), ["A"]);
    }

    #[test]
    fn settings_that_are_wrong_change_nothing() {
        let (_folder, files) = files(GOOD);
        files.apply("[sensor.sensors.B]\ndriver = 'simulated'\n").unwrap();
        for (bad, text) in [
            ("[sensor.sensors.B]\ndriver = 'none'\n", "sensor.sensors.B.driver: expected one of lm75"),
            ("[sensor.sensors.A]\nadress = 1\n", "sensor.sensors.A.adress"),
            ("[uplink]\n", "[uplink]: expected only the section [sensor]"),
            ("[sensor", "the configuration given"),
        ] {
            let error = files.apply(bad).unwrap_err().to_string();
            assert!(error.contains(text), "{bad}: {error}");
            assert_eq!(names(&files.load().unwrap().value), ["A", "B"]);
        }
    }
}
