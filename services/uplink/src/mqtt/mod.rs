//! The link to the broker: MQTT 5 over TLS 1.3.
//!
//! - [`Link`] makes a connection, again and again, with backoff between the attempts.
//! - A session is one connection: it publishes what waits, takes commands, drains at the end.
//! - The rest is what a session decides by: which publish an acknowledgement belongs to, what to do with what the broker
//!   refuses, why a connection failed.
//!
//! Each connection gets a client of its own. What the client library would carry over from one to the next (packet ids,
//! unacknowledged publishes, which it forgets when the broker has forgotten the session) is kept here instead: what was
//! not acknowledged goes back to the spool and the outbox and is published again, in order.

mod accepted;
mod failure;
mod flow;
mod leaving;
mod link;
mod options;
mod outgoing;
mod session;
mod tls;
mod tracker;

pub use link::Link;
pub use tls::{TlsError, client_config};

/// The largest window of messages that can be configured.
pub const MAX_IN_FLIGHT: u16 = 100;

/// Messages other than telemetry (status, health, answers) that may be on their way beside a full window.
const OTHER_MESSAGES: usize = 4;

/// Encodes one of `wire`'s objects.
fn encode(object: &impl serde::Serialize) -> Vec<u8> {
    serde_json::to_vec(object).unwrap_or_else(|error| unreachable!("wire's objects have only string keys: {error}"))
}
