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
        /// What was wrong, with line and column.
        reason: String,
    },
    /// The reading names another device than the topic it came by.
    #[error("device_id: is {claimed:?}, but the topic and the certificate are those of {expected:?}")]
    WrongDevice {
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
    pub(crate) fn within(self, index: usize) -> Self {
        match self {
            Self::Invalid { path, reason } if path == "payload" => Self::Invalid { path: format!("[{index}]"), reason },
            Self::Invalid { path, reason } => Self::Invalid { path: format!("[{index}].{path}"), reason },
            other => other,
        }
    }
}

/// Decodes one JSON document of any of this crate's types.
///
/// # Errors
/// [`DecodeError`] with the path of the offending field.
pub fn decode_json<T: DeserializeOwned>(payload: &[u8]) -> Result<T, DecodeError> {
    if payload.len() > crate::MAX_PAYLOAD_BYTES {
        return Err(DecodeError::TooLarge { bytes: payload.len(), limit: crate::MAX_PAYLOAD_BYTES });
    }
    let mut json = serde_json::Deserializer::from_slice(payload);
    let value = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let path = error.path().to_string();
        DecodeError::Invalid {
            path: if path == "." { "payload".to_owned() } else { path },
            reason: error.into_inner().to_string(),
        }
    })?;
    json.end().map_err(|error| DecodeError::Invalid { path: "payload".to_owned(), reason: error.to_string() })?;
    Ok(value)
}
