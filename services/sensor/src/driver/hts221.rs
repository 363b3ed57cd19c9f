//! HTS221: humidity and temperature.
//!
//! Source: ST "HTS221 datasheet", DocID026333. Written here because the `hts221` crate is of embedded-hal 0.2.

use super::i2c::{BusError, bus_fault};
use super::{Driver, Fault, Sample};
use crate::quantity::Quantity;
use embedded_hal::delay::DelayNs;
use embedded_hal::i2c::I2c;

/// WHO_AM_I (section 7.1) and its content.
const IDENTITY_REGISTER: u8 = 0x0F;
const IDENTITY: u8 = 0xBC;
/// CTRL_REG1 (section 7.3): powered up, both bytes of an output belong together, one-shot.
const CONTROL_1: [u8; 2] = [0x20, 0x84];
/// CTRL_REG2 (section 7.4): start a one-shot.
const START: [u8; 2] = [0x21, 0x01];
/// STATUS_REG (section 7.6): a humidity and a temperature are there.
const STATUS_REGISTER: u8 = 0x27;
const BOTH_READY: u8 = 0b11;
/// With the top bit set, the register address counts up while reading (section 5.1.1).
const CONSECUTIVE: u8 = 0x80;
const OUTPUT_REGISTERS: u8 = 0x28 | CONSECUTIVE;
const CALIBRATION_REGISTERS: u8 = 0x30 | CONSECUTIVE;
/// At the default averaging a one-shot takes a few milliseconds; 20 polls are far beyond.
const POLL_MS: u32 = 5;
const POLLS: u32 = 20;

/// An HTS221 at its address of one bus.
pub(super) struct Hts221<I, D> {
    i2c: I,
    address: u8,
    delay: D,
    humidity: Line,
    temperature: Line,
}

/// A calibration line through two points (raw output, value).
#[derive(Debug, Clone, Copy, PartialEq)]
struct Line {
    from: (f64, f64),
    to: (f64, f64),
}

impl Line {
    /// The line, unless both points have the same raw output: then the chip is not calibrated.
    fn new(quantity: Quantity, from: (f64, f64), to: (f64, f64)) -> Result<Self, Fault> {
        if from.0 == to.0 {
            return Err(Fault::Invalid(format!("the chip holds no {quantity} calibration")));
        }
        Ok(Self { from, to })
    }

    /// Section 8: linear interpolation.
    fn at(self, raw: f64) -> f64 {
        self.from.1 + (raw - self.from.0) * (self.to.1 - self.from.1) / (self.to.0 - self.from.0)
    }
}

/// The calibration lines (humidity, temperature) of registers 0x30 to 0x3F (section 8, table 19).
fn calibration(registers: [u8; 16]) -> Result<(Line, Line), Fault> {
    let [h0_rh_x2, h1_rh_x2, t0_x8, t1_x8, _, t_msb, h0_l, h0_h, _, _, h1_l, h1_h, t0_l, t0_h, t1_l, t1_h] = registers;
    let signed = |low, high| f64::from(i16::from_le_bytes([low, high]));
    let celsius = |low: u8, high: u8| f64::from(u16::from_le_bytes([low, high & 0b11])) / 8.0;
    let humidity = Line::new(
        Quantity::Humidity,
        (signed(h0_l, h0_h), f64::from(h0_rh_x2) / 2.0),
        (signed(h1_l, h1_h), f64::from(h1_rh_x2) / 2.0),
    )?;
    let temperature = Line::new(
        Quantity::Temperature,
        (signed(t0_l, t0_h), celsius(t0_x8, t_msb)),
        (signed(t1_l, t1_h), celsius(t1_x8, t_msb >> 2)),
    )?;
    Ok((humidity, temperature))
}

impl<I, D> Hts221<I, D>
where
    I: I2c,
    I::Error: BusError,
    D: DelayNs,
{
    /// Checks the chip's identity, reads its calibration and powers it up.
    pub(super) fn open(mut i2c: I, address: u8, delay: D) -> Result<Self, Fault> {
        let mut identity = [0];
        i2c.write_read(address, &[IDENTITY_REGISTER], &mut identity).map_err(|error| bus_fault(&error))?;
        if identity != [IDENTITY] {
            let found = identity[0];
            return Err(Fault::Invalid(format!("chip id is 0x{found:02x}, expected 0x{IDENTITY:02x} (HTS221)")));
        }
        let mut registers = [0; 16];
        i2c.write_read(address, &[CALIBRATION_REGISTERS], &mut registers).map_err(|error| bus_fault(&error))?;
        let (humidity, temperature) = calibration(registers)?;
        i2c.write(address, &CONTROL_1).map_err(|error| bus_fault(&error))?;
        Ok(Self { i2c, address, delay, humidity, temperature })
    }

    /// Waits until both outputs are there.
    fn wait(&mut self) -> Result<(), Fault> {
        for _ in 0..POLLS {
            let mut status = [0];
            self.i2c.write_read(self.address, &[STATUS_REGISTER], &mut status).map_err(|error| bus_fault(&error))?;
            if status[0] & BOTH_READY == BOTH_READY {
                return Ok(());
            }
            self.delay.delay_ms(POLL_MS);
        }
        Err(Fault::Invalid(format!("no measurement was ready after {} ms", POLLS * POLL_MS)))
    }
}

