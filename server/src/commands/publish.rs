//! The connection that commands are published by. It lives from one failure to the next; a new one starts empty, and
//! what was not acknowledged is read from the database again.

use rumqttc::Outgoing;
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{Packet, PubAck, PubAckReason, PublishProperties};
use rumqttc::v5::{AsyncClient, ClientError, Event, EventLoop, MqttOptions};
use std::collections::{HashMap, VecDeque};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{error::Elapsed, timeout};
use tokio_util::task::AbortOnDropHandle;

/// The most messages that are published at once.
pub(super) const WINDOW: usize = 100;
/// The broker acknowledges a window within this time, or is given up.
const ACKNOWLEDGE: Duration = Duration::from_secs(10);

/// Why messages were not all acknowledged.
#[derive(Debug, thiserror::Error)]
pub(super) enum PublishError {
    /// The connection ended.
    #[error("{0}")]
    Lost(String),
    /// The broker took too long.
    #[error("the broker did not acknowledge within {} s", ACKNOWLEDGE.as_secs())]
    Silent(#[from] Elapsed),
    /// The connection's task ended.
    #[error("the connection has ended: {0}")]
    Ended(#[from] ClientError),
}

/// What the connection reports.
enum Report {
    Connected,
    /// The next message, in the order given, has this packet identifier.
    Published(u16),
    Acknowledged(PubAck),
    Lost(String),
}

/// A message to a device.
pub(super) struct Message {
    pub(super) topic: String,
    pub(super) payload: Vec<u8>,
    /// The broker drops it after so many seconds.
    pub(super) expiry_seconds: u32,
}

/// A connection that only publishes.
pub(super) struct Publisher {
    client: AsyncClient,
    reports: mpsc::UnboundedReceiver<Report>,
    _polling: AbortOnDropHandle<()>,
}

impl Publisher {
    /// Connects.
    pub(super) async fn connect(mut options: MqttOptions) -> Result<Self, PublishError> {
        options.set_clean_start(true);
        options.set_outgoing_inflight_upper_limit(WINDOW as u16);
        let (client, events) = AsyncClient::new(options, WINDOW);
        let (report, reports) = mpsc::unbounded_channel();
        let polling = AbortOnDropHandle::new(tokio::spawn(poll(events, report)));
        let mut publisher = Self { client, reports, _polling: polling };
        match publisher.report().await? {
            Report::Connected => Ok(publisher),
            _ => Err(PublishError::Lost("the broker answered something else first".to_owned())),
        }
    }

    /// Publishes at most [`WINDOW`] messages; what the broker says to each, in their order.
    pub(super) async fn publish(&mut self, messages: Vec<Message>) -> Result<Vec<PubAckReason>, PublishError> {
        timeout(ACKNOWLEDGE, self.publish_all(messages)).await?
    }

    async fn publish_all(&mut self, messages: Vec<Message>) -> Result<Vec<PubAckReason>, PublishError> {
        let count = messages.len();
        for Message { topic, payload, expiry_seconds } in messages {
            let expiry = PublishProperties { message_expiry_interval: Some(expiry_seconds), ..Default::default() };
            self.client.publish_with_properties(topic, QoS::AtLeastOnce, false, payload, expiry).await?;
        }
        let mut unnamed: VecDeque<usize> = (0..count).collect();
        let mut in_flight: HashMap<u16, usize> = HashMap::new();
        let mut reasons = vec![None; count];
        while reasons.contains(&None) {
            match self.report().await? {
                Report::Published(packet_id) => {
                    in_flight.extend(unnamed.pop_front().map(|index| (packet_id, index)));
                }
                Report::Acknowledged(ack) => {
                    if let Some(index) = in_flight.remove(&ack.pkid) {
                        reasons[index] = Some(ack.reason);
                    }
                }
                Report::Connected | Report::Lost(_) => {}
            }
        }
        Ok(reasons.into_iter().flatten().collect())
    }

    /// Waits until the connection is lost; says why.
    pub(super) async fn lost(&mut self) -> PublishError {
        loop {
            match self.report().await {
                Ok(_) => {}
                Err(error) => return error,
            }
        }
    }

    async fn report(&mut self) -> Result<Report, PublishError> {
        match self.reports.recv().await {
            Some(Report::Lost(reason)) => Err(PublishError::Lost(reason)),
            Some(report) => Ok(report),
            None => Err(PublishError::Lost("the connection has ended".to_owned())),
        }
    }
}

async fn poll(mut events: EventLoop, report: mpsc::UnboundedSender<Report>) {
    loop {
        let next = match events.poll().await {
            Ok(Event::Incoming(Packet::ConnAck(_))) => Report::Connected,
            Ok(Event::Incoming(Packet::PubAck(ack))) => Report::Acknowledged(ack),
            Ok(Event::Outgoing(Outgoing::Publish(packet_id))) => Report::Published(packet_id),
            Ok(_) => continue,
            Err(error) => Report::Lost(crate::mqtt::explain(&error)),
        };
        let ended = matches!(next, Report::Lost(_));
        if report.send(next).is_err() || ended {
            return;
        }
    }
}
