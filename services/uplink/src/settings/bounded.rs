//! Numbers that are within their bounds from the moment they are read.

use serde::{Deserialize, Deserializer, Serialize, de};
use std::time::Duration;

/// A time from `MIN_MS` to `MAX_MS` milliseconds, written in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(transparent)]
pub(super) struct Seconds<const MIN_MS: u64, const MAX_MS: u64>(f64);

impl<const MIN_MS: u64, const MAX_MS: u64> Seconds<MIN_MS, MAX_MS> {
    /// A default, which is within the bounds or does not compile where it is a constant.
    pub(super) const fn of(seconds: f64) -> Self {
        assert!(seconds * 1e3 >= MIN_MS as f64 && seconds * 1e3 <= MAX_MS as f64);
        Self(seconds)
    }

    pub(super) fn duration(self) -> Duration {
        Duration::from_secs_f64(self.0)
    }

    /// Rounded to whole seconds.
    pub(super) fn whole(self) -> u32 {
        self.0.round() as u32
    }
}

impl<'de, const MIN_MS: u64, const MAX_MS: u64> Deserialize<'de> for Seconds<MIN_MS, MAX_MS> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let seconds = f64::deserialize(deserializer)?;
        let (min, max) = (MIN_MS as f64 / 1e3, MAX_MS as f64 / 1e3);
        if (min..=max).contains(&seconds) {
            return Ok(Self(seconds));
        }
        let expected = format!("seconds from {min} to {max}");
        Err(de::Error::invalid_value(de::Unexpected::Float(seconds), &expected.as_str()))
    }
}

/// A number from `MIN` to `MAX`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(transparent)]
pub(super) struct Count<const MIN: u64, const MAX: u64>(u64);

impl<const MIN: u64, const MAX: u64> Count<MIN, MAX> {
    /// A default, which is within the bounds or does not compile where it is a constant.
    pub(super) const fn of(number: u64) -> Self {
        assert!(number >= MIN && number <= MAX);
        Self(number)
    }

    /// As a type that holds `MAX`.
    pub(super) fn narrow<T: TryFrom<u64>>(self) -> T {
        let Ok(number) = T::try_from(self.0) else { unreachable!("{} is at most {MAX}", self.0) };
        number
    }
}

impl<'de, const MIN: u64, const MAX: u64> Deserialize<'de> for Count<MIN, MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = u64::deserialize(deserializer)?;
        if (MIN..=MAX).contains(&number) {
            return Ok(Self(number));
        }
        let expected = format!("an integer from {MIN} to {MAX}");
        Err(de::Error::invalid_value(de::Unexpected::Unsigned(number), &expected.as_str()))
    }
}
