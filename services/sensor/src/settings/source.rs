//! Where a sensor's values come from.

use crate::driver::{I2cChip, Simulation};

/// A source of measurements. Sensors with an equal source share one driver.
#[derive(Debug, Clone, PartialEq)]
pub enum Source {
    /// A chip at an address of an I2C bus.
    I2c {
        /// Which chip.
        chip: I2cChip,
        /// The N of `/dev/i2c-N`.
        bus: u8,
        /// The 7-bit address.
        address: u8,
    },
    /// A channel of a kernel hwmon chip.
    Hwmon {
        /// The chip's name.
        chip: String,
        /// The channel, for example `temp1`.
        channel: String,
    },
    /// A channel of a kernel IIO device.
    Iio {
        /// The device's name.
        device: String,
        /// The channel, for example `in_temp`.
        channel: String,
    },
    /// A kernel thermal zone.
    Thermal {
        /// The zone's type.
        zone: String,
    },
    /// A motion detector on a GPIO line.
    GpioMotion {
        /// The chip's device name, for example `gpiochip0`.
        chip: String,
        /// The line's number on the chip.
        line: u32,
        /// Whether a low level means motion.
        active_low: bool,
    },
    /// A simulation.
    Simulated {
        /// The sensor it belongs to: simulations are never shared.
        sensor: String,
        /// What it does.
        simulation: Simulation,
    },
}

impl Source {
    /// The driver's name.
    pub fn driver(&self) -> &'static str {
        match self {
            Self::I2c { chip, .. } => chip.name(),
            Self::Hwmon { .. } => "hwmon",
            Self::Iio { .. } => "iio",
            Self::Thermal { .. } => "thermal",
            Self::GpioMotion { .. } => "gpio-motion",
            Self::Simulated { .. } => "simulated",
        }
    }

    /// Where it is, for people: `i2c-1 address 0x48`.
    pub fn address(&self) -> String {
        match self {
            Self::I2c { bus, address, .. } => format!("i2c-{bus} address 0x{address:02x}"),
            Self::Hwmon { chip, channel } => format!("hwmon {chip} {channel}"),
            Self::Iio { device, channel } => format!("iio {device} {channel}"),
            Self::Thermal { zone } => format!("thermal zone {zone}"),
            Self::GpioMotion { chip, line, .. } => format!("{chip} line {line}"),
            Self::Simulated { .. } => "simulated".to_owned(),
        }
    }
}
