//! A sensor's readings over a range, thinned out for a chart: one bucket for each step of time that has any.

mod store;

pub use store::buckets;

use crate::time::Time;
use serde::ser::{Serialize, SerializeTuple, Serializer};

/// Which buckets are asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct SeriesRange {
    /// The sensor's name.
    pub sensor: String,
    /// Measured at or after.
    pub from: Time,
    /// Measured before.
    pub to: Time,
    /// Into so many steps the range is divided.
    pub steps: u32,
}

impl SeriesRange {
    /// The length of a step in microseconds, at least 1.
    pub fn step_micros(&self) -> i64 {
        ((self.to.as_micros() - self.from.as_micros()) / i64::from(self.steps.max(1))).max(1)
    }
}

/// The readings of one step. In JSON the tuple `[time, mean, min, max, count, anomaly]`, for there are many.
#[derive(Debug, Clone, PartialEq)]
pub struct Bucket {
    /// When the first of them was measured: a bucket of one reading is that reading.
    pub time: Time,
    /// Their mean.
    pub mean: f64,
    /// The least.
    pub min: f64,
    /// The greatest.
    pub max: f64,
    /// How many.
    pub count: i64,
    /// The greatest of those that are anomalies.
    pub anomaly: Option<f64>,
}

impl Serialize for Bucket {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut tuple = serializer.serialize_tuple(6)?;
        tuple.serialize_element(&self.time.0)?;
        tuple.serialize_element(&self.mean)?;
        tuple.serialize_element(&self.min)?;
        tuple.serialize_element(&self.max)?;
        tuple.serialize_element(&self.count)?;
        tuple.serialize_element(&self.anomaly)?;
        tuple.end()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_bucket_is_a_tuple_of_unix_seconds_and_numbers() {
        let time = Time::from_micros(1_704_067_200_250_000);
        let bucket = Bucket { time, mean: 1.5, min: 1.0, max: 2.0, count: 2, anomaly: None };
        assert_eq!(serde_json::to_string(&bucket).unwrap(), "[1704067200.25,1.5,1.0,2.0,2,null]");
    }

    #[test]
    fn a_step_is_never_nothing() {
        let at = |micros| Time::from_micros(micros);
        let range = |to, steps| SeriesRange { sensor: "T".to_owned(), from: at(0), to: at(to), steps };
        assert_eq!(range(300_000_000, 600).step_micros(), 500_000);
        assert_eq!(range(0, 0).step_micros(), 1);
    }
}
