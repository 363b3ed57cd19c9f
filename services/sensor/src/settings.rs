//! The service's settings: the `[sensor]` section of the configuration, parsed into what it means.
//!
//! A [`Settings`] value cannot be wrong: names, drivers, keys and ranges were checked, and no two drivers share an I2C
//! address. It serializes to the section it came from.

mod keys;
mod parse;
mod source;

pub use keys::InvalidSettings;
pub use source::Source;

use crate::quantity::Quantity;
use crate::schedule::Interval;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The name under which a configuration that was refused shows among the sensors' states; no sensor can have it.
pub const CONFIGURATION: &str = "configuration";

/// The `[sensor]` section.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "toml::Table", into = "toml::Table")]
pub struct Settings {
    /// How many readings the ring holds, 16 to 1,000,000.
    pub ring_capacity: usize,
    /// The sensors by name.
    pub sensors: BTreeMap<String, SensorSettings>,
    section: toml::Table,
}

/// One sensor.
#[derive(Debug, Clone, PartialEq)]
pub struct SensorSettings {
    /// Where its values come from.
    pub source: Source,
    /// Which of the source's quantities it is.
    pub quantity: Quantity,
    /// The unit its readings carry.
    pub unit: String,
    /// Its rate.
    pub interval: Interval,
}

impl Settings {
    /// How many readings the ring holds unless configured.
    pub const DEFAULT_RING_CAPACITY: usize = 65_536;
}

impl Default for Settings {
    /// No sensors.
    fn default() -> Self {
        Self { ring_capacity: Self::DEFAULT_RING_CAPACITY, sensors: BTreeMap::new(), section: toml::Table::new() }
    }
}

impl From<Settings> for toml::Table {
    fn from(settings: Settings) -> Self {
        settings.section
    }
}

impl TryFrom<toml::Table> for Settings {
    type Error = InvalidSettings;
    fn try_from(section: toml::Table) -> Result<Self, InvalidSettings> {
        parse::settings(section)
    }
}

#[cfg(test)]
mod tests;
