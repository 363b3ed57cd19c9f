//! SHT30, SHT31, SHT35: temperature and humidity.
//!
//! Source: Sensirion "Datasheet SHT3x-DIS", version 7. Written here because of the crates for embedded-hal 1.0,
//! `embedded-sht3x` measures with clock stretching only, which the Raspberry Pi's I2C controller does not get right,
//! and `sht31` 0.3 drops the bus error and decodes the temperature as signed (wrong above 42 °C).

use super::i2c::{BusError, bus_fault};
use super::{Driver, Fault, Sample};
use crate::quantity::Quantity;
use embedded_hal::delay::DelayNs;
use embedded_hal::i2c::I2c;

/// Single shot, high repeatability, no clock stretching (section 4.3, table 9).
const MEASURE: [u8; 2] = [0x24, 0x00];
/// The longest measurement at high repeatability (section 2.2, table 4): 15.5 ms at the lowest supply voltage.
const MEASUREMENT_US: u32 = 16_000;

/// An SHT3x at one address of one bus.
pub(super) struct Sht3x<I, D> {
    i2c: I,
    address: u8,
    delay: D,
}

impl<I, D> Sht3x<I, D> {
    /// The chip idles between single shots, so there is nothing to set up.
    pub(super) fn new(i2c: I, address: u8, delay: D) -> Self {
        Self { i2c, address, delay }
    }
}

impl<I, D> Driver for Sht3x<I, D>
where
    I: I2c + Send,
    I::Error: BusError,
    D: DelayNs + Send,
{
    fn measures(&self) -> &[Quantity] {
        &[Quantity::Temperature, Quantity::Humidity]
    }

    fn read(&mut self) -> Result<Sample, Fault> {
        self.i2c.write(self.address, &MEASURE).map_err(|error| bus_fault(&error))?;
        self.delay.delay_us(MEASUREMENT_US);
        let mut frame = [0; 6];
        self.i2c.read(self.address, &mut frame).map_err(|error| bus_fault(&error))?;
        let [t0, t1, t_crc, h0, h1, h_crc] = frame;
        // Section 4.13: conversion of the signal output.
        let temperature = word("temperature", [t0, t1], t_crc)? / 65_535.0 * 175.0 - 45.0;
        let humidity = word("humidity", [h0, h1], h_crc)? / 65_535.0 * 100.0;
        Ok(Sample::of(Quantity::Temperature, temperature).with(Quantity::Humidity, humidity))
    }
}

/// A data word whose checksum is right.
fn word(what: &str, bytes: [u8; 2], checksum: u8) -> Result<f64, Fault> {
    let expected = crc8(bytes);
    if checksum == expected {
        Ok(u16::from_be_bytes(bytes).into())
    } else {
        Err(Fault::Invalid(format!("{what} has checksum 0x{checksum:02x}, expected 0x{expected:02x}")))
    }
}

/// The checksum of a data word (section 4.12): polynomial 0x31, start value 0xFF, no reflection, no final XOR.
fn crc8(bytes: [u8; 2]) -> u8 {
    bytes.into_iter().fold(0xFF, |crc, byte| {
        (0..8).fold(crc ^ byte, |crc, _| if crc & 0x80 == 0 { crc << 1 } else { (crc << 1) ^ 0x31 })
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use embedded_hal_mock::eh1::delay::NoopDelay;
    use embedded_hal_mock::eh1::i2c::{Mock, Transaction};

    fn read(frame: [u8; 6]) -> Result<Sample, Fault> {
        let mut i2c = Mock::new(&[Transaction::write(0x44, vec![0x24, 0x00]), Transaction::read(0x44, frame.to_vec())]);
        let result = Sht3x::new(i2c.clone(), 0x44, NoopDelay::new()).read();
        i2c.done();
        result
    }

    /// Section 4.12, table 20: the example of the checksum.
    #[test]
    fn the_checksum_of_beef_is_92() {
        assert_eq!(crc8([0xBE, 0xEF]), 0x92);
    }

    /// Section 4.13: the ends of the scale are -45 °C and 130 °C, 0 % and 100 %.
    #[test]
    fn the_ends_of_the_scale_are_those_of_the_conversion_formula() {
        let low = read([0x00, 0x00, 0x81, 0x00, 0x00, 0x81]).unwrap();
        assert_eq!(low, Sample::of(Quantity::Temperature, -45.0).with(Quantity::Humidity, 0.0));
        let high = read([0xFF, 0xFF, 0xAC, 0xFF, 0xFF, 0xAC]).unwrap();
        assert_eq!(high, Sample::of(Quantity::Temperature, 130.0).with(Quantity::Humidity, 100.0));
    }

    /// The word of table 20 as both signals: 0xBEEF = 48879.
    #[test]
    fn a_word_is_unsigned() {
        let sample = read([0xBE, 0xEF, 0x92, 0xBE, 0xEF, 0x92]).unwrap();
        assert!((sample.get(Quantity::Temperature).unwrap() - 85.523).abs() < 0.001);
        assert!((sample.get(Quantity::Humidity).unwrap() - 74.585).abs() < 0.001);
    }

    #[test]
    fn a_wrong_checksum_is_a_fault_that_says_so() {
        let fault = read([0xBE, 0xEF, 0x92, 0xBE, 0xEF, 0x93]).unwrap_err();
        assert_eq!(fault.to_string(), "humidity has checksum 0x93, expected 0x92");
    }
}
