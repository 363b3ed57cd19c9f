//! Points in time.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::time::{SystemTime, UNIX_EPOCH};

/// A point in time: Unix seconds, an integer or with a fraction, kept to the microsecond.
///
/// Any time from year 0 to year 9999 is representable; whether it is *plausible* is the server's judgement (a device
/// without a clock says 1970), because a reading with a wrong time is still a reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Timestamp {
    micros: i64,
}

const MICROS_PER_SECOND: i64 = 1_000_000;
/// Year 0 and year 9999, in Unix seconds: what PostgreSQL, RFC 3339 and every client can hold.
const SECONDS: std::ops::RangeInclusive<f64> = -62_167_219_200.0..=253_402_300_799.0;

impl Timestamp {
    /// From microseconds since the Unix epoch.
    pub fn from_micros(micros: i64) -> Self {
        Self { micros }
    }

    /// Now, by this machine's clock.
    pub fn now() -> Self {
        SystemTime::now().into()
    }

    /// From Unix seconds; `None` when not finite or outside year 0 to 9999.
    pub fn from_seconds(seconds: f64) -> Option<Self> {
        SECONDS.contains(&seconds).then(|| Self { micros: (seconds * MICROS_PER_SECOND as f64).round() as i64 })
    }

    /// Microseconds since the Unix epoch.
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
        Self { micros }
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
            de::Error::custom(format_args!("{seconds} is not a time: expected Unix seconds between the years 0 and 9999"))
        })
    }
}
