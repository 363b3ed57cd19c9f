//! Takes batches of messages, stores each until it is stored, and acknowledges.

use super::Ingest;
use super::keys::Keys;
use super::message::{self, Content, Message, Packet, PlausibleTime};
use super::session::Delivery;
use super::transaction::{Context, store};
use crate::time::Time;
use microkernel_wire::DeviceState;
use rumqttc::v5::mqttbytes::QoS;
use std::collections::BTreeSet;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

/// A batch ends when its payloads have so many bytes; what has arrived meanwhile is the next one. There is no timer:
/// an idle server stores a message at once, a busy one finds many waiting.
const BATCH_BYTES: usize = 4 * 1024 * 1024;
/// The database takes a batch within this time, or it is tried again.
const STORE: Duration = Duration::from_secs(60);
/// Bounds of the pause while the database is away.
const PAUSE: std::ops::RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_secs(5);
/// Refused messages are logged this often at most.
const LOG_INTERVAL: Duration = Duration::from_secs(10);

/// Why a batch was not stored.
#[derive(Debug, thiserror::Error)]
enum WriteError {
    /// The messages hold something that the database refuses: it would refuse them again.
    #[error("{0}")]
    Data(sqlx::Error),
    /// Anything else: the messages are good, and are tried again.
    #[error("{0}")]
    Unavailable(sqlx::Error),
    /// No answer.
    #[error("no answer within {} s", STORE.as_secs())]
    Silent,
}

impl From<sqlx::Error> for WriteError {
    /// PostgreSQL's classes 22 (data exception), 23 (integrity constraint) and 54 (limit exceeded) are about the data.
    fn from(error: sqlx::Error) -> Self {
        let code = error.as_database_error().and_then(|error| error.code());
        let about_data = code.is_some_and(|code| ["22", "23", "54"].iter().any(|class| code.starts_with(class)));
        if about_data || matches!(error, sqlx::Error::Encode(_)) { Self::Data(error) } else { Self::Unavailable(error) }
    }
}

/// The server ends before the database came back; nothing was acknowledged.
struct Abandoned;

/// Stores what arrives.
pub(super) struct Writer {
    ingest: Ingest,
    client_id: String,
    plausible: PlausibleTime,
    keys: Keys,
    refused: RefusedLog,
}

impl Writer {
    pub(super) fn new(ingest: Ingest, client_id: String, plausible: PlausibleTime) -> Self {
        Self { ingest, client_id, plausible, keys: Keys::default(), refused: RefusedLog::default() }
    }

    /// Stores until `shutdown`; a batch that was begun is stored first, unless the database is away.
    pub(super) async fn run(mut self, mut incoming: mpsc::Receiver<Delivery>, shutdown: CancellationToken) {
        while let Some(Some(first)) = shutdown.run_until_cancelled(incoming.recv()).await {
            let batch = batch(first, &mut incoming);
            let now = Time::now();
            let messages: Vec<Message> =
                batch.iter().map(|delivery| message::decode(packet(delivery), now, &self.plausible)).collect();
            if self.store(&batch, &messages, now, &shutdown).await.is_err() {
                return;
            }
            batch.iter().filter(|delivery| delivery.publish.qos != QoS::AtMostOnce).for_each(Delivery::acknowledge);
            self.announce(&messages);
        }
    }

    /// Stores a batch until it is stored. One that the database refuses is halved until the bad message is alone.
    async fn store(
        &mut self,
        batch: &[Delivery],
        messages: &[Message],
        now: Time,
        shutdown: &CancellationToken,
    ) -> Result<(), Abandoned> {
        // A stack, the earlier half on top: the order of arrival is kept.
        let mut waiting = vec![0..messages.len()];
        while let Some(range) = waiting.pop() {
            match self.store_persistently(&messages[range.clone()], now, shutdown).await? {
                None => {}
                Some(error) if range.len() == 1 => {
                    let index = range.start;
                    let refused = messages[index].refused_by_database(packet(&batch[index]), now, &error);
                    if let Some(error) = self.store_persistently(&[refused], now, shutdown).await? {
                        tracing::error!("a message was lost: not even its refusal can be stored: {error}");
                    }
                }
                Some(_) => {
                    let middle = range.start + range.len() / 2;
                    waiting.extend([middle..range.end, range.start..middle]);
                }
            }
        }
        Ok(())
    }

