//! What a sensor measures, and in which unit.

use std::fmt;
use std::str::FromStr;

/// A physical quantity. Each has one unit throughout the service; drivers convert what their chip delivers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Quantity {
    /// Temperature in °C.
    Temperature,
    /// Relative humidity in %.
    Humidity,
    /// Air pressure in hPa.
    Pressure,
    /// Motion: 1 while something moves, else 0.
    Motion,
    /// Illuminance in lx.
    Illuminance,
    /// Voltage in V.
    Voltage,
    /// Electric current in A.
    Current,
    /// Electric power in W.
    Power,
    /// Rotation of a fan in revolutions per minute.
    FanSpeed,
}

impl Quantity {
    /// All of them, in the order of their declaration.
    pub const ALL: [Self; 9] = [
        Self::Temperature,
        Self::Humidity,
        Self::Pressure,
        Self::Motion,
        Self::Illuminance,
        Self::Voltage,
        Self::Current,
        Self::Power,
        Self::FanSpeed,
    ];

    /// Its name in a configuration file.
    pub fn name(self) -> &'static str {
        match self {
            Self::Temperature => "temperature",
            Self::Humidity => "humidity",
            Self::Pressure => "pressure",
            Self::Motion => "motion",
            Self::Illuminance => "illuminance",
            Self::Voltage => "voltage",
            Self::Current => "current",
            Self::Power => "power",
            Self::FanSpeed => "fan-speed",
        }
    }

    /// Its unit, empty for a plain number.
    pub fn unit(self) -> &'static str {
        match self {
            Self::Temperature => "°C",
            Self::Humidity => "%",
            Self::Pressure => "hPa",
            Self::Motion => "",
            Self::Illuminance => "lx",
            Self::Voltage => "V",
            Self::Current => "A",
            Self::Power => "W",
            Self::FanSpeed => "rpm",
        }
    }

    /// Its place in [`Quantity::ALL`].
    pub(crate) fn index(self) -> usize {
        self as usize
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The text names no [`Quantity`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is no quantity")]
pub struct UnknownQuantity(String);

impl FromStr for Quantity {
    type Err = UnknownQuantity;
    fn from_str(text: &str) -> Result<Self, UnknownQuantity> {
        Self::ALL.into_iter().find(|quantity| quantity.name() == text).ok_or_else(|| UnknownQuantity(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn every_quantity_is_found_by_its_name_and_index() {
        for (index, quantity) in Quantity::ALL.into_iter().enumerate() {
            assert_eq!(quantity.name().parse::<Quantity>().unwrap(), quantity);
            assert_eq!(quantity.index(), index);
        }
    }
}
