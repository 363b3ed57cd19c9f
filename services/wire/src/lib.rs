//! The contract between a device and the server: topics and payloads, and nothing else (no I/O).
//!
//! Only this crate builds or parses a topic or a payload. Everything that arrives from outside is parsed into the
//! types below, which cannot hold an invalid value; what cannot be parsed is a [`DecodeError`] that says where and why.
//!
//! | channel | direction | payload |
//! |---|---|---|
//! | `devices/{device_id}/telemetry` | up | one [`Reading`] or an array of them |
//! | `devices/{device_id}/status` | up, retained, last will | [`Status`] |
//! | `devices/{device_id}/health` | up | [`Health`] |
//! | `devices/{device_id}/commands` | down | [`Command`] |
//! | `devices/{device_id}/responses` | up | [`Response`] |
//!
//! Unknown fields are ignored everywhere, so that either side may be newer than the other.

mod command;
mod error;
mod health;
mod id;
mod reading;
mod status;
mod telemetry;
mod time;
mod topic;

pub use command::{Command, CommandName, Response, ResponseStatus};
pub use error::{DecodeError, decode_json};
pub use health::{Health, Memory, ServiceHealth, ServiceState, SpoolHealth, Storage};
pub use id::{BootId, DeviceId, IdError, SensorName, Seq};
pub use reading::{Clock, Outcome, Reading, StageOutcome};
pub use status::{DeviceState, Status};
pub use telemetry::{MAX_PAYLOAD_BYTES, Rejection, Telemetry, decode_telemetry, encode_telemetry, join_telemetry};
pub use time::Timestamp;
pub use topic::{Channel, Topic, TopicError};
