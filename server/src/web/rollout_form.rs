//! The form that makes a rollout: what a browser sends, parsed into what the API takes.

use crate::rollouts::NewRollout;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// The fields as they are filled in.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct RolloutForm {
    name: String,
    release: String,
    /// `all`, `tag`, `prefix` or `devices`.
    target: String,
    /// The tag, the prefix, or the ids, apart by spaces or commas.
    which: String,
    /// The waves, apart by commas: `10 %` or `5`, with its own thresholds where they differ, as in `10 % 95/5`.
    waves: String,
    success: String,
    error: String,
    max_in_flight: String,
    from_versions: String,
    /// A minute in UTC, as the browser's field has it: `2026-01-31T22:00`.
    starts_at: String,
    window_from: String,
    window_to: String,
}

impl Default for RolloutForm {
    fn default() -> Self {
        let text = str::to_owned;
        Self {
            name: String::new(),
            release: String::new(),
            target: text("all"),
            which: String::new(),
            waves: text("10 %, 100 %"),
            success: text("90"),
            error: text("10"),
            max_in_flight: text("10"),
            from_versions: String::new(),
            starts_at: String::new(),
            window_from: String::new(),
            window_to: String::new(),
        }
    }
}

impl RolloutForm {
    /// What the fields mean.
    ///
    /// # Errors
    /// Says what is wrong with which field.
    pub(super) fn parse(&self) -> Result<NewRollout, String> {
        let target = match self.target.as_str() {
            "tag" => json!({"tag": self.which.trim()}),
            "prefix" => json!({"prefix": self.which.trim()}),
            "devices" => json!({"devices": words(&self.which)}),
            _ => json!("all"),
        };
        let (success, error) = (number("Success", &self.success)?, number("Failure", &self.error)?);
        let waves: Result<Vec<Value>, String> =
            self.waves.split(',').map(|text| wave(text.trim(), success, error)).collect();
        let from_versions = words(&self.from_versions);
        let window = match (self.window_from.trim(), self.window_to.trim()) {
            ("", "") => Value::Null,
            (from, to) => json!({"from": from, "to": to}),
        };
        let starts_at = match self.starts_at.trim() {
            "" => Value::Null,
            // Without seconds by most browsers.
            minute if minute.len() == 16 => json!(format!("{minute}:00Z")),
            time => json!(format!("{time}Z")),
        };
        let rollout = json!({
            "name": self.name,
            "release": number("Release", &self.release)?,
            "target": target,
            "from_versions": if from_versions.is_empty() { Value::Null } else { json!(from_versions) },
            "waves": waves?,
            "max_in_flight": number("At once", &self.max_in_flight)?,
            "starts_at": starts_at,
            "window": window,
        });
        serde_json::from_value::<NewRollout>(rollout).map_err(|error| error.to_string())?.complete()
    }
}

fn words(text: &str) -> Vec<&str> {
    text.split([',', ' ', '\n', '\r', '\t']).filter(|word| !word.is_empty()).collect()
}

fn number(label: &str, text: &str) -> Result<u64, String> {
    text.trim().parse().map_err(|_| format!("{label}: “{}” is not a whole number", text.trim()))
}

fn wave(text: &str, success: u64, error: u64) -> Result<Value, String> {
    let wrong = |_| format!("Waves: “{text}” is neither a percentage such as 10 % nor a number of devices");
    // `10 % 95/5`: the thresholds after the size.
    let own = text.rsplit_once(' ').and_then(|(size, own)| Some((size.trim(), own.split_once('/')?)));
    if let Some((size, (success, error))) = own {
        return wave(size, number("Waves: success", success)?, number("Waves: failure", error)?);
    }
    let (size, value) = match text.strip_suffix('%') {
        Some(percent) => ("percent", percent.trim().parse::<u64>().map_err(wrong)?),
        None => ("count", text.parse::<u64>().map_err(wrong)?),
    };
    let mut wave = json!({"success_threshold_percent": success, "error_threshold_percent": error});
    wave[size] = value.into();
    Ok(wave)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::rollouts::WaveSize;
    use crate::targets::Target;

    fn form() -> RolloutForm {
        RolloutForm { name: "1.0.1".to_owned(), release: "3".to_owned(), ..RolloutForm::default() }
    }

    #[test]
    fn fields_become_a_rollout() {
        let form = RolloutForm {
            target: "devices".to_owned(),
            which: "device-001, device-002\ndevice-003".to_owned(),
            waves: "5 99/1, 50 %, 100%".to_owned(),
            starts_at: "2026-01-31T22:00".to_owned(),
            window_from: "22:00".to_owned(),
            window_to: "04:00".to_owned(),
            ..form()
        };
        let rollout = form.parse().unwrap();
        assert!(matches!(&rollout.target, Target::Devices(ids) if ids.len() == 3), "{rollout:?}");
        let sizes: Vec<WaveSize> = rollout.waves.iter().map(|wave| wave.size).collect();
        assert_eq!(sizes, [WaveSize::Count(5), WaveSize::Percent(50), WaveSize::Percent(100)]);
        let errors: Vec<u8> = rollout.waves.iter().map(|wave| wave.error_threshold_percent).collect();
        assert_eq!((errors, rollout.waves[0].success_threshold_percent), (vec![1, 10, 10], 99));
        assert_eq!(rollout.starts_at.unwrap().to_rfc3339(), "2026-01-31T22:00:00.000Z");
        assert_eq!((rollout.release, rollout.max_in_flight, rollout.window.is_some()), (3, 10, true));
    }

    #[test]
    fn what_is_wrong_is_told_by_its_label() {
        for (form, words) in [
            (RolloutForm { waves: "ten".to_owned(), ..form() }, "Waves: “ten”"),
            (RolloutForm { waves: "5 x/1".to_owned(), ..form() }, "Waves: success"),
            (RolloutForm { starts_at: "soon".to_owned(), ..form() }, "point in time"),
            (RolloutForm { target: "tag".to_owned(), which: "a/b".to_owned(), ..form() }, "is no tag"),
            (RolloutForm { max_in_flight: "many".to_owned(), ..form() }, "At once"),
            (RolloutForm { name: String::new(), ..form() }, "name"),
            (RolloutForm { window_from: "22:00".to_owned(), ..form() }, "minute of the day"),
            (RolloutForm { error: "0".to_owned(), ..form() }, "error_threshold_percent"),
        ] {
            let reason = form.parse().unwrap_err();
            assert!(reason.contains(words), "{reason}");
        }
    }
}
