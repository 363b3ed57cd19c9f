//! What PostgreSQL can't hold in a text: the character NUL. And what no one needs: endless names.

use serde_json::Value;

/// The text without NUL (each replaced by U+FFFD), at most `limit` characters of it.
pub(super) fn text(text: &str, limit: usize) -> String {
    text.chars().take(limit).map(|character| if character == '\0' { '\u{fffd}' } else { character }).collect()
}

/// The same for every text within a JSON value, keys included, without a limit.
pub(super) fn json(value: Value) -> Value {
    match value {
        Value::String(string) => Value::String(text(&string, usize::MAX)),
        Value::Array(elements) => elements.into_iter().map(json).collect(),
        Value::Object(fields) => {
            Value::Object(fields.into_iter().map(|(key, value)| (text(&key, usize::MAX), json(value))).collect())
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nul_is_replaced_wherever_it_stands() {
        let value = serde_json::json!({"a\0": ["b\0", {"c": "\0"}], "n": 1.5});
        assert_eq!(json(value), serde_json::json!({"a\u{fffd}": ["b\u{fffd}", {"c": "\u{fffd}"}], "n": 1.5}));
        assert_eq!(text("°C\0!", 3), "°C\u{fffd}");
    }
}
