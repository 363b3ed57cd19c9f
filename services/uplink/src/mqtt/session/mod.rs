//! One connection to the broker, from CONNECT to its end.

mod publish;
mod settle;

use crate::mqtt::accepted::Accepted;
use crate::mqtt::failure::{Failure, undecodable_reason};
use crate::mqtt::leaving::{Leaving, Next};
use crate::mqtt::link::Link;
use crate::mqtt::options::REQUEST_CAPACITY;
use crate::mqtt::outgoing::{Outgoing, judge_unknown};
use crate::mqtt::tracker::Tracker;
use crate::state::{LinkPhase, LinkState};
use futures_util::{Stream, StreamExt, stream};
use microkernel_wire::{Channel, DeviceState, Topic};
use rumqttc::Outgoing as Sent;
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{ConnAck, Packet, Publish, SubAck, SubscribeReasonCode};
use rumqttc::v5::{AsyncClient, ConnectionError, Event, EventLoop, MqttOptions};
use std::pin::pin;
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

/// How a session ended.
#[derive(Debug)]
pub(in crate::mqtt) enum End {
    /// As it was asked to.
    Left,
    /// The connection could not be made, or broke after `held`.
    Lost {
        /// Why.
        failure: Failure,
        /// How long the broker had accepted it for.
        held: Duration,
    },
}

/// What one connection knows.
pub(in crate::mqtt) struct Session<'a> {
    link: &'a mut Link,
    client: AsyncClient,
    tracker: Tracker<Outgoing>,
    accepted: Option<Accepted>,
    /// The status that is to be published next.
    status_due: Option<DeviceState>,
    leaving: Leaving,
    last_event: Instant,
    /// No event for this long is the end: the client library does not notice a broker that stops reading.
    silence: Duration,
}

impl<'a> Session<'a> {
    /// Connects, and stays until the connection breaks or `drain` is cancelled and everything is delivered.
    pub(in crate::mqtt) async fn run(link: &'a mut Link, options: MqttOptions, drain: &CancellationToken) -> End {
        let silence = silence(options.keep_alive()).max(Duration::from_secs(options.connection_timeout() + 5));
        let (client, event_loop) = AsyncClient::new(options, REQUEST_CAPACITY);
        let mut session = Session {
            link,
            client,
            tracker: Tracker::new(),
            accepted: None,
            status_due: None,
            leaving: Leaving::No,
            last_event: Instant::now(),
            silence,
        };
        let result = session.work(event_loop, drain).await;
        let restored = session.restore().await;
        let held = session.accepted.as_ref().map_or(Duration::ZERO, |accepted| accepted.at.elapsed());
        match result.and(restored) {
            Ok(()) => End::Left,
            Err(failure) => End::Lost { failure, held },
        }
    }

    async fn work(&mut self, event_loop: EventLoop, drain: &CancellationToken) -> Result<(), Failure> {
        let mut events = pin!(events(event_loop));
        let mut usage = self.link.state.spool.watch();
        loop {
            match self.leaving.next(Instant::now(), self.is_delivered(), self.is_status_said()) {
                Next::Stay => {}
                Next::SayOffline => self.status_due = Some(DeviceState::Offline),
                Next::Disconnect => {
                    if self.client.try_disconnect().is_err() {
                        return Ok(());
                    }
                }
                Next::Leave => return Ok(()),
            }
            self.fill().await?;
            tokio::select! {
                Some((events, error)) = events.next() => {
                    self.last_event = Instant::now();
                    for event in events {
                        self.handle(event).await?;
                    }
                    if let Some(error) = error {
                        return self.broken(&error).await;
                    }
                }
                () = self.link.state.outbox.changed() => {}
                _ = usage.changed() => {}
                () = at(self.link.flow.wakes_at()) => {}
                () = at(self.leaving.deadline()) => {}
                () = at(Some(self.last_event + self.silence)) => return Err(Failure::silent()),
                () = drain.cancelled(), if matches!(self.leaving, Leaving::No) => {
                    if self.accepted.is_none() {
                        return Ok(());
                    }
                    self.leaving = Leaving::draining(Instant::now() + self.link.settings.link.drain);
                }
            }
        }
    }

