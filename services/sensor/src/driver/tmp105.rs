//! TMP105: temperature with 12 bits (0.0625 °C).
//!
//! Source: TI SBOS648 "TMP105". Written here because the `lm75` crate neither sets this chip's resolution bits nor
//! decodes more than 11 bits.

use super::i2c::{BusError, bus_fault};
use super::{Driver, Fault, Sample};
use crate::quantity::Quantity;
use embedded_hal::delay::DelayNs;
use embedded_hal::i2c::I2c;

const TEMPERATURE_REGISTER: u8 = 0x00;
const CONFIGURATION_REGISTER: u8 = 0x01;
/// R1 R0 = 11: 12 bits; continuous conversion, comparator mode, all else at its reset value.
const TWELVE_BITS: u8 = 0b0110_0000;
/// The longest conversion at 12 bits (electrical characteristics): 300 ms. Before it the register holds an old value.
const CONVERSION_MS: u32 = 300;

/// A TMP105 at one address of one bus.
pub(super) struct Tmp105<I> {
    i2c: I,
    address: u8,
}

impl<I> Tmp105<I>
where
    I: I2c,
    I::Error: BusError,
{
    /// Switches the chip to 12 bits and waits for the first conversion.
    pub(super) fn open(mut i2c: I, address: u8, delay: &mut impl DelayNs) -> Result<Self, Fault> {
        i2c.write(address, &[CONFIGURATION_REGISTER, TWELVE_BITS]).map_err(|error| bus_fault(&error))?;
        delay.delay_ms(CONVERSION_MS);
        Ok(Self { i2c, address })
    }
}

impl<I> Driver for Tmp105<I>
where
    I: I2c + Send,
    I::Error: BusError,
{
    fn measures(&self) -> &[Quantity] {
        &[Quantity::Temperature]
    }

    fn read(&mut self) -> Result<Sample, Fault> {
        let mut register = [0; 2];
        self.i2c.write_read(self.address, &[TEMPERATURE_REGISTER], &mut register).map_err(|error| bus_fault(&error))?;
        // Left-justified two's complement: the whole word counts 1/256 °C.
        Ok(Sample::of(Quantity::Temperature, f64::from(i16::from_be_bytes(register)) / 256.0))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use embedded_hal_mock::eh1::delay::NoopDelay;
    use embedded_hal_mock::eh1::i2c::{Mock, Transaction};

    /// SBOS648, table "12-Bit Temperature Data Format".
    #[test]
    fn registers_of_the_datasheet_give_its_temperatures() {
        let table: [(u16, f64); 11] = [
            (0x7FF, 127.9375),
            (0x640, 100.0),
            (0x500, 80.0),
            (0x4B0, 75.0),
            (0x320, 50.0),
            (0x190, 25.0),
            (0x004, 0.25),
            (0x000, 0.0),
            (0xFFC, -0.25),
            (0xE70, -25.0),
            (0xC90, -55.0),
        ];
        let mut expectations = vec![Transaction::write(0x49, vec![0x01, 0x60])];
        for (register, _) in table {
            expectations.push(Transaction::write_read(0x49, vec![0x00], (register << 4).to_be_bytes().to_vec()));
        }
        let mut i2c = Mock::new(&expectations);
        let mut chip = Tmp105::open(i2c.clone(), 0x49, &mut NoopDelay::new()).unwrap();
        for (_, celsius) in table {
            assert_eq!(chip.read().unwrap(), Sample::of(Quantity::Temperature, celsius));
        }
        i2c.done();
    }
}
