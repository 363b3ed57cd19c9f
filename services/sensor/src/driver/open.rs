//! Opening the driver of a source.

use super::bme280::Bme280;
use super::gpio_motion::{CharacterDeviceLine, GpioMotion};
use super::hts221::Hts221;
use super::hwmon::Hwmon;
use super::i2c::Bus;
use super::iio::Iio;
use super::lm75::Lm75;
use super::sht3x::Sht3x;
use super::simulated::Simulated;
use super::thermal::Thermal;
use super::tmp105::Tmp105;
use super::{Driver, Events, Fault, I2cChip};
use crate::settings::Source;
use linux_embedded_hal::Delay;
use std::path::PathBuf;

/// Opens drivers. The service uses [`Hardware`]; tests bring their own.
pub trait Open: Send + Sync {
    /// Opens the driver of `source`. May block, like a read.
    ///
    /// # Errors
    /// A [`Fault`] when the hardware is not there or not what it should be.
    fn open(&self, source: &Source, events: Events) -> Result<Box<dyn Driver>, Fault>;
}

/// The hardware of a machine, as its kernel shows it.
#[derive(Debug, Clone)]
pub struct Hardware {
    /// The folder of devices, `/dev`.
    pub dev: PathBuf,
    /// The folder of kernel attributes, `/sys`.
    pub sysfs: PathBuf,
}

impl Default for Hardware {
    fn default() -> Self {
        Self { dev: PathBuf::from("/dev"), sysfs: PathBuf::from("/sys") }
    }
}

impl Open for Hardware {
    fn open(&self, source: &Source, events: Events) -> Result<Box<dyn Driver>, Fault> {
        Ok(match source {
            Source::I2c { chip, bus, address } => self.open_i2c(*chip, *bus, *address)?,
            Source::Hwmon { chip, channel } => Box::new(Hwmon::open(&self.sysfs, chip, channel)?),
            Source::Iio { device, channel } => Box::new(Iio::open(&self.sysfs, device, channel)?),
            Source::Thermal { zone } => Box::new(Thermal::open(&self.sysfs, zone)?),
            Source::GpioMotion { chip, line, active_low } => {
                let line = CharacterDeviceLine::request(&self.dev.join(chip), *line, *active_low)?;
                Box::new(GpioMotion::open(line, events)?)
            }
            Source::Simulated { simulation, .. } => Box::new(Simulated::new(simulation.clone())),
        })
    }
}

impl Hardware {
    fn open_i2c(&self, chip: I2cChip, bus: u8, address: u8) -> Result<Box<dyn Driver>, Fault> {
        let i2c = Bus::open(&self.dev.join(format!("i2c-{bus}")))?;
        Ok(match chip {
            I2cChip::Lm75 => Box::new(Lm75::new(i2c, address)),
            I2cChip::Tmp105 => Box::new(Tmp105::open(i2c, address, &mut Delay)?),
            I2cChip::Sht3x => Box::new(Sht3x::new(i2c, address, Delay)),
            I2cChip::Bme280 => Box::new(Bme280::open(i2c, address, [Delay, Delay])?),
            I2cChip::Hts221 => Box::new(Hts221::open(i2c, address, Delay)?),
        })
    }
}
