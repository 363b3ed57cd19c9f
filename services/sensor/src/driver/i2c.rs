//! What the I2C drivers share: the bus, and errors with their errno.
//!
//! Each chip opens `/dev/i2c-N` for itself. The kernel serializes the transactions of one adapter, and all sensors
//! that one chip backs share one driver, so a chip's multi-step measurement is never interleaved with another.

use super::{Fault, smbus};
use embedded_hal::i2c::{ErrorType, I2c, Operation};
use linux_embedded_hal::i2cdev::linux::LinuxI2CError;
use linux_embedded_hal::{I2CError, I2cdev};
use std::path::Path;

/// A bus, `/dev/i2c-N`.
///
/// Transactions are I2C messages. An adapter that refuses those because it can do SMBus alone gets them as such from
/// then on.
pub(super) struct Bus {
    device: I2cdev,
    smbus_only: bool,
}

impl Bus {
    /// Opens the bus; says nothing about the chips on it.
    pub(super) fn open(path: &Path) -> Result<Self, Fault> {
        Ok(Self { device: I2cdev::new(path)?, smbus_only: false })
    }
}

impl ErrorType for Bus {
    type Error = I2CError;
}

impl I2c for Bus {
    fn transaction(&mut self, address: u8, operations: &mut [Operation<'_>]) -> Result<(), I2CError> {
        if !self.smbus_only {
            match self.device.transaction(address, operations) {
                Err(error) if error.errno() == Some(smbus::EOPNOTSUPP) => self.smbus_only = true,
                done => return done,
            }
        }
        self.device.set_slave_address(address.into())?;
        Ok(smbus::transaction(&mut *self.device, operations)?)
    }
}

/// An I2C error that may know the operating system's error number.
pub(super) trait BusError: embedded_hal::i2c::Error {
    /// The error number, when the operating system gave one.
    fn errno(&self) -> Option<i32>;
}

impl BusError for I2CError {
    fn errno(&self) -> Option<i32> {
        match self.inner() {
            LinuxI2CError::Errno(errno) => Some(*errno),
            LinuxI2CError::Io(error) => error.raw_os_error(),
        }
    }
}

impl From<LinuxI2CError> for Fault {
    fn from(error: LinuxI2CError) -> Self {
        bus_fault(&I2CError::from(error))
    }
}

/// The fault of a failed transaction.
pub(super) fn bus_fault(error: &impl BusError) -> Fault {
    match error.errno() {
        Some(errno) => Fault::Os { errno },
        None => Fault::Invalid(format!("I2C {}", error.kind())),
    }
}

/// The mock's errors, as the kernel would report them (Linux, Documentation/i2c/fault-codes.rst).
#[cfg(test)]
impl BusError for embedded_hal::i2c::ErrorKind {
    fn errno(&self) -> Option<i32> {
        match self {
            Self::NoAcknowledge(_) => Some(121),
            Self::Bus => Some(5),
            _ => None,
        }
    }
}
