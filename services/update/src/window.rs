//! The device's maintenance window.

use jiff::civil::{DateTime, Time, Weekday};
use serde::Deserialize;
use std::fmt;

/// No build is older: a clock that says so is one that was never set.
const EARLIEST_YEAR: i16 = 2025;

/// When the device may be disturbed: daily, or on some days, in its local time. It may pass midnight; then the days are
/// those on which it opens.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Written")]
pub struct Window {
    days: Vec<Weekday>,
    start: Time,
    end: Time,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(default)]
    days: Vec<Day>,
    start: String,
    end: String,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Day {
    Mon,
    Tue,
    Wed,
    Thu,
    Fri,
    Sat,
    Sun,
}

impl Window {
    /// Whether it is open at this local time. Never when the clock was not set yet: then nobody knows.
    pub fn is_open(&self, now: DateTime) -> bool {
        if now.year() < EARLIEST_YEAR {
            return false;
        }
        let opens_on = |day: Weekday| self.days.is_empty() || self.days.contains(&day);
        let (time, today) = (now.time(), now.weekday());
        if self.start < self.end {
            return opens_on(today) && (self.start..self.end).contains(&time);
        }
        (time >= self.start && opens_on(today)) || (time < self.end && opens_on(today.previous()))
    }
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} to {}", self.start.strftime("%H:%M"), self.end.strftime("%H:%M"))
    }
}

impl TryFrom<Written> for Window {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, String> {
        let time = |text: &str| {
            Time::strptime("%H:%M", text).map_err(|_| format!("expected times like 02:30 and not {text:?}"))
        };
        let (start, end) = (time(&written.start)?, time(&written.end)?);
        if start == end {
            return Err("expected an end other than the start".to_owned());
        }
        Ok(Self { days: written.days.into_iter().map(Weekday::from).collect(), start, end })
    }
}

impl From<Day> for Weekday {
    fn from(day: Day) -> Self {
        match day {
            Day::Mon => Self::Monday,
            Day::Tue => Self::Tuesday,
            Day::Wed => Self::Wednesday,
            Day::Thu => Self::Thursday,
            Day::Fri => Self::Friday,
            Day::Sat => Self::Saturday,
            Day::Sun => Self::Sunday,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn window(json: serde_json::Value) -> Window {
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn is_open_from_its_start_until_its_end() {
        let window = window(serde_json::json!({"start": "02:00", "end": "04:00"}));
        for (time, open) in [("01:59:59", false), ("02:00:00", true), ("03:59:59", true), ("04:00:00", false)] {
            assert_eq!(window.is_open(format!("2026-11-24T{time}").parse().unwrap()), open, "{time}");
        }
    }

    #[test]
    fn may_pass_midnight_and_then_belongs_to_the_day_before() {
        // 2026-11-27 is a Friday.
        let window = window(serde_json::json!({"days": ["fri"], "start": "22:00", "end": "03:00"}));
        for (time, open) in [
            ("2026-11-27T21:59", false),
            ("2026-11-27T23:00", true),
            ("2026-11-28T02:59", true),
            ("2026-11-28T03:00", false),
            ("2026-11-28T23:00", false),
            ("2026-11-27T02:00", false),
        ] {
            assert_eq!(window.is_open(time.parse().unwrap()), open, "{time}");
        }
    }

    #[test]
    fn is_closed_while_the_clock_is_not_set() {
        let window = window(serde_json::json!({"start": "00:00", "end": "23:59"}));
        assert!(!window.is_open("1970-01-01T00:05".parse().unwrap()));
        assert!(window.is_open("2026-01-01T00:05".parse().unwrap()));
    }
}
