//! SMBus transactions in the place of I2C messages, for adapters that can do no more (many a PC's, the kernel's
//! `i2c-stub`).
//!
//! Source: Linux, Documentation/i2c/smbus-protocol.rst. Each shape below is the same on the wire as the messages it
//! stands for; what has no such shape (a read of many bytes without a register, as of the SHT3x) is refused.

use embedded_hal::i2c::Operation;
use linux_embedded_hal::i2cdev::core::I2CDevice;
use std::io;

/// "Operation not supported": what the kernel says of messages that an adapter can't send.
pub(super) const EOPNOTSUPP: i32 = 95;
const EIO: i32 = 5;
/// The most bytes of one block.
const BLOCK: usize = 32;

/// Carries out one transaction.
///
/// # Errors
/// The device's; [`EOPNOTSUPP`] when SMBus has nothing of this shape.
pub(super) fn transaction<D>(device: &mut D, operations: &mut [Operation<'_>]) -> Result<(), D::Error>
where
    D: I2CDevice,
    D::Error: From<io::Error>,
{
    match operations {
        [Operation::Write([register]), Operation::Read(bytes)] => read(device, *register, bytes),
        [Operation::Write(bytes)] => write(device, bytes),
        [Operation::Read([byte])] => {
            *byte = device.smbus_read_byte()?;
            Ok(())
        }
        _ => Err(errno(EOPNOTSUPP)),
    }
}

fn read<D>(device: &mut D, register: u8, bytes: &mut [u8]) -> Result<(), D::Error>
where
    D: I2CDevice,
    D::Error: From<io::Error>,
{
    match bytes {
        [byte] => *byte = device.smbus_read_byte_data(register)?,
        [_, _] => bytes.copy_from_slice(&device.smbus_read_word_data(register)?.to_le_bytes()),
        _ => {
            let length = block_length(bytes).ok_or_else(|| errno(EOPNOTSUPP))?;
            let block = device.smbus_read_i2c_block_data(register, length)?;
            if block.len() != bytes.len() {
                return Err(errno(EIO));
            }
            bytes.copy_from_slice(&block);
        }
    }
    Ok(())
}

fn write<D>(device: &mut D, bytes: &[u8]) -> Result<(), D::Error>
where
    D: I2CDevice,
    D::Error: From<io::Error>,
{
    match bytes {
        [byte] => device.smbus_write_byte(*byte),
        [register, byte] => device.smbus_write_byte_data(*register, *byte),
        [register, low, high] => device.smbus_write_word_data(*register, u16::from_le_bytes([*low, *high])),
        [register, block @ ..] if block_length(block).is_some() => device.smbus_write_i2c_block_data(*register, block),
        _ => Err(errno(EOPNOTSUPP)),
    }
}

/// The length of a block, when it fits in one.
fn block_length(block: &[u8]) -> Option<u8> {
    u8::try_from(block.len()).ok().filter(|_| (1..=BLOCK).contains(&block.len()))
}

fn errno<E: From<io::Error>>(number: i32) -> E {
    io::Error::from_raw_os_error(number).into()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// A chip that notes each transaction and counts up in what it answers.
    #[derive(Default)]
    struct Chip {
        seen: Vec<String>,
    }

    impl Chip {
        fn note(&mut self, transaction: String) -> io::Result<()> {
            self.seen.push(transaction);
            Ok(())
        }
    }

    impl I2CDevice for Chip {
        type Error = io::Error;

        fn read(&mut self, data: &mut [u8]) -> io::Result<()> {
            self.note(format!("raw read {}", data.len()))
        }
        fn write(&mut self, data: &[u8]) -> io::Result<()> {
            self.note(format!("raw write {data:x?}"))
        }
        fn smbus_write_quick(&mut self, bit: bool) -> io::Result<()> {
            self.note(format!("quick {bit}"))
        }
        fn smbus_read_byte(&mut self) -> io::Result<u8> {
            self.note("read byte".to_owned()).map(|()| 1)
        }
        fn smbus_write_byte(&mut self, value: u8) -> io::Result<()> {
            self.note(format!("write byte {value:x}"))
        }
        fn smbus_read_byte_data(&mut self, register: u8) -> io::Result<u8> {
            self.note(format!("read {register:x} byte")).map(|()| 1)
        }
        fn smbus_write_byte_data(&mut self, register: u8, value: u8) -> io::Result<()> {
            self.note(format!("write {register:x} byte {value:x}"))
        }
        fn smbus_read_word_data(&mut self, register: u8) -> io::Result<u16> {
            self.note(format!("read {register:x} word")).map(|()| 0x0201)
        }
        fn smbus_write_word_data(&mut self, register: u8, value: u16) -> io::Result<()> {
            self.note(format!("write {register:x} word {value:x}"))
        }
        fn smbus_read_block_data(&mut self, register: u8) -> io::Result<Vec<u8>> {
            self.note(format!("read {register:x} counted block")).map(|()| Vec::new())
        }
        fn smbus_read_i2c_block_data(&mut self, register: u8, len: u8) -> io::Result<Vec<u8>> {
            self.note(format!("read {register:x} block {len}")).map(|()| (1..=len).collect())
        }
        fn smbus_write_block_data(&mut self, register: u8, values: &[u8]) -> io::Result<()> {
            self.note(format!("write {register:x} counted block {values:x?}"))
        }
        fn smbus_write_i2c_block_data(&mut self, register: u8, values: &[u8]) -> io::Result<()> {
            self.note(format!("write {register:x} block {values:x?}"))
        }
        fn smbus_process_block(&mut self, register: u8, values: &[u8]) -> io::Result<Vec<u8>> {
            self.note(format!("process {register:x} {values:x?}")).map(|()| Vec::new())
        }
    }

    #[test]
    fn a_register_is_read_in_the_smallest_transaction_that_holds_it() {
        for (length, transaction_seen) in
            [(1, "read a8 byte"), (2, "read a8 word"), (3, "read a8 block 3"), (32, "read a8 block 32")]
        {
            let (mut chip, mut bytes) = (Chip::default(), vec![0; usize::from(length)]);
            transaction(&mut chip, &mut [Operation::Write(&[0xA8]), Operation::Read(&mut bytes)]).unwrap();
            assert_eq!(chip.seen, [transaction_seen]);
            assert_eq!(bytes, (1..=length).collect::<Vec<u8>>(), "in the order of the wire");
        }
    }

    #[test]
    fn a_write_is_the_smallest_transaction_that_holds_it() {
        for (bytes, transaction_seen) in [
            (&[0x10][..], "write byte 10"),
            (&[0x10, 0x01], "write 10 byte 1"),
            (&[0x10, 0x01, 0x02], "write 10 word 201"),
            (&[0x10, 0x01, 0x02, 0x03], "write 10 block [1, 2, 3]"),
        ] {
            let mut chip = Chip::default();
            transaction(&mut chip, &mut [Operation::Write(bytes)]).unwrap();
            assert_eq!(chip.seen, [transaction_seen]);
        }
    }

    #[test]
    fn a_single_byte_is_read_without_a_register() {
        let (mut chip, mut byte) = (Chip::default(), [0]);
        transaction(&mut chip, &mut [Operation::Read(&mut byte)]).unwrap();
        assert_eq!((chip.seen, byte), (vec!["read byte".to_owned()], [1]));
    }

    #[test]
    fn what_smbus_cannot_say_is_refused_and_nothing_is_sent() {
        let (mut two, mut many, mut chip) = ([0; 2], [0; 33], Chip::default());
        let mut refused = |operations: &mut [Operation<'_>]| {
            assert_eq!(transaction(&mut chip, operations).unwrap_err().raw_os_error(), Some(EOPNOTSUPP));
        };
        refused(&mut [Operation::Read(&mut two)]);
        refused(&mut [Operation::Read(&mut [])]);
        refused(&mut [Operation::Write(&[])]);
        refused(&mut [Operation::Write(&[0; 34])]);
        refused(&mut [Operation::Write(&[0x10]), Operation::Read(&mut many)]);
        refused(&mut [Operation::Write(&[0x10, 0x01]), Operation::Read(&mut two)]);
        assert!(chip.seen.is_empty(), "{:?}", chip.seen);
    }
}
