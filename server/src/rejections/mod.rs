//! What was refused: counted by device and kind, with the newest of each kind as a sample for the operator.

pub(crate) mod store;

use crate::time::Time;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The longest sample of a refused message that is kept, in bytes.
pub(crate) const SAMPLE_BYTES: usize = 512;

/// How often something was refused, and the newest of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RejectionCount {
    /// A short word for what was wrong: `invalid`, `too_large`, `wrong_device`, `implausible_timestamp` and others.
    pub kind: String,
    /// How many messages or readings.
    pub count: i64,
    /// What was wrong with the newest, and the remedy.
    pub last_reason: String,
    /// When that arrived.
    pub last_at: Time,
    /// By which topic.
    pub last_topic: String,
    /// Its first 512 bytes; what is not UTF-8 is replaced.
    pub last_sample: String,
}

/// One message, or one reading of a message, that was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rejection {
    /// Who sent it; empty where the topic does not say.
    pub(crate) device_id: String,
    /// A short word for what was wrong.
    pub(crate) kind: &'static str,
    /// What was wrong, and the remedy.
    pub(crate) reason: String,
    /// By which topic it came.
    pub(crate) topic: String,
    /// The beginning of the payload, at most [`SAMPLE_BYTES`].
    pub(crate) sample: Vec<u8>,
}
