//! Points in time.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::time::{SystemTime, UNIX_EPOCH};

/// A point in time between the years 0 and 9999: Unix seconds, an integer or with a fraction.
///
/// It is kept to the microsecond from 1697 to 2242 (2^33 s on either side of 1970), which is where a double, the
/// number of JSON, tells one microsecond from the next; to the second beyond. So what is decoded encodes the same.
///
/// Whether a time is *plausible* is the server's judgement (a device without a clock says 1970), because a reading
/// with a wrong time is still a reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Timestamp {
    micros: i64,
}

const MICROS_PER_SECOND: i64 = 1_000_000;
/// Year 0 and year 9999, in Unix seconds: what PostgreSQL, RFC 3339 and every client can hold.
const FIRST_SECOND: i64 = -62_167_219_200;
const LAST_SECOND: i64 = 253_402_300_799;
/// Up to here a fraction is kept.
const FRACTION_LIMIT_MICROS: u64 = (1 << 33) * MICROS_PER_SECOND as u64;

impl Timestamp {
    /// From microseconds since the Unix epoch; the nearest representable time.
    pub fn from_micros(micros: i64) -> Self {
        let micros = micros.clamp(FIRST_SECOND * MICROS_PER_SECOND, LAST_SECOND * MICROS_PER_SECOND);
        if micros.unsigned_abs() <= FRACTION_LIMIT_MICROS {
            return Self { micros };
        }
        Self { micros: micros - micros.rem_euclid(MICROS_PER_SECOND) }
    }

    /// Now, by this machine's clock.
    pub fn now() -> Self {
        SystemTime::now().into()
    }

    /// From Unix seconds; `None` when not finite or outside year 0 to 9999.
    pub fn from_seconds(seconds: f64) -> Option<Self> {
        let representable = (FIRST_SECOND as f64..=LAST_SECOND as f64).contains(&seconds);
        representable.then(|| Self::from_micros((seconds * MICROS_PER_SECOND as f64).round() as i64))
    }

    /// Microseconds since the Unix epoch; within ±2.6·10^17.
    pub fn as_micros(self) -> i64 {
        self.micros
    }

    /// Seconds since the Unix epoch.
    pub fn as_seconds(self) -> f64 {
        self.micros as f64 / MICROS_PER_SECOND as f64
    }
}

impl From<SystemTime> for Timestamp {
    fn from(time: SystemTime) -> Self {
        let micros = match time.duration_since(UNIX_EPOCH) {
            Ok(after) => i64::try_from(after.as_micros()).unwrap_or(i64::MAX),
            Err(before) => i64::try_from(before.duration().as_micros()).map_or(i64::MIN, |m| -m),
        };
        Self::from_micros(micros)
    }
}

impl Serialize for Timestamp {
    /// Whole seconds as an integer, as the original platform wrote them; a fraction only where there is one.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.micros % MICROS_PER_SECOND == 0 {
            serializer.serialize_i64(self.micros / MICROS_PER_SECOND)
        } else {
            serializer.serialize_f64(self.as_seconds())
        }
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let seconds = f64::deserialize(deserializer)?;
        Self::from_seconds(seconds).ok_or_else(|| {
            de::Error::custom(format_args!(
                "{seconds} is not a time: expected Unix seconds between the years 0 and 9999"
            ))
        })
    }
}
