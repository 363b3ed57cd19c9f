//! The drivers there are, by the names a configuration uses.

use crate::quantity::Quantity;
use std::ops::RangeInclusive;

/// A chip on an I2C bus.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum I2cChip {
    /// LM75 and compatible.
    Lm75,
    /// TMP105.
    Tmp105,
    /// SHT30, SHT31, SHT35.
    Sht3x,
    /// BME280.
    Bme280,
    /// HTS221.
    Hts221,
}

impl I2cChip {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Lm75, Self::Tmp105, Self::Sht3x, Self::Bme280, Self::Hts221];

    /// The driver's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Lm75 => "lm75",
            Self::Tmp105 => "tmp105",
            Self::Sht3x => "sht3x",
            Self::Bme280 => "bme280",
            Self::Hts221 => "hts221",
        }
    }

    /// The addresses its pins can select; the first is the default.
    pub fn addresses(self) -> RangeInclusive<u8> {
        match self {
            Self::Lm75 | Self::Tmp105 => 0x48..=0x4F,
            Self::Sht3x => 0x44..=0x45,
            Self::Bme280 => 0x76..=0x77,
            Self::Hts221 => 0x5F..=0x5F,
        }
    }

    /// What it measures; the first is the default.
    pub fn measures(self) -> &'static [Quantity] {
        match self {
            Self::Lm75 | Self::Tmp105 => &[Quantity::Temperature],
            Self::Sht3x | Self::Hts221 => &[Quantity::Temperature, Quantity::Humidity],
            Self::Bme280 => &[Quantity::Temperature, Quantity::Humidity, Quantity::Pressure],
        }
    }
}

/// One line of the list of drivers.
#[derive(Debug, Clone, Copy)]
pub struct DriverInfo {
    /// The name in `driver = "…"`.
    pub name: &'static str,
    /// What it is for.
    pub summary: &'static str,
    /// Its own keys, beside `driver` and `interval_seconds`.
    pub keys: &'static str,
}

/// Every driver.
pub const CATALOGUE: [DriverInfo; 10] = [
    DriverInfo { name: "lm75", summary: "LM75 and compatible: temperature", keys: "bus, address" },
    DriverInfo { name: "tmp105", summary: "TMP105: temperature, 12 bits", keys: "bus, address" },
    DriverInfo { name: "sht3x", summary: "SHT30, SHT31, SHT35: temperature, humidity", keys: "bus, address, quantity" },
    DriverInfo { name: "bme280", summary: "BME280: temperature, humidity, pressure", keys: "bus, address, quantity" },
    DriverInfo { name: "hts221", summary: "HTS221: temperature, humidity", keys: "bus, address, quantity" },
    DriverInfo { name: "hwmon", summary: "a kernel hwmon chip, by its name", keys: "chip, channel" },
    DriverInfo { name: "iio", summary: "a kernel IIO device, by its name", keys: "device, channel" },
    DriverInfo { name: "thermal", summary: "a kernel thermal zone, by its type", keys: "zone" },
    DriverInfo { name: "gpio-motion", summary: "a motion detector on a GPIO line", keys: "chip, line, active_low" },
    DriverInfo {
        name: "simulated",
        summary: "a simulation, for demonstrations and tests",
        keys: "quantity, unit, mean, amplitude, period_seconds, noise, drift_per_hour, spike_probability, spike_size, \
               stuck_probability, seed",
    },
];
