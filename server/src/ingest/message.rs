//! From a packet to what it says, without any I/O.

use super::sanitize;
use crate::rejections::{Rejection, SAMPLE_BYTES};
use crate::time::Time;
use microkernel_wire::{
    Channel, DecodeError, DeviceId, Health, Reading, Response, Status, Topic, decode_json, decode_telemetry,
};
use sha2::{Digest, Sha256};
use std::time::Duration;
use uuid::Uuid;

/// The longest text that a device's version, slot or unit is kept with, in characters.
const SHORT_TEXT: usize = 64;
/// The longest reason or topic of a rejection that is kept, in characters.
const LONG_TEXT: usize = 300;

/// A packet as it arrived.
#[derive(Debug, Clone, Copy)]
pub(super) struct Packet<'a> {
    pub(super) topic: &'a str,
    pub(super) payload: &'a [u8],
    /// 0 for QoS 0.
    pub(super) packet_id: u16,
    /// Whether the broker may have sent it before.
    pub(super) redelivered: bool,
    /// Whether it is the broker's memory of an earlier message, sent on subscribing.
    pub(super) retained: bool,
}

/// What a packet says.
#[derive(Debug)]
pub(super) struct Message {
    /// Who sent it; `None` where the topic does not say.
    pub(super) device: Option<DeviceId>,
    pub(super) content: Content,
    /// What of it was refused, or is doubtful.
    pub(super) rejections: Vec<Rejection>,
    pub(super) delivery: Delivery,
    pub(super) retained: bool,
}

/// What recognises a message that is delivered again, where its readings have no number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Delivery {
    pub(super) packet_id: u16,
    pub(super) redelivered: bool,
    /// SHA-256 of topic and payload; only of telemetry.
    pub(super) hash: Vec<u8>,
}

/// What a message is about.
#[derive(Debug)]
pub(super) enum Content {
    Telemetry(Vec<Stamped>),
    Status(Status),
    Health(serde_json::Value),
    Response(Uuid, Response),
    /// All of it was refused.
    Nothing,
}

/// A reading and the time it is stored under.
#[derive(Debug)]
pub(super) struct Stamped {
    pub(super) reading: Reading,
    pub(super) ts: Time,
    /// The device's own timestamp where it is implausible, and `ts` is the time of arrival.
    pub(super) device_ts: Option<Time>,
}

/// Which timestamps a device may claim, relative to now.
#[derive(Debug, Clone, Copy)]
pub(super) struct PlausibleTime {
    pub(super) oldest: Duration,
    pub(super) newest: Duration,
}

impl PlausibleTime {
    /// The time to store a reading under, and why where it isn't the device's own.
    fn judge(&self, claimed: Time, now: Time) -> (Time, Option<String>) {
        let ahead_micros = claimed.as_micros().saturating_sub(now.as_micros());
        let limit = |duration: Duration| i64::try_from(duration.as_micros()).unwrap_or(i64::MAX);
        let problem = if ahead_micros > limit(self.newest) {
            format!("more than {} hours in the future", self.newest.as_secs() / 3600)
        } else if ahead_micros < -limit(self.oldest) {
            format!("more than {} days ago", self.oldest.as_secs() / 86_400)
        } else {
            return (claimed, None);
        };
        let reason = format!(
            "timestamp: {} is {problem}: check the device's clock (can it reach its time server?); the reading is kept \
             under its time of arrival",
            claimed.to_rfc3339()
        );
        (now, Some(reason))
    }
}

/// Decodes a packet. Whatever is wrong with it is in [`Message::rejections`].
pub(super) fn decode(packet: Packet<'_>, now: Time, plausible: &PlausibleTime) -> Message {
    let mut decoding = Decoding { packet, device: None, rejections: vec![], now, plausible };
    let content = decoding.content().unwrap_or_else(|(kind, reason)| {
        decoding.refuse(kind, &reason);
        Content::Nothing
    });
    let hash = match content {
        Content::Telemetry(_) => {
            Sha256::new().chain_update(packet.topic).chain_update([0]).chain_update(packet.payload).finalize().to_vec()
        }
        _ => vec![],
    };
    Message {
        device: decoding.device,
        content,
        rejections: decoding.rejections,
        delivery: Delivery { packet_id: packet.packet_id, redelivered: packet.redelivered, hash },
        retained: packet.retained,
    }
}

