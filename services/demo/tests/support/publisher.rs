//! A publisher that knows which of its messages the broker has acknowledged.

use super::System;
use microkernel_demo::Identity;
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{Packet, PubAck, PubAckReason};
use rumqttc::v5::{AsyncClient, Event, EventLoop, MqttOptions};
use rumqttc::{Outgoing, TlsConfiguration, Transport};
use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, timeout};

/// A message to be published.
pub(crate) struct Message {
    pub(crate) topic: String,
    pub(crate) payload: String,
    /// Whether it is sent again over a new connection when the acknowledgement did not come. Without a number in it, a
    /// message that is sent twice is two.
    pub(crate) resend: bool,
}

/// What became of the messages, by their places.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) acknowledged: BTreeSet<usize>,
    /// Sent, and the connection broke before the acknowledgement came: the broker may have them or not.
    pub(crate) uncertain: BTreeSet<usize>,
}

/// Publishes with QoS 1, at a steady rate, over as many connections as it takes.
pub(crate) struct Publisher {
    options: MqttOptions,
    messages: Vec<Message>,
    acknowledged: AtomicUsize,
}

/// So many messages may be on their way.
const IN_FLIGHT: u16 = 200;
const RECONNECT: Duration = Duration::from_millis(200);

impl Publisher {
    pub(crate) fn new(system: &System, identity: &Identity, client_id: &str, messages: Vec<Message>) -> Self {
        // Of several tests in one process, one is first.
        let _installed = rustls::crypto::ring::default_provider().install_default();
        let (host, port) = system.running.endpoints.broker().unwrap();
        let mut options = MqttOptions::new(client_id, host, port);
        let read = |path| std::fs::read(path).unwrap();
        options
            .set_transport(Transport::tls_with_config(TlsConfiguration::Simple {
                ca: read(&identity.ca_cert),
                alpn: None,
                client_auth: Some((read(&identity.cert), read(&identity.key))),
            }))
            .set_keep_alive(Duration::from_secs(5))
            .set_outgoing_inflight_upper_limit(IN_FLIGHT);
        Self { options, messages, acknowledged: AtomicUsize::new(0) }
    }

    /// How many messages are acknowledged by now.
    pub(crate) fn acknowledged(&self) -> usize {
        self.acknowledged.load(Ordering::Relaxed)
    }

    /// Publishes everything, so many messages a second.
    ///
    /// # Panics
    /// When it is not done `within` the time, or the broker refuses a message.
    pub(crate) async fn run(&self, per_second: u32, within: Duration) -> Outcome {
        let mut outcome = Outcome::default();
        let mut waiting: VecDeque<usize> = (0..self.messages.len()).collect();
        let deadline = Instant::now() + within;
        while outcome.acknowledged.len() + outcome.uncertain.len() < self.messages.len() {
            let left = deadline.saturating_duration_since(Instant::now());
            let connection = Connection::open(self, &mut waiting, &mut outcome);
            let done = timeout(left, connection.run(per_second)).await;
            assert!(done.is_ok(), "only {} of {} acknowledged in time", self.acknowledged(), self.messages.len());
            sleep(RECONNECT).await;
        }
        outcome
    }
}

/// One connection to the broker, from its beginning to its end.
struct Connection<'a> {
    publisher: &'a Publisher,
    waiting: &'a mut VecDeque<usize>,
    outcome: &'a mut Outcome,
    client: AsyncClient,
    event_loop: EventLoop,
    /// Given to the client, not yet sent.
    handed_over: VecDeque<usize>,
    /// Sent, by packet identifier.
    in_flight: HashMap<u16, usize>,
}

impl<'a> Connection<'a> {
    fn open(publisher: &'a Publisher, waiting: &'a mut VecDeque<usize>, outcome: &'a mut Outcome) -> Self {
        let (client, event_loop) = AsyncClient::new(publisher.options.clone(), usize::from(IN_FLIGHT));
        Self {
            publisher,
            waiting,
            outcome,
            client,
            event_loop,
            handed_over: VecDeque::new(),
            in_flight: HashMap::new(),
        }
    }

    /// Runs until everything is acknowledged or the connection ends.
    async fn run(mut self, per_second: u32) {
        let mut pace = interval(Duration::from_secs(1) / per_second);
        pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let may_send =
                !self.waiting.is_empty() && self.handed_over.len() + self.in_flight.len() < usize::from(IN_FLIGHT);
            if !may_send && self.handed_over.is_empty() && self.in_flight.is_empty() {
                let _closed = self.client.try_disconnect();
                return;
            }
            tokio::select! {
                event = self.event_loop.poll() => match event {
                    Ok(Event::Outgoing(Outgoing::Publish(packet))) => {
                        let index = self.handed_over.pop_front().expect("sent in the order of handing over");
                        self.in_flight.insert(packet, index);
                    }
                    Ok(Event::Incoming(Packet::PubAck(ack))) => self.acknowledge(&ack),
                    Ok(_) => {}
                    Err(_) => return self.give_back(),
                },
                _ = pace.tick(), if may_send => self.hand_over(),
            }
        }
    }

    fn hand_over(&mut self) {
        let Some(index) = self.waiting.pop_front() else { return };
        let message = &self.publisher.messages[index];
        let payload = message.payload.clone();
        match self.client.try_publish(message.topic.clone(), QoS::AtLeastOnce, false, payload) {
            Ok(()) => self.handed_over.push_back(index),
            Err(_) => self.waiting.push_front(index),
        }
    }

    fn acknowledge(&mut self, ack: &PubAck) {
        // NoMatchingSubscribers would mean that nobody will ever get it: the ingest's session is gone.
        assert_eq!(ack.reason, PubAckReason::Success, "the broker refuses a message");
        if let Some(index) = self.in_flight.remove(&ack.pkid) {
            self.outcome.acknowledged.insert(index);
            self.publisher.acknowledged.store(self.outcome.acknowledged.len(), Ordering::Relaxed);
        }
    }

    /// The connection broke: what may be sent again waits again.
    fn give_back(self) {
        let mut lost: Vec<usize> = self.in_flight.into_values().chain(self.handed_over).collect();
        lost.sort_unstable();
        for index in lost.into_iter().rev() {
            if self.publisher.messages[index].resend {
                self.waiting.push_front(index);
            } else {
                self.outcome.uncertain.insert(index);
            }
        }
    }
}