    /// Stores messages, waiting for the database as long as it takes; the error where it refuses them.
    async fn store_persistently(
        &mut self,
        messages: &[Message],
        now: Time,
        shutdown: &CancellationToken,
    ) -> Result<Option<sqlx::Error>, Abandoned> {
        let (mut pause, mut keys_are_fresh) = (*PAUSE.start(), false);
        loop {
            match self.attempt(messages, now).await {
                Ok(()) => return Ok(None),
                // A key that is remembered may be of something that was deleted meanwhile.
                Err(WriteError::Data(_)) if !keys_are_fresh => {
                    self.keys.forget();
                    keys_are_fresh = true;
                }
                Err(WriteError::Data(error)) => return Ok(Some(error)),
                Err(error) => {
                    tracing::warn!("ingest waits for the database, nothing is lost: {error}");
                    self.keys.forget();
                    let cancelled = timeout(pause, shutdown.cancelled()).await.is_ok();
                    if cancelled {
                        return Err(Abandoned);
                    }
                    pause = (pause * 2).min(*PAUSE.end());
                }
            }
        }
    }

    async fn attempt(&mut self, messages: &[Message], now: Time) -> Result<(), WriteError> {
        let Ingest { pool, organisation, .. } = &self.ingest;
        let context = Context { pool, organisation: *organisation, client_id: &self.client_id, now };
        timeout(STORE, store(context, &mut self.keys, messages)).await.map_err(|_| WriteError::Silent)??;
        Ok(())
    }

    /// Tells everyone else what came.
    fn announce(&mut self, messages: &[Message]) {
        let devices: BTreeSet<String> =
            messages.iter().filter_map(|message| message.device.as_ref().map(ToString::to_string)).collect();
        self.ingest.live.changed(devices);
        let online =
            |message: &Message| matches!(&message.content, Content::Status(s) if s.state == DeviceState::Online);
        if messages.iter().any(online) {
            self.ingest.commands.wake();
        }
        self.refused.note(messages);
    }
}

fn packet(delivery: &Delivery) -> Packet<'_> {
    let publish = &delivery.publish;
    Packet {
        // What is not UTF-8 is not a topic: the broker would not have taken it.
        topic: std::str::from_utf8(&publish.topic).unwrap_or_default(),
        payload: &publish.payload,
        packet_id: publish.pkid,
        redelivered: publish.dup,
        retained: publish.retain,
    }
}

/// What has arrived so far, `first` and as much as fits a batch.
fn batch(first: Delivery, incoming: &mut mpsc::Receiver<Delivery>) -> Vec<Delivery> {
    let mut bytes = first.publish.payload.len();
    let mut batch = vec![first];
    while bytes < BATCH_BYTES
        && let Ok(next) = incoming.try_recv()
    {
        bytes += next.publish.payload.len();
        batch.push(next);
    }
    batch
}

/// Says that messages are refused, but not every time.
#[derive(Debug, Default)]
struct RefusedLog {
    last: Option<Instant>,
    count: usize,
}

impl RefusedLog {
    fn note(&mut self, messages: &[Message]) {
        let mut newest = None;
        for rejection in messages.iter().flat_map(|message| &message.rejections) {
            self.count += 1;
            newest = Some(rejection);
        }
        if let Some(rejection) = newest
            && self.last.is_none_or(|last| last.elapsed() >= LOG_INTERVAL)
        {
            let (count, topic, reason) = (self.count, &rejection.topic, &rejection.reason);
            tracing::warn!("{count} messages or readings refused since the last such line; {topic}: {reason}");
            *self = Self { last: Some(Instant::now()), count: 0 };
        }
    }
}
