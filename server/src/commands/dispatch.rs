//! Publishes queued commands to their devices.

use super::publish::{Message, PublishError, Publisher, WINDOW};
use super::{CommandRecord, store};
use crate::live::Live;
use crate::mqtt::Backoff;
use crate::state::OrganisationId;
use crate::time::Time;
use microkernel_wire::{Channel, Command, CommandName, Topic};
use rumqttc::v5::MqttOptions;
use rumqttc::v5::mqttbytes::v5::PubAckReason;
use sqlx::PgPool;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

/// A command that its device has not fetched within this time is given up.
const EXPIRY_DAYS: i32 = 7;
/// Queued commands are looked for this often even when nobody says that there are any.
const SWEEP: Duration = Duration::from_secs(60);
/// The same while some wait for a device that is not subscribed, or while another server dispatches.
const SWEEP_WAITING: Duration = Duration::from_secs(5);

/// Takes commands for devices. Cheap to clone.
#[derive(Debug, Clone)]
pub struct CommandDispatcher {
    pool: PgPool,
    live: Live,
    wake: Arc<Notify>,
}

impl CommandDispatcher {
    /// The dispatcher, and the task that publishes what it takes.
    pub fn new(pool: PgPool, live: Live) -> (Self, Dispatch) {
        let dispatcher = Self { pool, live, wake: Arc::default() };
        (dispatcher.clone(), Dispatch { dispatcher })
    }

    /// Takes a command for a device; `None` when there is no such device. It is in the database when this returns, and
    /// on its way soon after.
    ///
    /// # Errors
    /// The database's.
    pub async fn create(
        &self,
        organisation: OrganisationId,
        device_id: &str,
        command: &CommandName,
        payload: &serde_json::Value,
    ) -> Result<Option<CommandRecord>, sqlx::Error> {
        let record = store::create(&self.pool, organisation, device_id, command, payload).await?;
        if record.is_some() {
            self.wake();
            self.live.changed([device_id.to_owned()]);
        }
        Ok(record)
    }

    /// Says that queued commands may find their device now.
    pub(crate) fn wake(&self) {
        self.wake.notify_one();
    }
}

/// Why a round of publishing ended early.
#[derive(Debug, thiserror::Error)]
enum DispatchError {
    #[error("broker: {0}")]
    Broker(#[from] PublishError),
    #[error("database: {0}")]
    Database(#[from] sqlx::Error),
}

/// The task that publishes queued commands: those from before it started too.
#[derive(Debug)]
pub struct Dispatch {
    dispatcher: CommandDispatcher,
}

impl Dispatch {
    /// Publishes until `shutdown`, through failures of the broker and of the database.
    pub async fn run(self, options: MqttOptions, shutdown: CancellationToken) {
        shutdown.run_until_cancelled(self.reconnect(options)).await;
    }

    async fn reconnect(&self, options: MqttOptions) {
        let mut backoff = Backoff::new();
        loop {
            match Publisher::connect(options.clone()).await {
                Ok(mut publisher) => {
                    backoff.reset();
                    let error = self.serve(&mut publisher).await;
                    tracing::warn!("commands wait: {error}");
                }
                // The ingest, which connects to the same broker, says it louder.
                Err(error) => tracing::debug!("commands wait for the broker: {error}"),
            }
            sleep(backoff.next()).await;
        }
    }

    /// Publishes whenever there is something, until something fails.
    async fn serve(&self, publisher: &mut Publisher) -> DispatchError {
        loop {
            let waiting = match self.round(publisher).await {
                Ok(waiting) => waiting,
                Err(error) => return error,
            };
            let next = Instant::now() + if waiting { SWEEP_WAITING } else { SWEEP };
            tokio::select! {
                () = self.dispatcher.wake.notified() => {}
                () = sleep_until(next) => {}
                error = publisher.lost() => return error.into(),
            }
        }
    }

    /// Publishes everything that is queued, the oldest first; `true` where something is left to wait.
    async fn round(&self, publisher: &mut Publisher) -> Result<bool, DispatchError> {
        let pool = &self.dispatcher.pool;
        self.dispatcher.live.changed(store::expire(pool, EXPIRY_DAYS).await?);
        let mut turn = pool.begin().await?;
        if !store::become_dispatcher(&mut turn).await? {
            return Ok(true);
        }
        let (mut after, mut waiting) = (None, false);
        loop {
            let commands = store::queued(&mut turn, after, WINDOW as i64).await?;
            let Some(last) = commands.last() else { break };
            after = Some((last.created_at, last.id));
            waiting |= self.publish(publisher, commands).await?;
        }
        turn.commit().await?;
        Ok(waiting)
    }

    async fn publish(&self, publisher: &mut Publisher, commands: Vec<store::Queued>) -> Result<bool, DispatchError> {
        let pool = &self.dispatcher.pool;
        let (commands, messages): (Vec<_>, Vec<_>) =
            commands.into_iter().filter_map(|command| message(&command).map(|message| (command, message))).unzip();
        let reasons = publisher.publish(messages).await?;
        let (mut sent, mut waiting) = (vec![], false);
        for (command, reason) in commands.iter().zip(reasons) {
            match reason {
                PubAckReason::Success => sent.push(command.id),
                // The device has no session with the broker, which therefore kept nothing.
                PubAckReason::NoMatchingSubscribers => waiting = true,
                PubAckReason::NotAuthorized => {
                    let refused = "the broker does not let this server publish to devices/+/commands: allow it there";
                    store::fail(pool, command.id, refused).await?;
                }
                other => {
                    tracing::warn!(
                        "the broker did not take command {} to {}: {other:?}",
                        command.id,
                        command.device_id
                    );
                    waiting = true;
                }
            }
        }
        store::sent(pool, &sent).await?;
        self.dispatcher.live.changed(commands.into_iter().map(|command| command.device_id));
        Ok(waiting)
    }
}

/// The message of a command. `None` never happens: the registry holds only valid device ids.
fn message(command: &store::Queued) -> Option<Message> {
    let topic = Topic::new(command.device_id.parse().ok()?, Channel::Commands);
    let age_seconds = (Time::now().as_micros() - command.created_at.as_micros()).max(0) / 1_000_000;
    let left_seconds = i64::from(EXPIRY_DAYS) * 86_400 - age_seconds;
    let payload = Command {
        id: command.id.to_string(),
        command: CommandName::from(command.command.clone()),
        payload: command.payload.clone(),
        timestamp: Some(command.created_at.0),
    };
    Some(Message {
        topic: topic.to_string(),
        payload: serde_json::to_vec(&payload).ok()?,
        expiry_seconds: u32::try_from(left_seconds.max(1)).ok()?,
    })
}
