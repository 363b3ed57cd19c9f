//! Drivers: one for each kind of chip or kernel interface.
//!
//! A driver only measures. It knows nothing of rates, retries or names; what runs it adds those. It may block: each
//! has a thread of its own, and a read that takes too long is reported while the other sensors go on.

mod bme280;
mod catalogue;
mod fault;
mod gpio_motion;
mod hts221;
mod hwmon;
mod i2c;
mod iio;
mod lm75;
mod open;
mod sht3x;
mod simulated;
mod smbus;
mod sysfs;
mod thermal;
mod tmp105;

pub use catalogue::{CATALOGUE, DriverInfo, I2cChip};
pub use fault::Fault;
pub use hwmon::hwmon_quantity;
pub use iio::iio_quantity;
pub use open::{Hardware, Open};
pub use simulated::Simulation;

use crate::quantity::Quantity;
use std::time::Duration;

/// A source of measurements.
pub trait Driver: Send {
    /// What it measures; the unit is the quantity's. Does not change while the driver is open.
    fn measures(&self) -> &[Quantity];

    /// Measures all of it once. May block for as long as the hardware takes.
    ///
    /// # Errors
    /// A [`Fault`] when the hardware did not answer or answered nonsense. The driver may then be used again or be
    /// dropped and opened anew.
    fn read(&mut self) -> Result<Sample, Fault>;

    /// Tells how far apart the reads will be from now on. Only a driver whose values depend on it cares.
    fn interval_changed(&mut self, _interval: Duration) {}
}

/// Takes a sample that a driver delivers on its own, outside of [`Driver::read`], because something changed.
pub type Events = Box<dyn Fn(Result<Sample, Fault>) + Send>;

/// What one measurement yielded: a finite value for each quantity measured.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Sample {
    values: [Option<f64>; Quantity::ALL.len()],
}

impl Sample {
    /// A sample of a single quantity.
    pub fn of(quantity: Quantity, value: f64) -> Self {
        Self::default().with(quantity, value)
    }

    /// The sample with one more value. One that is not finite is left out: it is no measurement.
    #[must_use]
    pub fn with(mut self, quantity: Quantity, value: f64) -> Self {
        if value.is_finite() {
            self.values[quantity.index()] = Some(value);
        }
        self
    }

    /// The value of a quantity, if it was measured.
    pub fn get(&self, quantity: Quantity) -> Option<f64> {
        self.values[quantity.index()]
    }
}
