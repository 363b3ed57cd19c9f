//! The connection to the broker that messages come by.
//!
//! The session is persistent: the broker keeps what comes while this server is away. The connection is polled always,
//! whatever the writer does, or the broker would think this server gone; so what is not yet stored is bounded by the
//! receive maximum (MQTT 5, section 3.1.2.11.3), beyond which the broker sends nothing that wants an acknowledgement.

use crate::mqtt::{Backoff, explain};
use microkernel_wire::Channel;
use rumqttc::Outgoing;
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{Filter, Packet, Publish, RetainForwardRule, SubscribeReasonCode};
use rumqttc::v5::{AsyncClient, ConnectionError, Event, EventLoop, MqttOptions};
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

/// Messages that the broker sends before one of them is acknowledged.
const RECEIVE_MAXIMUM: u16 = 500;
/// Those, and as many again of QoS 0, which the receive maximum does not bound.
pub(super) const CHANNEL_CAPACITY: usize = 2 * RECEIVE_MAXIMUM as usize;
/// The largest packet that the broker may send; it drops a larger one silently (MQTT 5, section 3.1.2.11.4). So this is
/// what the embedded broker accepts from devices: a payload that is too large to be decoded is seen here, and counted.
const MAX_PACKET_BYTES: u32 = (1 << 20) + (1 << 17);
/// The broker keeps the session, and what came meanwhile, for so long after the connection is lost.
const SESSION_EXPIRY_SECONDS: u32 = 7 * 86_400;
/// A connection that lasted so long counts as a success: the next pause is short again.
const STABLE: Duration = Duration::from_secs(10);
/// Acknowledgements leave within this time at shutdown.
const FAREWELL: Duration = Duration::from_secs(2);

/// A message and the connection that it must be acknowledged on: on another one, its packet identifier is another's.
#[derive(Debug)]
pub(super) struct Delivery {
    pub(super) publish: Publish,
    client: AsyncClient,
}

impl Delivery {
    /// Tells the broker that the message is stored. When the connection is gone, the broker will send it again.
    pub(super) fn acknowledge(&self) {
        if self.client.try_ack(&self.publish).is_err() {
            tracing::debug!("an acknowledgement came after the end of its connection");
        }
    }
}

/// Why a connection ended.
#[derive(Debug, thiserror::Error)]
enum SessionError {
    #[error("{}", explain(.0))]
    Connection(#[from] ConnectionError),
    #[error(
        "the broker refuses the subscription {filter}: {reason:?}: allow this server to read devices/# in its access list"
    )]
    Refused { filter: String, reason: SubscribeReasonCode },
    #[error("the broker sent more than {RECEIVE_MAXIMUM} messages without an acknowledgement")]
    Flooded,
    #[error("the connection can't be used: {0}")]
    Client(#[from] rumqttc::v5::ClientError),
}

/// The options of a persistent session whose messages are acknowledged by hand.
pub(super) fn options(mut options: MqttOptions) -> MqttOptions {
    options.set_clean_start(false);
    options.set_session_expiry_interval(Some(SESSION_EXPIRY_SECONDS));
    options.set_receive_maximum(Some(RECEIVE_MAXIMUM));
    options.set_max_packet_size(Some(MAX_PACKET_BYTES));
    options.set_manual_acks(true);
    // This connection publishes nothing; the default reserves room for 65535 messages.
    options.set_outgoing_inflight_upper_limit(1);
    options
}

/// The way from the broker to the writer.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) options: MqttOptions,
    pub(super) share_group: String,
    pub(super) deliveries: mpsc::Sender<Delivery>,
    pub(super) connected: watch::Sender<bool>,
}

