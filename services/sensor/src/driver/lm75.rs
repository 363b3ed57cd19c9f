//! LM75 and its pin-compatible successors (LM75A, LM75B, TCN75): temperature, by the `lm75` crate.
//!
//! Read with 9 bits (0.5 °C), which every part of the family delivers. For a TMP105, use its own driver: 0.0625 °C.

use super::i2c::{BusError, bus_fault};
use super::{Driver, Fault, Sample};
use crate::quantity::Quantity;
use embedded_hal::i2c::I2c;

/// An LM75 at one address of one bus.
pub(super) struct Lm75<I> {
    chip: ::lm75::Lm75<I, ::lm75::ic::Lm75>,
}

impl<I: I2c> Lm75<I> {
    /// Takes the chip as it is; nothing is written, it converts by itself from power-up on.
    pub(super) fn new(i2c: I, address: u8) -> Self {
        Self { chip: ::lm75::Lm75::new(i2c, address) }
    }
}

impl<I> Driver for Lm75<I>
where
    I: I2c + Send,
    I::Error: BusError,
{
    fn measures(&self) -> &[Quantity] {
        &[Quantity::Temperature]
    }

    fn read(&mut self) -> Result<Sample, Fault> {
        match self.chip.read_temperature() {
            Ok(celsius) => Ok(Sample::of(Quantity::Temperature, celsius.into())),
            Err(::lm75::Error::I2C(error)) => Err(bus_fault(&error)),
            Err(::lm75::Error::InvalidInputData) => Err(Fault::Invalid("the driver refused its input".to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use embedded_hal::i2c::{ErrorKind, NoAcknowledgeSource};
    use embedded_hal_mock::eh1::i2c::{Mock, Transaction};

    /// LM75A datasheet (TI SNOS808), section "Temperature Data Format": 9 bits, left-justified.
    #[test]
    fn registers_of_the_datasheet_give_its_temperatures() {
        let table: [(u16, f64); 6] = [
            (0b0_1111_1010, 125.0),
            (0b0_0011_0010, 25.0),
            (0b0_0000_0001, 0.5),
            (0b0_0000_0000, 0.0),
            (0b1_1111_1111, -0.5),
            (0b1_1001_0010, -55.0),
        ];
        for (register, celsius) in table {
            let bytes = (register << 7).to_be_bytes().to_vec();
            let mut i2c = Mock::new(&[Transaction::write_read(0x48, vec![0x00], bytes)]);
            let sample = Lm75::new(i2c.clone(), 0x48).read().unwrap();
            assert_eq!(sample, Sample::of(Quantity::Temperature, celsius));
            i2c.done();
        }
    }

    #[test]
    fn a_chip_that_does_not_answer_is_an_errno() {
        let no_answer = ErrorKind::NoAcknowledge(NoAcknowledgeSource::Address);
        let mut i2c = Mock::new(&[Transaction::write_read(0x48, vec![0x00], vec![0, 0]).with_error(no_answer)]);
        let fault = Lm75::new(i2c.clone(), 0x48).read().unwrap_err();
        assert_eq!(fault.to_string(), "Remote I/O error (errno 121)");
        i2c.done();
    }
}