impl Message {
    /// The same message, refused because the database can't hold it.
    pub(super) fn refused_by_database(&self, packet: Packet<'_>, now: Time, error: &sqlx::Error) -> Self {
        let plausible = PlausibleTime { oldest: Duration::MAX, newest: Duration::MAX };
        let mut decoding =
            Decoding { packet, device: self.device.clone(), rejections: vec![], now, plausible: &plausible };
        decoding.refuse("unstorable", &format!("the database refuses the message: {error}"));
        Self {
            device: None,
            content: Content::Nothing,
            rejections: decoding.rejections,
            delivery: self.delivery.clone(),
            retained: self.retained,
        }
    }
}

struct Decoding<'a> {
    packet: Packet<'a>,
    device: Option<DeviceId>,
    rejections: Vec<Rejection>,
    now: Time,
    plausible: &'a PlausibleTime,
}

/// The kind and the reason of a refusal.
type Refusal = (&'static str, String);

fn refusal(error: DecodeError) -> Refusal {
    (error.kind(), error.to_string())
}

impl Decoding<'_> {
    fn content(&mut self) -> Result<Content, Refusal> {
        let Topic { device, channel } = self
            .packet
            .topic
            .parse()
            .map_err(|error: microkernel_wire::TopicError| ("unknown_topic", error.to_string()))?;
        self.device = Some(device.clone());
        let payload = self.packet.payload;
        match channel {
            Channel::Telemetry => self.telemetry(&device),
            Channel::Status => decode_json(payload).map(|status| Content::Status(storable(status))).map_err(refusal),
            Channel::Health => decode_json::<Health>(payload).map_err(refusal).map(|health| {
                let json = serde_json::to_value(health);
                Content::Health(sanitize::json(json.unwrap_or_else(|e| unreachable!("keys are strings: {e}"))))
            }),
            Channel::Responses => response(payload),
            Channel::Commands => Err(("unknown_topic", "commands go to devices, not to the server".to_owned())),
        }
    }

    fn telemetry(&mut self, device: &DeviceId) -> Result<Content, Refusal> {
        let telemetry = decode_telemetry(device, self.packet.payload).map_err(refusal)?;
        for rejection in telemetry.rejected {
            self.refuse(rejection.error.kind(), &rejection.error.to_string());
        }
        let mut readings = Vec::with_capacity(telemetry.readings.len());
        for mut reading in telemetry.readings {
            // The upper bound of a range that holds it would not fit the column.
            if reading.seq.is_some_and(|seq| seq.get() >= i64::MAX as u64) {
                self.refuse("invalid", "seq: 9223372036854775807 is too large: expected at most one less");
                continue;
            }
            reading.unit = sanitize::text(&reading.unit, SHORT_TEXT);
            let claimed = Time(reading.timestamp);
            let (ts, implausible) = self.plausible.judge(claimed, self.now);
            let device_ts = implausible.is_some().then_some(claimed);
            if let Some(reason) = implausible {
                self.refuse("implausible_timestamp", &reason);
            }
            readings.push(Stamped { reading, ts, device_ts });
        }
        Ok(Content::Telemetry(readings))
    }

    fn refuse(&mut self, kind: &'static str, reason: &str) {
        let payload = self.packet.payload;
        self.rejections.push(Rejection {
            device_id: self.device.as_ref().map(ToString::to_string).unwrap_or_default(),
            kind,
            reason: sanitize::text(reason, LONG_TEXT),
            topic: sanitize::text(self.packet.topic, LONG_TEXT),
            sample: payload[..payload.len().min(SAMPLE_BYTES)].to_vec(),
        });
    }
}

fn storable(mut status: Status) -> Status {
    for text in [&mut status.version, &mut status.slot] {
        *text = text.take().map(|text| sanitize::text(&text, SHORT_TEXT));
    }
    status
}

fn response(payload: &[u8]) -> Result<Content, Refusal> {
    let mut response: Response = decode_json(payload).map_err(refusal)?;
    let id = response.id.parse().map_err(|_| unknown_command(&response.id))?;
    response.detail = response.detail.map(sanitize::json);
    Ok(Content::Response(id, response))
}

/// The refusal of an answer to a command that was not given.
pub(super) fn unknown_command(id: &str) -> Refusal {
    let id: String = id.chars().take(80).collect();
    ("unknown_command", format!("id: {id:?} is not a command of this device: answer with the id of the command"))
}

#[cfg(test)]
mod tests;
