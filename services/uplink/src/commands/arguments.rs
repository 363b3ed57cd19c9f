//! The arguments of each command, parsed from its payload.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// Of `set_interval`.
#[derive(Debug, PartialEq, Deserialize)]
pub(super) struct SetInterval {
    pub(super) sensor: String,
    pub(super) seconds: f64,
}

/// Of `set_config`.
#[derive(Debug, PartialEq, Deserialize)]
pub(super) struct SetConfig {
    pub(super) section: String,
    pub(super) toml: String,
}

/// Of `update`; without a version: the newest.
#[derive(Debug, PartialEq, Default, Deserialize)]
pub(super) struct Update {
    pub(super) version: Option<String>,
}

/// Of `collect_logs`.
#[derive(Debug, PartialEq, Deserialize)]
pub(super) struct CollectLogs {
    #[serde(default = "default_lines")]
    pub(super) lines: usize,
}

fn default_lines() -> usize {
    200
}

/// Parses a payload; `example` is one that would be right.
pub(super) fn parse<T: DeserializeOwned>(payload: &Value, example: &str) -> Result<T, String> {
    // A command whose arguments are all optional may come without a payload.
    let payload = if payload.is_null() { Value::Object(serde_json::Map::new()) } else { payload.clone() };
    if !payload.is_object() {
        return Err(format!("its payload is {payload}: expected an object, for example {example}"));
    }
    serde_json::from_value(payload).map_err(|error| format!("its payload: {error}; expected for example {example}"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    #[test]
    fn a_wrong_payload_is_answered_with_what_is_wrong_and_a_right_one() {
        let example = r#"{"sensor":"Temperature","seconds":5}"#;
        let error = parse::<SetInterval>(&json!({"sensor": "Temperature"}), example).unwrap_err();
        assert!(error.contains("missing field `seconds`") && error.contains(example), "{error}");
        let error = parse::<SetInterval>(&json!(["Temperature", 5]), example).unwrap_err();
        assert!(error.contains("expected an object"), "{error}");
    }

    #[test]
    fn optional_arguments_need_no_payload() {
        assert_eq!(parse::<Update>(&Value::Null, "").unwrap(), Update { version: None });
        assert_eq!(parse::<CollectLogs>(&json!({}), "").unwrap().lines, 200);
    }
}
