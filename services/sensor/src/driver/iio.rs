//! Any chip with a kernel IIO driver: temperature, humidity, pressure, illuminance, voltage, current, power.
//!
//! Source: Linux, Documentation/ABI/testing/sysfs-bus-iio: a channel has either `*_input` (processed) or `*_raw`, and
//! then the value is `(raw + offset) * scale`; `scale` and `offset` may be shared by a type of channels
//! (`in_temp_scale` for `in_temp0_raw`) or be absent (1 and 0).

use super::{Driver, Fault, Sample, sysfs};
use crate::quantity::Quantity;
use std::path::{Path, PathBuf};

/// One channel of one IIO device.
pub(super) struct Iio {
    folder: PathBuf,
    channel: String,
    quantity: Quantity,
    unit_scale: f64,
}

/// What a channel such as `in_temp` or `in_voltage0` measures; none when the name is no such IIO channel.
pub fn iio_quantity(channel: &str) -> Option<Quantity> {
    kind(channel).map(|(quantity, _)| quantity)
}

/// The type of a channel: its name without the number.
fn channel_type(channel: &str) -> &str {
    channel.trim_end_matches(|c: char| c.is_ascii_digit())
}

/// The quantity of a channel and the factor from the unit of the ABI to the quantity's.
fn kind(channel: &str) -> Option<(Quantity, f64)> {
    match channel_type(channel) {
        "in_temp" => Some((Quantity::Temperature, 1e-3)),
        "in_humidityrelative" => Some((Quantity::Humidity, 1e-3)),
        "in_pressure" => Some((Quantity::Pressure, 10.0)),
        "in_illuminance" => Some((Quantity::Illuminance, 1.0)),
        "in_voltage" => Some((Quantity::Voltage, 1e-3)),
        "in_current" => Some((Quantity::Current, 1e-3)),
        "in_power" => Some((Quantity::Power, 1e-3)),
        _ => None,
    }
}

impl Iio {
    /// Finds the device by its name below `sysfs` (`/sys`).
    pub(super) fn open(sysfs: &Path, device: &str, channel: &str) -> Result<Self, Fault> {
        let Some((quantity, unit_scale)) = kind(channel) else {
            return Err(Fault::Invalid(format!("'{channel}' is no IIO channel")));
        };
        let folder = sysfs::find(&sysfs.join("bus/iio/devices"), "name", device)?;
        Ok(Self { folder, channel: channel.to_owned(), quantity, unit_scale })
    }

    /// An attribute of the channel, else the one shared by its type.
    fn shared(&self, attribute: &str) -> Result<Option<f64>, Fault> {
        let own = sysfs::optional_number(&self.folder.join(format!("{}_{attribute}", self.channel)))?;
        match own {
            Some(number) => Ok(Some(number)),
            None => sysfs::optional_number(&self.folder.join(format!("{}_{attribute}", channel_type(&self.channel)))),
        }
    }

    /// The value in the unit of the ABI.
    fn processed(&self) -> Result<f64, Fault> {
        if let Some(input) = sysfs::optional_number(&self.folder.join(format!("{}_input", self.channel)))? {
            return Ok(input);
        }
        let raw = sysfs::number(&self.folder.join(format!("{}_raw", self.channel)))?;
        Ok((raw + self.shared("offset")?.unwrap_or(0.0)) * self.shared("scale")?.unwrap_or(1.0))
    }
}

impl Driver for Iio {
    fn measures(&self) -> &[Quantity] {
        std::slice::from_ref(&self.quantity)
    }

    fn read(&mut self) -> Result<Sample, Fault> {
        Ok(Sample::of(self.quantity, self.processed()? * self.unit_scale))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::fs;

    fn read(channel: &str, attributes: &[(&str, &str)]) -> Result<f64, Fault> {
        let sysfs = tempfile::tempdir().unwrap();
        let folder = sysfs.path().join("bus/iio/devices/iio:device3");
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("name"), "chip\n").unwrap();
        for (attribute, content) in attributes {
            fs::write(folder.join(attribute), format!("{content}\n")).unwrap();
        }
        let mut driver = Iio::open(sysfs.path(), "chip", channel).unwrap();
        let quantity = driver.measures()[0];
        Ok(driver.read()?.get(quantity).unwrap())
    }

    #[test]
    fn a_processed_channel_is_taken_as_it_is() {
        assert_eq!(read("in_temp", &[("in_temp_input", "23450")]), Ok(23.45));
        assert_eq!(read("in_pressure", &[("in_pressure_input", "101.325")]), Ok(1013.25));
    }

    #[test]
    fn a_raw_channel_is_offset_then_scaled() {
        let attributes = [("in_temp_raw", "1600"), ("in_temp_offset", "-400"), ("in_temp_scale", "20.5")];
        assert_eq!(read("in_temp", &attributes), Ok(24.6));
        assert_eq!(read("in_voltage0", &[("in_voltage0_raw", "2048")]), Ok(2.048));
    }

    #[test]
    fn scale_and_offset_may_be_shared_by_the_type() {
        let attributes = [("in_voltage0_raw", "2048"), ("in_voltage_scale", "0.5"), ("in_voltage_offset", "2")];
        assert_eq!(read("in_voltage0", &attributes), Ok(1.025));
    }

    #[test]
    fn neither_input_nor_raw_is_a_fault() {
        assert_eq!(read("in_temp", &[]), Err(Fault::Os { errno: 2 }));
    }
}
