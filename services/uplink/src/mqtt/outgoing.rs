//! What is published, and what becomes of it when it is acknowledged, refused or cut off.

use super::flow::Refusal;
use crate::spool::{Batch, BatchId};
use microkernel_wire::{Channel, Response, join_telemetry};
use rumqttc::v5::mqttbytes::v5::PubAckReason;

/// A message on its way to the broker.
#[derive(Debug, Clone)]
pub(super) enum Outgoing {
    /// Readings, which stay in the spool until they are acknowledged.
    Telemetry {
        /// Their name in the spool.
        batch: BatchId,
        /// How many.
        readings: usize,
    },
    /// An answer to a command, which goes back to the outbox when it is not acknowledged.
    Response(Box<Response>),
    /// A health report; the next one follows anyway.
    Health,
    /// The device's status; every connection sends it anew.
    Status,
}

impl Outgoing {
    /// The readings of `batch`, with their payload.
    pub(super) fn telemetry(batch: &Batch) -> (Self, Vec<u8>) {
        let item = Self::Telemetry { batch: batch.id, readings: batch.readings.len() };
        (item, join_telemetry(&batch.readings))
    }

    pub(super) fn is_telemetry(&self) -> bool {
        matches!(self, Self::Telemetry { .. })
    }

    pub(super) fn channel(&self) -> Channel {
        match self {
            Self::Telemetry { .. } => Channel::Telemetry,
            Self::Response(_) => Channel::Responses,
            Self::Health => Channel::Health,
            Self::Status => Channel::Status,
        }
    }

    /// Only the status is to be there for who subscribes later.
    pub(super) fn is_retained(&self) -> bool {
        matches!(self, Self::Status)
    }
}

/// An acknowledgement: `Ok` when the message is with its subscribers.
pub(super) fn judge(reason: PubAckReason) -> Result<(), Refusal> {
    match reason {
        PubAckReason::Success => Ok(()),
        PubAckReason::NoMatchingSubscribers => Err(Refusal::Unheard),
        PubAckReason::TopicNameInvalid | PubAckReason::PayloadFormatInvalid => Err(Refusal::Final),
        PubAckReason::UnspecifiedError
        | PubAckReason::ImplementationSpecificError
        | PubAckReason::NotAuthorized
        | PubAckReason::PacketIdentifierInUse
        | PubAckReason::QuotaExceeded => Err(Refusal::Passing),
    }
}

/// The same for a reason code that the client library does not know.
pub(super) fn judge_unknown(code: u8) -> Refusal {
    // MQTT 5, section 2.4: 0x95 is "packet too large".
    if code == 0x95 { Refusal::TooLarge } else { Refusal::Passing }
}

/// What an operator can do about a refusal.
pub(super) fn remedy(refusal: Refusal) -> &'static str {
    match refusal {
        Refusal::Unheard => "nobody subscribes to it: is the server connected to the broker? the readings are kept",
        Refusal::Passing => {
            "allow the device to write below devices/{its id}/ on the broker (its certificate's common name must be its id), \
             and check the broker's quotas"
        }
        Refusal::TooLarge => "raise the broker's limit on messages; fewer readings are sent in one from now on",
        Refusal::Final => "the broker does not accept this topic or payload: check its rules",
    }
}