    /// Everything that can be published is with the broker.
    fn is_delivered(&self) -> bool {
        self.tracker.is_empty() && self.link.state.outbox.is_empty() && self.link.state.spool.usage().depth == 0
    }

    fn is_status_said(&self) -> bool {
        self.status_due.is_none() && self.tracker.count(|item| matches!(item, Outgoing::Status)) == 0
    }

    async fn handle(&mut self, event: Event) -> Result<(), Failure> {
        match event {
            Event::Incoming(Packet::ConnAck(connack)) => self.connected(&connack)?,
            Event::Incoming(Packet::SubAck(suback)) => self.subscribed(&suback),
            Event::Incoming(Packet::PubAck(puback)) => self.acknowledged(&puback).await?,
            Event::Incoming(Packet::Publish(publish)) => self.received(publish),
            Event::Outgoing(Sent::Publish(pkid)) => self.tracker.sent(pkid)?,
            Event::Outgoing(Sent::AwaitAck(pkid)) => {
                let reason = format!("the broker acknowledges out of order: packet {pkid} is still in use");
                return Err(Failure::new(reason, ""));
            }
            _ => {}
        }
        Ok(())
    }

    fn connected(&mut self, connack: &ConnAck) -> Result<(), Failure> {
        let accepted = Accepted::by(connack, self.link.settings.link.in_flight_messages)?;
        self.silence = accepted.keep_alive.map_or(self.silence, silence);
        self.accepted = Some(accepted);
        tracing::info!(broker = %self.link.settings.broker, session_present = connack.session_present, "connected");
        self.link.state.link.send_replace(LinkState { phase: LinkPhase::Connected, last_error: String::new() });
        self.status_due = Some(DeviceState::Online);
        // Again even where the session has the subscription: it costs one packet and heals a session that lost it.
        let commands = self.topic(Channel::Commands);
        self.client.try_subscribe(commands, QoS::AtLeastOnce).map_err(|_| queue_full())
    }

    fn subscribed(&self, suback: &SubAck) {
        for code in suback.return_codes.iter().filter(|code| !matches!(code, SubscribeReasonCode::Success(_))) {
            tracing::error!(
                "the broker refuses the subscription to {}: {code:?}; no command will arrive until the broker allows it",
                self.topic(Channel::Commands)
            );
        }
    }

    fn received(&self, publish: Publish) {
        // The broker sends only what was subscribed to; what it may know of an older session is not for us.
        if publish.topic != self.topic(Channel::Commands).as_bytes() {
            tracing::warn!(topic = %String::from_utf8_lossy(&publish.topic), "ignored a message of a foreign topic");
            return;
        }
        self.link.commands.take(publish.payload);
    }

    /// The end of the connection, unless it was asked for.
    async fn broken(&mut self, error: &ConnectionError) -> Result<(), Failure> {
        if self.leaving.is_disconnecting() {
            return Ok(());
        }
        if let Some(code) = undecodable_reason(error)
            && let Some(item) = self.tracker.take_oldest_sent()
        {
            self.refused(item, judge_unknown(code), &format!("reason 0x{code:02x}")).await?;
        }
        Err(error.into())
    }

    fn topic(&self, channel: Channel) -> String {
        Topic::new(self.link.settings.device.clone(), channel).to_string()
    }
}

/// The events of a connection, and the error that ended it. Unlike `EventLoop::poll`, the stream may be dropped out of
/// a `select!` between two events without losing any.
fn events(event_loop: EventLoop) -> impl Stream<Item = (Vec<Event>, Option<ConnectionError>)> {
    stream::unfold(event_loop, |mut event_loop| async {
        let item = match event_loop.poll().await {
            Ok(event) => (vec![event], None),
            // Packets that came in one read with the end have been taken note of, but not been handed out yet.
            Err(error) => (event_loop.state.events.drain(..).collect(), Some(error)),
        };
        Some((item, event_loop))
    })
}

/// A ping goes out every keep alive; that and its answer are events.
fn silence(keep_alive: Duration) -> Duration {
    keep_alive.mul_f64(2.5)
}

fn queue_full() -> Failure {
    Failure::new("the client library's queue is full", "")
}

async fn at(instant: Option<Instant>) {
    match instant {
        Some(instant) => tokio::time::sleep_until(instant.into()).await,
        None => std::future::pending().await,
    }
}