impl<I, D> Driver for Hts221<I, D>
where
    I: I2c + Send,
    I::Error: BusError,
    D: DelayNs + Send,
{
    fn measures(&self) -> &[Quantity] {
        &[Quantity::Temperature, Quantity::Humidity]
    }

    fn read(&mut self) -> Result<Sample, Fault> {
        self.i2c.write(self.address, &START).map_err(|error| bus_fault(&error))?;
        self.wait()?;
        let mut output = [0; 4];
        self.i2c.write_read(self.address, &[OUTPUT_REGISTERS], &mut output).map_err(|error| bus_fault(&error))?;
        let [h_low, h_high, t_low, t_high] = output;
        let humidity = self.humidity.at(i16::from_le_bytes([h_low, h_high]).into());
        let temperature = self.temperature.at(i16::from_le_bytes([t_low, t_high]).into());
        // The line runs a little past both ends of what humidity can be.
        Ok(Sample::of(Quantity::Temperature, temperature).with(Quantity::Humidity, humidity.clamp(0.0, 100.0)))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use embedded_hal_mock::eh1::delay::NoopDelay;
    use embedded_hal_mock::eh1::i2c::{Mock, Transaction};

    fn register(register: u8, content: &[u8]) -> Transaction {
        Transaction::write_read(0x5F, vec![register], content.to_vec())
    }

    fn measure(calibration: [u8; 16], humidity: i16, temperature: i16) -> Sample {
        let output = [humidity.to_le_bytes(), temperature.to_le_bytes()].concat();
        let mut i2c = Mock::new(&[
            register(0x0F, &[0xBC]),
            register(0xB0, &calibration),
            Transaction::write(0x5F, vec![0x20, 0x84]),
            Transaction::write(0x5F, vec![0x21, 0x01]),
            register(0x27, &[0b01]),
            register(0x27, &[0b11]),
            register(0xA8, &output),
        ]);
        let sample = Hts221::open(i2c.clone(), 0x5F, NoopDelay::new()).unwrap().read().unwrap();
        i2c.done();
        sample
    }

    /// Section 8, example of the linear interpolation: T0 = 10 °C at 300, T1 = 20 °C at 500, so 400 is 15 °C;
    /// H0 = 20 % at 4000, H1 = 40 % at 6000, so 5000 is 30 %.
    #[test]
    fn the_interpolation_example_of_the_datasheet_holds() {
        let mut calibration = [0; 16];
        (calibration[0], calibration[1], calibration[2], calibration[3]) = (40, 80, 80, 160);
        calibration[6..8].copy_from_slice(&4000i16.to_le_bytes());
        calibration[10..12].copy_from_slice(&6000i16.to_le_bytes());
        calibration[12..14].copy_from_slice(&300i16.to_le_bytes());
        calibration[14..16].copy_from_slice(&500i16.to_le_bytes());
        let sample = measure(calibration, 5000, 400);
        assert_eq!(sample, Sample::of(Quantity::Temperature, 15.0).with(Quantity::Humidity, 30.0));
    }

    /// A real chip's registers: negative humidity outputs, and T1 needs its two upper bits of register 0x35
    /// (T0 = 0x099 / 8 = 19.125 °C at 0, T1 = 0x10E / 8 = 33.75 °C at 798).
    #[test]
    fn signed_outputs_and_split_temperatures_are_put_together() {
        let calibration =
            [0x3D, 0x8F, 0x99, 0x0E, 0x00, 0xC4, 0xF2, 0xFF, 0x3A, 0x03, 0xF5, 0xD0, 0x00, 0x00, 0x1E, 0x03];
        let sample = measure(calibration, -12043, 798);
        assert_eq!(sample, Sample::of(Quantity::Temperature, 33.75).with(Quantity::Humidity, 71.5));
        let sample = measure(calibration, -14, 0);
        assert_eq!(sample, Sample::of(Quantity::Temperature, 19.125).with(Quantity::Humidity, 30.5));
    }

    #[test]
    fn a_chip_without_calibration_is_refused() {
        let mut i2c = Mock::new(&[register(0x0F, &[0xBC]), register(0xB0, &[0; 16])]);
        let fault = Hts221::open(i2c.clone(), 0x5F, NoopDelay::new()).err().unwrap();
        i2c.done();
        assert_eq!(fault.to_string(), "the chip holds no humidity calibration");
    }

    #[test]
    fn a_measurement_that_never_comes_is_a_fault() {
        let mut expectations = vec![
            register(0x0F, &[0xBC]),
            register(0xB0, &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16]),
            Transaction::write(0x5F, vec![0x20, 0x84]),
            Transaction::write(0x5F, vec![0x21, 0x01]),
        ];
        expectations.extend((0..POLLS).map(|_| register(0x27, &[0b10])));
        let mut i2c = Mock::new(&expectations);
        let fault = Hts221::open(i2c.clone(), 0x5F, NoopDelay::new()).unwrap().read().unwrap_err();
        i2c.done();
        assert_eq!(fault.to_string(), "no measurement was ready after 100 ms");
    }
}
