//! `io.microkernel.Sensor1`: the readings of the device's sensors, from a bounded ring.

mod feed;
mod proxy;
mod types;

pub use feed::{Feed, FeedBackend, serve};
pub use proxy::{Available, AvailableArgs, AvailableStream, FeedProxy};
pub use types::{Batch, SensorState};

/// The bus name.
pub const NAME: &str = "io.microkernel.Sensor1";
/// The object path.
pub const PATH: &str = "/io/microkernel/Sensor1";
