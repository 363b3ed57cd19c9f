//! What a rollout is asked to be, parsed; and how its devices are divided into waves.

use crate::targets::Target;
use crate::time::Time;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use utoipa::ToSchema;

/// The most deployments in flight when nothing is asked for.
const DEFAULT_IN_FLIGHT: u16 = 10;
/// The most waves of a rollout.
const MAX_WAVES: usize = 100;

/// A rollout that is asked for.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewRollout {
    /// For people; 1 to 128 characters.
    pub name: String,
    /// The release.
    pub release: i64,
    /// The devices.
    #[serde(default)]
    #[schema(value_type = crate::api::schema::Target)]
    pub target: Target,
    /// Only devices that run one of these versions.
    #[serde(default)]
    pub from_versions: Option<Vec<String>>,
    /// The waves; one of all devices where none is given.
    #[serde(default)]
    #[schema(value_type = Vec<WaveFields>)]
    pub waves: Vec<NewWave>,
    /// So many deployments are in flight at most.
    #[serde(default = "default_in_flight")]
    pub max_in_flight: u16,
    /// When it begins, RFC 3339; at once where `None`.
    #[serde(default)]
    pub starts_at: Option<Time>,
    /// When deployments are offered, every day in UTC.
    #[serde(default)]
    pub window: Option<Window>,
}

/// A wave that is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "WaveFields", into = "WaveFields")]
pub struct NewWave {
    /// How many devices; in the last wave all that are left.
    pub size: WaveSize,
    /// The next wave starts when so many percent have succeeded; 0 to 100.
    pub success_threshold_percent: u8,
    /// The rollout halts when so many percent have failed; 1 to 100.
    pub error_threshold_percent: u8,
}

/// A wave as it is written.
#[derive(Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct WaveFields {
    #[serde(skip_serializing_if = "Option::is_none")]
    percent: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    count: Option<u32>,
    #[serde(default = "default_success")]
    success_threshold_percent: u8,
    #[serde(default = "default_error")]
    error_threshold_percent: u8,
}

impl TryFrom<WaveFields> for NewWave {
    type Error = &'static str;

    fn try_from(fields: WaveFields) -> Result<Self, Self::Error> {
        let size = match (fields.percent, fields.count) {
            (Some(percent), None) => WaveSize::Percent(percent),
            (None, Some(count)) => WaveSize::Count(count),
            _ => return Err("a wave has either percent or count"),
        };
        let WaveFields { success_threshold_percent, error_threshold_percent, .. } = fields;
        Ok(Self { size, success_threshold_percent, error_threshold_percent })
    }
}

impl From<NewWave> for WaveFields {
    fn from(wave: NewWave) -> Self {
        let (percent, count) = match wave.size {
            WaveSize::Percent(percent) => (Some(percent), None),
            WaveSize::Count(count) => (None, Some(count)),
        };
        let NewWave { success_threshold_percent, error_threshold_percent, .. } = wave;
        Self { percent, count, success_threshold_percent, error_threshold_percent }
    }
}

/// The size of a wave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WaveSize {
    /// In percent of all devices of the rollout, rounded up.
    Percent(u8),
    /// So many devices.
    Count(u32),
}

/// The hours of the day, in UTC, in which deployments are offered; over midnight where `to` is before `from`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Window {
    /// The first minute.
    #[schema(value_type = String, pattern = "^[0-2][0-9]:[0-5][0-9]$")]
    pub from: Minute,
    /// The minute after the last.
    #[schema(value_type = String, pattern = "^[0-2][0-9]:[0-5][0-9]$")]
    pub to: Minute,
}

/// A minute of the day, `HH:MM`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Minute(pub i16);

impl Window {
    /// Whether it is open at `now`.
    pub fn is_open(self, now: Time) -> bool {
        let minutes = now.as_micros().div_euclid(60_000_000).rem_euclid(24 * 60);
        let minute = Minute(i16::try_from(minutes).unwrap_or_default());
        if self.from <= self.to {
            self.from <= minute && minute < self.to
        } else {
            minute >= self.from || minute < self.to
        }
    }
}

impl Serialize for Minute {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{:02}:{:02}", self.0 / 60, self.0 % 60))
    }
}

impl<'de> Deserialize<'de> for Minute {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let parse = |text: &str| {
            let (hours, minutes) = text.split_once(':')?;
            let digits = |part: &str| part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_digit());
            let (hours, minutes): (i16, i16) =
                (digits(hours) && digits(minutes)).then(|| Some((hours.parse().ok()?, minutes.parse().ok()?)))??;
            (hours < 24 && minutes < 60).then_some(Self(hours * 60 + minutes))
        };
        parse(&text).ok_or_else(|| de::Error::custom(format!("{text:?} is no minute of the day such as 22:00")))
    }
}

