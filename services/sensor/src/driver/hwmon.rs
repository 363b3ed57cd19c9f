//! Any chip with a kernel hwmon driver: temperature, voltage, current, power, fan speed, humidity.
//!
//! Source: Linux, Documentation/hwmon/sysfs-interface.rst (names and units of the attributes).

use super::{Driver, Fault, Sample, sysfs};
use crate::quantity::Quantity;
use std::path::{Path, PathBuf};

/// One channel of one hwmon chip.
pub(super) struct Hwmon {
    input: PathBuf,
    quantity: Quantity,
    scale: f64,
}

/// What a channel such as `temp1` measures; none when the name is no hwmon channel.
pub fn hwmon_quantity(channel: &str) -> Option<Quantity> {
    kind(channel).map(|(quantity, _)| quantity)
}

/// The quantity of a channel and the factor from the kernel's unit to the quantity's.
fn kind(channel: &str) -> Option<(Quantity, f64)> {
    let number = channel.trim_start_matches(|c: char| c.is_ascii_lowercase());
    if number.is_empty() || !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    match channel.strip_suffix(number)? {
        "temp" => Some((Quantity::Temperature, 1e-3)),
        "humidity" => Some((Quantity::Humidity, 1e-3)),
        "in" => Some((Quantity::Voltage, 1e-3)),
        "curr" => Some((Quantity::Current, 1e-3)),
        "power" => Some((Quantity::Power, 1e-6)),
        "fan" => Some((Quantity::FanSpeed, 1.0)),
        _ => None,
    }
}

impl Hwmon {
    /// Finds the chip by its name below `sysfs` (`/sys`).
    pub(super) fn open(sysfs: &Path, chip: &str, channel: &str) -> Result<Self, Fault> {
        let Some((quantity, scale)) = kind(channel) else {
            return Err(Fault::Invalid(format!("'{channel}' is no hwmon channel")));
        };
        let folder = sysfs::find(&sysfs.join("class/hwmon"), "name", chip)?;
        Ok(Self { input: folder.join(format!("{channel}_input")), quantity, scale })
    }
}

impl Driver for Hwmon {
    fn measures(&self) -> &[Quantity] {
        std::slice::from_ref(&self.quantity)
    }

    fn read(&mut self) -> Result<Sample, Fault> {
        Ok(Sample::of(self.quantity, sysfs::number(&self.input)? * self.scale))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::fs;

    /// A folder's name, the chip's name, its attributes.
    type Chip<'a> = (&'a str, &'a str, &'a [(&'a str, &'a str)]);

    fn sysfs(chips: &[Chip<'_>]) -> tempfile::TempDir {
        let sysfs = tempfile::tempdir().unwrap();
        for (folder, name, attributes) in chips {
            let folder = sysfs.path().join("class/hwmon").join(folder);
            fs::create_dir_all(&folder).unwrap();
            fs::write(folder.join("name"), format!("{name}\n")).unwrap();
            for (attribute, content) in *attributes {
                fs::write(folder.join(attribute), format!("{content}\n")).unwrap();
            }
        }
        sysfs
    }

    #[test]
    fn a_chip_is_found_by_name_and_its_channel_scaled() {
        let sysfs = sysfs(&[
            ("hwmon0", "cpu_thermal", &[("temp1_input", "48312")]),
            ("hwmon1", "rpi_volt", &[("in0_input", "850"), ("power1_input", "1500000"), ("fan1_input", "1200")]),
        ]);
        for (chip, channel, quantity, value) in [
            ("cpu_thermal", "temp1", Quantity::Temperature, 48.312),
            ("rpi_volt", "in0", Quantity::Voltage, 0.85),
            ("rpi_volt", "power1", Quantity::Power, 1.5),
            ("rpi_volt", "fan1", Quantity::FanSpeed, 1200.0),
        ] {
            let mut driver = Hwmon::open(sysfs.path(), chip, channel).unwrap();
            assert_eq!(driver.measures(), [quantity]);
            assert!((driver.read().unwrap().get(quantity).unwrap() - value).abs() < 1e-9);
        }
    }

    #[test]
    fn a_missing_chip_names_those_there_are() {
        let sysfs = sysfs(&[("hwmon0", "cpu_thermal", &[]), ("hwmon1", "nvme", &[])]);
        let fault = Hwmon::open(sysfs.path(), "lm75", "temp1").err().unwrap().to_string();
        assert!(fault.starts_with("no 'lm75' below ") && fault.ends_with("found cpu_thermal, nvme"), "{fault}");
    }

    #[test]
    fn a_missing_channel_or_text_without_a_number_is_a_fault() {
        let sysfs = sysfs(&[("hwmon0", "chip", &[("temp2_input", "warm")])]);
        let read = |channel| Hwmon::open(sysfs.path(), "chip", channel).unwrap().read().unwrap_err();
        assert_eq!(read("temp1"), Fault::Os { errno: 2 });
        assert!(read("temp2").to_string().ends_with("holds 'warm', expected a number"));
    }

    #[test]
    fn only_channels_of_the_kernel_interface_are_known() {
        for bad in ["temp", "1", "", "temp1_input", "gpu1", "temp1x"] {
            assert_eq!(hwmon_quantity(bad), None, "{bad}");
        }
        assert_eq!(hwmon_quantity("humidity1"), Some(Quantity::Humidity));
    }
}
