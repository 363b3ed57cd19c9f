//! BME280: temperature, humidity and pressure, by the `bme280-rs` crate.
//!
//! That crate compensates with the integer formulas of the datasheet (Bosch BST-BME280-DS002, section 4.2.3). The chip
//! sleeps and is forced to measure at each read ("weather monitoring", section 3.5.1: oversampling 1, filter off).

use super::i2c::{BusError, bus_fault};
use super::{Driver, Fault, Sample};
use crate::quantity::Quantity;
use bme280_rs::{Configuration, Oversampling, SensorMode};
use embedded_hal::delay::DelayNs;
use embedded_hal::i2c::I2c;

/// What register 0xD0 of a BME280 holds (section 5.4.1); a BMP280, which has no humidity, says 0x58.
const CHIP_ID: u8 = 0x60;

/// The longest measurement of all three at oversampling 1 (section 9.1): 9.3 ms. Waited out in full, because the chip
/// may not yet show that it is measuring when it is first asked.
const MEASUREMENT_US: u32 = 9_300;

/// A BME280 at one address of one bus.
pub(super) struct Bme280<I, D> {
    chip: bme280_rs::Bme280<I, D>,
    delay: D,
}

impl<I, D> Bme280<I, D>
where
    I: I2c,
    I::Error: BusError,
    D: DelayNs,
{
    /// Checks the chip's identity, resets it and reads its calibration. The crate keeps one of the delays.
    pub(super) fn open(i2c: I, address: u8, [chip_delay, delay]: [D; 2]) -> Result<Self, Fault> {
        let mut chip = bme280_rs::Bme280::new_with_address(i2c, address, chip_delay);
        let found = chip.chip_id().map_err(|error| bus_fault(&error))?;
        if found != CHIP_ID {
            return Err(Fault::Invalid(format!("chip id is 0x{found:02x}, expected 0x{CHIP_ID:02x} (BME280)")));
        }
        chip.init().map_err(|error| bus_fault(&error))?;
        let forced = Configuration::default()
            .with_temperature_oversampling(Oversampling::Oversample1)
            .with_humidity_oversampling(Oversampling::Oversample1)
            .with_pressure_oversampling(Oversampling::Oversample1)
            .with_sensor_mode(SensorMode::Forced);
        chip.set_sampling_configuration(forced).map_err(|error| bus_fault(&error))?;
        Ok(Self { chip, delay })
    }
}

impl<I, D> Driver for Bme280<I, D>
where
    I: I2c + Send,
    I::Error: BusError,
    D: DelayNs + Send,
{
    fn measures(&self) -> &[Quantity] {
        &[Quantity::Temperature, Quantity::Humidity, Quantity::Pressure]
    }

    fn read(&mut self) -> Result<Sample, Fault> {
        self.chip.take_forced_measurement().map_err(|error| bus_fault(&error))?;
        self.delay.delay_us(MEASUREMENT_US);
        let measured = self.chip.read_sample().map_err(|error| bus_fault(&error))?;
        match (measured.temperature, measured.humidity, measured.pressure) {
            (Some(celsius), Some(percent), Some(pascal)) => Ok(Sample::of(Quantity::Temperature, celsius.into())
                .with(Quantity::Humidity, percent.into())
                .with(Quantity::Pressure, f64::from(pascal) / 100.0)),
            _ => Err(Fault::Invalid("the chip skipped a measurement (it was reset)".to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use embedded_hal_mock::eh1::delay::NoopDelay;
    use embedded_hal_mock::eh1::i2c::{Mock, Transaction};

    const ADDRESS: u8 = 0x76;

    fn register(register: u8, content: &[u8]) -> Transaction {
        Transaction::write_read(ADDRESS, vec![register], content.to_vec())
    }

    fn set(register: u8, content: u8) -> Transaction {
        Transaction::write(ADDRESS, vec![register, content])
    }

    /// Registers 0x88..=0xA1: the temperature and pressure calibration of the example in Bosch BST-BMP280-DS001,
    /// section 3.12 (the BME280 has the same formulas), little-endian, then dig_H1 = 75.
    fn calibration() -> Vec<u8> {
        let words: [i32; 12] = [27504, 26435, -1000, 36477, -10685, 3024, 2855, 140, -7, 15500, -14600, 6000];
        let mut bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()[..2].to_vec()).collect();
        bytes.extend([0, 75]);
        bytes
    }

    /// dig_H2 = 367, dig_H3 = 0, dig_H4 = 301, dig_H5 = 50, dig_H6 = 30, packed as in section 4.2.2, table 16.
    const HUMIDITY_CALIBRATION: [u8; 7] = [0x6F, 0x01, 0x00, 0x12, 0x2D, 0x03, 0x1E];

    fn opening() -> Vec<Transaction> {
        vec![
            register(0xD0, &[CHIP_ID]),
            set(0xE0, 0xB6),
            register(0xF3, &[0]),
            register(0x88, &calibration()),
            register(0xE1, &HUMIDITY_CALIBRATION),
        ]
    }

    /// BST-BMP280-DS001 section 3.12: UT = 519888 and UP = 415148 are 25.08 °C and 100653.27 Pa. The humidity is the
    /// double-precision formula of BST-BME280-DS002 appendix 8.1, for ADC 0x6B00 at that temperature.
    #[test]
    fn raw_values_of_the_datasheet_give_its_results() {
        let raw = [0x65, 0x5A, 0xC0, 0x7E, 0xED, 0x00, 0x6B, 0x00];
        let mut expectations = opening();
        // The crate's own configuration first, then forced mode with oversampling 1 (sections 5.4.3 to 5.4.6).
        expectations.extend([set(0xF4, 0x00), set(0xF2, 0x00), set(0xF5, 0x00), set(0xF4, 0x00)]);
        expectations.extend([set(0xF4, 0x00), set(0xF2, 0x01), set(0xF5, 0x00), set(0xF4, 0x25)]);
        expectations.extend([set(0xF4, 0x25), register(0xF3, &[0]), register(0xF7, &raw)]);
        let mut i2c = Mock::new(&expectations);
        let mut chip = Bme280::open(i2c.clone(), ADDRESS, [NoopDelay::new(), NoopDelay::new()]).unwrap();
        let sample = chip.read().unwrap();
        i2c.done();
        assert!((sample.get(Quantity::Temperature).unwrap() - 25.08).abs() < 0.005);
        assert!((sample.get(Quantity::Pressure).unwrap() - 1006.5327).abs() < 0.0005);
        assert!((sample.get(Quantity::Humidity).unwrap() - 45.366).abs() < 0.01, "{sample:?}");
    }

    #[test]
    fn a_bmp280_is_refused_by_its_identity() {
        let mut i2c = Mock::new(&[register(0xD0, &[0x58])]);
        let fault = Bme280::open(i2c.clone(), ADDRESS, [NoopDelay::new(), NoopDelay::new()]).err().unwrap();
        i2c.done();
        assert_eq!(fault.to_string(), "chip id is 0x58, expected 0x60 (BME280)");
    }
}