impl Session {
    /// Receives, through failures of the broker, until the writer has ended.
    pub(super) async fn run(self, written: CancellationToken) {
        let mut backoff = Backoff::new();
        while !written.is_cancelled() {
            let started = Instant::now();
            let ended = self.connection(&written).await;
            self.connected.send_replace(false);
            let Err(error) = ended else { return };
            if started.elapsed() > STABLE {
                backoff.reset();
            }
            let pause = backoff.next();
            let broker = self.options.broker_address();
            tracing::warn!("broker {}:{}: {error}; next attempt in {} ms", broker.0, broker.1, pause.as_millis());
            let wait = async {
                sleep(pause).await;
                // What the old connection brought is dealt with first: the new one brings it again, and both together
                // would not fit the channel.
                drop(self.deliveries.reserve_many(CHANNEL_CAPACITY).await);
            };
            written.run_until_cancelled(wait).await;
        }
    }

    async fn connection(&self, written: &CancellationToken) -> Result<(), SessionError> {
        let (client, mut events) = AsyncClient::new(self.options.clone(), CHANNEL_CAPACITY);
        loop {
            let event = tokio::select! {
                event = events.poll() => event?,
                () = written.cancelled() => {
                    // Behind the acknowledgements in the same queue.
                    client.try_disconnect()?;
                    return Ok(farewell(&mut events).await);
                }
            };
            match event {
                Event::Incoming(Packet::ConnAck(_)) => client.try_subscribe_many(subscriptions(&self.share_group))?,
                Event::Incoming(Packet::SubAck(answer)) => self.subscribed(&answer.return_codes)?,
                Event::Incoming(Packet::Publish(publish)) => self.deliver(publish, &client)?,
                _ => {}
            }
        }
    }

    fn subscribed(&self, answers: &[SubscribeReasonCode]) -> Result<(), SessionError> {
        for (filter, answer) in subscriptions(&self.share_group).into_iter().zip(answers) {
            if !matches!(answer, SubscribeReasonCode::Success(_)) {
                return Err(SessionError::Refused { filter: filter.path, reason: *answer });
            }
        }
        tracing::info!("receiving from the broker");
        self.connected.send_replace(true);
        Ok(())
    }

    fn deliver(&self, publish: Publish, client: &AsyncClient) -> Result<(), SessionError> {
        let droppable = publish.qos == QoS::AtMostOnce;
        if droppable && self.deliveries.capacity() <= usize::from(RECEIVE_MAXIMUM) {
            // The sender chose QoS 0, at most once.
            tracing::debug!("a QoS 0 message was dropped: more arrive than can be stored");
            return Ok(());
        }
        match self.deliveries.try_send(Delivery { publish, client: client.clone() }) {
            // Closed: the writer has ended, and what is not acknowledged comes again.
            Ok(()) | Err(mpsc::error::TrySendError::Closed(_)) => Ok(()),
            Err(mpsc::error::TrySendError::Full(_)) => Err(SessionError::Flooded),
        }
    }
}

/// Sends what waits, then the DISCONNECT; the session stays.
async fn farewell(events: &mut EventLoop) {
    let disconnected = async {
        while let Ok(event) = events.poll().await {
            if matches!(event, Event::Outgoing(Outgoing::Disconnect)) {
                break;
            }
        }
    };
    // Late or not: what was not acknowledged comes again.
    let _ = timeout(FAREWELL, disconnected).await;
}

/// What the ingest listens to.
///
/// Telemetry, health and responses are shared by all servers. Status is not: every server gets every status, so that
/// each applies one device's in order, and gets the retained ones on connecting, which a shared subscription never
/// does (MQTT 5, section 4.8.2) and which make good whatever was missed.
fn subscriptions(share_group: &str) -> Vec<Filter> {
    Channel::UP
        .into_iter()
        .map(|channel| {
            let path = match channel {
                Channel::Status => channel.filter(),
                _ => channel.shared_filter(share_group),
            };
            Filter {
                path,
                qos: QoS::AtLeastOnce,
                nolocal: false,
                // Only then does the flag tell the broker's memory from a message of now.
                preserve_retain: false,
                retain_forward_rule: RetainForwardRule::OnEverySubscribe,
            }
        })
        .collect()
}
