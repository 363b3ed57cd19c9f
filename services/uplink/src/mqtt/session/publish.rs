//! What is published next.

use super::{Session, queue_full};
use crate::mqtt::accepted::Accepted;
use crate::mqtt::failure::Failure;
use crate::mqtt::options::PUBLISH_OVERHEAD_BYTES;
use crate::mqtt::outgoing::Outgoing;
use crate::mqtt::{OTHER_MESSAGES, encode};
use crate::spool::Limit;
use microkernel_wire::{Channel, MAX_PAYLOAD_BYTES, Response, ResponseStatus};
use rumqttc::v5::mqttbytes::QoS;
use std::time::Instant;

impl Session<'_> {
    /// Publishes what waits, as far as the window allows.
    pub(super) async fn fill(&mut self) -> Result<(), Failure> {
        let Some(accepted) = self.accepted else { return Ok(()) };
        self.link.flow = self.link.flow.at(Instant::now());
        // The status has its turn even where nothing else is acknowledged any more.
        while self.status_due.is_some() || self.tracker.len() < accepted.window + OTHER_MESSAGES {
            let Some((item, payload)) = self.next(accepted).await? else { break };
            let limit = self.payload_limit(accepted, item.channel());
            if payload.len() > limit {
                // Handing it over all the same would end the connection, and the next one.
                tracing::error!(
                    "{:?}: {} bytes are more than the broker takes ({limit})",
                    item.channel(),
                    payload.len()
                );
                continue;
            }
            let topic = self.topic(item.channel());
            let retained = item.is_retained() && accepted.retain;
            self.tracker.queued(item);
            self.client.try_publish(topic, QoS::AtLeastOnce, retained, payload).map_err(|_| queue_full())?;
        }
        Ok(())
    }

    /// The longest payload that the broker takes on `channel`.
    fn payload_limit(&self, accepted: Accepted, channel: Channel) -> usize {
        let around = PUBLISH_OVERHEAD_BYTES + self.topic(channel).len();
        accepted.packet_bytes.saturating_sub(around).min(MAX_PAYLOAD_BYTES)
    }

    /// The next message; `None` when there is none or it has to wait. Telemetry and answers are within the limit.
    async fn next(&mut self, accepted: Accepted) -> Result<Option<(Outgoing, Vec<u8>)>, Failure> {
        if let Some(state) = self.status_due.take() {
            return Ok(Some((Outgoing::Status, encode(&self.link.about.status(state)))));
        }
        if self.leaving.is_past_draining() {
            return Ok(None);
        }
        if let Some(response) = self.link.state.outbox.take_response() {
            let (response, payload) = fitting(response, self.payload_limit(accepted, Channel::Responses));
            return Ok(Some((Outgoing::Response(Box::new(response)), payload)));
        }
        if let Some(health) = self.link.state.outbox.take_health() {
            return Ok(Some((Outgoing::Health, encode(&health))));
        }
        let max_bytes = self.payload_limit(accepted, Channel::Telemetry);
        while self.tracker.count(Outgoing::is_telemetry) < self.link.flow.window(accepted.window) {
            // Two bytes are the brackets.
            let limit = Limit { readings: self.link.message_readings, bytes: max_bytes.saturating_sub(2) };
            let Some(batch) = self.link.state.spool.take(limit).await? else { break };
            let (item, payload) = Outgoing::telemetry(&batch);
            if payload.len() <= max_bytes {
                return Ok(Some((item, payload)));
            }
            tracing::error!("a reading of {} bytes is longer than the broker takes: dropped", payload.len());
            self.link.state.spool.discard(batch.id).await?;
        }
        Ok(None)
    }
}

/// The response with its payload; a failure instead where it is longer than the broker takes.
fn fitting(response: Response, limit: usize) -> (Response, Vec<u8>) {
    let payload = encode(&response);
    if payload.len() <= limit {
        return (response, payload);
    }
    let detail = format!("the answer has {} bytes, the broker takes {limit}: ask for less", payload.len());
    let response = Response { status: ResponseStatus::Failed, detail: Some(detail.into()), ..response };
    let payload = encode(&response);
    (response, payload)
}