impl NewRollout {
    /// Checks what types can't say, and completes it.
    ///
    /// # Errors
    /// Names the field, its value and what is expected.
    pub fn complete(mut self) -> Result<Self, String> {
        self.name = self.name.trim().to_owned();
        if !(1..=128).contains(&self.name.chars().count()) || self.name.chars().any(char::is_control) {
            return Err("name: expected 1 to 128 characters, none of them a control character".to_owned());
        }
        if self.max_in_flight == 0 {
            return Err("max_in_flight is 0: expected 1 to 65535".to_owned());
        }
        if self.waves.len() > MAX_WAVES {
            return Err(format!("waves: {} are given, expected at most {MAX_WAVES}", self.waves.len()));
        }
        for wave in &self.waves {
            if wave.success_threshold_percent > 100 || !(1..=100).contains(&wave.error_threshold_percent) {
                return Err(
                    "waves: expected success_threshold_percent 0 to 100, error_threshold_percent 1 to 100".to_owned()
                );
            }
            if matches!(wave.size, WaveSize::Percent(percent) if percent > 100) {
                return Err("waves: expected percent 0 to 100".to_owned());
            }
        }
        if self.window.is_some_and(|window| window.from == window.to) {
            return Err("window: from and to are the same: expected two minutes of the day".to_owned());
        }
        self.target.check()?;
        if self.from_versions.iter().flatten().any(|version| version.contains('\0')) {
            return Err("from_versions: expected no character NUL".to_owned());
        }
        if self.waves.is_empty() {
            let all = WaveSize::Percent(100);
            self.waves.push(NewWave {
                size: all,
                success_threshold_percent: default_success(),
                error_threshold_percent: default_error(),
            });
        }
        Ok(self)
    }
}

/// How many of `devices` each wave has: what is asked for while there are any, and in the last one all that are left.
pub fn sizes(devices: usize, waves: &[NewWave]) -> Vec<usize> {
    let mut left = devices;
    let last = waves.len().saturating_sub(1);
    let size = |(place, wave): (usize, &NewWave)| {
        let wanted = match wave.size {
            _ if place == last => left,
            WaveSize::Percent(percent) => (devices * usize::from(percent)).div_ceil(100),
            WaveSize::Count(count) => count as usize,
        };
        let size = wanted.min(left);
        left -= size;
        size
    };
    waves.iter().enumerate().map(size).collect()
}

fn default_in_flight() -> u16 {
    DEFAULT_IN_FLIGHT
}

/// The percentage of successes that starts the next wave when nothing is asked for.
pub(crate) fn default_success() -> u8 {
    90
}

/// The percentage of failures that halts a rollout when nothing is asked for.
pub(crate) fn default_error() -> u8 {
    10
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use microkernel_wire::Timestamp;
    use proptest::prelude::*;
    use serde_json::json;

    fn parse(value: serde_json::Value) -> Result<NewRollout, String> {
        serde_json::from_value::<NewRollout>(value).map_err(|error| error.to_string()).and_then(NewRollout::complete)
    }

    #[test]
    fn what_is_left_out_has_careful_defaults() {
        let rollout = parse(json!({"name": " 1.0.1 ", "release": 1})).unwrap();
        assert_eq!((rollout.name.as_str(), rollout.target, rollout.max_in_flight), ("1.0.1", Target::All, 10));
        assert_eq!((rollout.waves.len(), rollout.waves[0].error_threshold_percent), (1, 10));
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (field, value) in [
            ("name", json!("")),
            ("max_in_flight", json!(0)),
            ("waves", json!([{"percent": 101}])),
            ("waves", json!([{"percent": 10, "error_threshold_percent": 0}])),
            ("window", json!({"from": "22:00", "to": "22:00"})),
            ("window", json!({"from": "22:00", "to": "24:00"})),
            ("starts_at", json!("tomorrow")),
            ("target", json!({"devices": ["a/b"]})),
            ("unheard_of", json!(1)),
        ] {
            let mut rollout = json!({"name": "x", "release": 1});
            rollout[field] = value.clone();
            assert!(parse(rollout).is_err(), "{field}: {value}");
        }
    }

    #[test]
    fn a_window_may_pass_midnight() {
        let window: Window = serde_json::from_value(json!({"from": "22:30", "to": "04:00"})).unwrap();
        let at = |text: &str| Time(Timestamp::from_micros(text.parse::<jiff::Timestamp>().unwrap().as_microsecond()));
        for (time, open) in
            [("22:29:59", false), ("22:30:00", true), ("00:00:00", true), ("03:59:59", true), ("04:00:00", false)]
        {
            assert_eq!(window.is_open(at(&format!("2026-01-01T{time}Z"))), open, "{time}");
        }
        assert_eq!(serde_json::to_value(window).unwrap(), json!({"from": "22:30", "to": "04:00"}));
    }

    proptest! {
        #[test]
        fn every_device_is_in_one_wave(
            devices in 0_usize..10_000,
            waves in proptest::collection::vec(
                prop_oneof![(0_u8..=100).prop_map(WaveSize::Percent), (0_u32..20_000).prop_map(WaveSize::Count)], 1..8),
        ) {
            let waves: Vec<NewWave> = waves
                .into_iter()
                .map(|size| NewWave { size, success_threshold_percent: 90, error_threshold_percent: 10 })
                .collect();
            let sizes = sizes(devices, &waves);
            prop_assert_eq!(sizes.len(), waves.len());
            prop_assert_eq!(sizes.iter().sum::<usize>(), devices);
        }
    }
}
