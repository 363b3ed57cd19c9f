//! What a payload that cannot be decoded says.

use serde::de::DeserializeOwned;

/// Why a payload, or one element of it, was not understood: where, and what was wrong there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The payload is longer than [`crate::MAX_PAYLOAD_BYTES`].
    #[error("the payload has {bytes} bytes: send at most {limit} in one message")]
    TooLarge {
        /// Its length.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// Not JSON, or a value of the wrong type or range.
    #[error("{path}: {reason}")]
    Invalid {
        /// Where in the payload, for example `[3].value`; `payload` for the whole of it.
        path: String,
        /// What was wrong, with line and column; within an array, those count from the start of the element.
        reason: String,
    },
    /// The reading names another device than the topic it came by.
    #[error("{path}: is {claimed:?}, but the topic and the certificate are those of {expected:?}")]
    WrongDevice {
        /// Where in the payload, for example `[3].device_id`.
        path: String,
        /// What the payload says.
        claimed: String,
        /// Who sent it.
        expected: String,
    },
}

impl DecodeError {
    /// A short, fixed word for each kind of error: the label of its counter.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::TooLarge { .. } => "too_large",
            Self::Invalid { .. } => "invalid",
            Self::WrongDevice { .. } => "wrong_device",
        }
    }

    /// The same error, one level up: `value` becomes `[3].value`.
    pub(crate) fn within(mut self, index: usize) -> Self {
        match &mut self {
            Self::Invalid { path, .. } if path == WHOLE => *path = format!("[{index}]"),
            Self::Invalid { path, .. } | Self::WrongDevice { path, .. } => *path = format!("[{index}].{path}"),
            Self::TooLarge { .. } => {}
        }
        self
    }

    /// Path and reason quote what was sent, so they are clipped: an error stays short however long the payload.
    pub(crate) fn invalid(path: &str, reason: impl ToString) -> Self {
        Self::Invalid { path: clip(path), reason: clip(&reason.to_string()) }
    }

    fn whole(reason: impl ToString) -> Self {
        Self::invalid(WHOLE, reason)
    }
}

/// The path of the payload itself.
const WHOLE: &str = "payload";

/// Decodes one of this crate's objects from its JSON.
///
/// A payload is a JSON object in UTF-8 (RFC 8259), without U+0000 in its strings, which no database text can hold.
///
/// # Errors
/// [`DecodeError`] with the path of the offending field.
pub fn decode_json<T: DeserializeOwned>(payload: &[u8]) -> Result<T, DecodeError> {
    decode_object(checked_text(payload)?)
}

/// The payload as text, once its length and its encoding are known to be right.
pub(crate) fn checked_text(payload: &[u8]) -> Result<&str, DecodeError> {
    if payload.len() > crate::MAX_PAYLOAD_BYTES {
        return Err(DecodeError::TooLarge { bytes: payload.len(), limit: crate::MAX_PAYLOAD_BYTES });
    }
    std::str::from_utf8(payload).map_err(|error| DecodeError::whole(format!("not UTF-8: {error}")))
}

/// Decodes an object. The check of the first character is for serde's derived types, which would take an array of
/// the fields' values in their order, too: not part of the contract.
pub(crate) fn decode_object<T: DeserializeOwned>(text: &str) -> Result<T, DecodeError> {
    if text.trim_ascii_start().starts_with('[') {
        return Err(DecodeError::whole("is an array: expected an object"));
    }
    if has_nul_escape(text) {
        return Err(DecodeError::whole("holds the character U+0000 (\\u0000): leave it out"));
    }
    decode_any(text)
}

/// Decodes any JSON document.
pub(crate) fn decode_any<T: DeserializeOwned>(text: &str) -> Result<T, DecodeError> {
    let mut json = serde_json::Deserializer::from_str(text);
    let value = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let path = error.path().to_string();
        // "?" is a place that has no name, such as a key that is not a string.
        DecodeError::invalid(if matches!(path.as_str(), "." | "?") { WHOLE } else { &path }, error.into_inner())
    })?;
    json.end().map_err(DecodeError::whole)?;
    Ok(value)
}

/// Whether a string of this JSON text has the escape `\u0000`; `\\u0000` is a backslash and five plain characters.
fn has_nul_escape(text: &str) -> bool {
    let mut rest = text.as_bytes();
    while let Some(backslash) = rest.iter().position(|&byte| byte == b'\\') {
        rest = &rest[backslash + 1..];
        if rest.starts_with(b"u0000") {
            return true;
        }
        rest = rest.get(1..).unwrap_or_default();
    }
    false
}

/// Longest quotation of untrusted text in an error, in characters.
const CLIP_CHARS: usize = 200;

fn clip(text: &str) -> String {
    let half = CLIP_CHARS / 2;
    let chars: Vec<char> = text.chars().collect();
    if chars.len() <= CLIP_CHARS {
        return text.to_owned();
    }
    // The beginning says what was found, the end what was expected and where.
    chars[..half].iter().chain(&['…']).chain(&chars[chars.len() - half..]).collect()
}
