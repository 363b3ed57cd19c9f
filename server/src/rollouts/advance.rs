//! Carries the plan out: whenever a deployment has ended, an operator has changed something, or time has passed.

use super::{NewRollout, Plan, Rollout, RolloutState, Situation, plan, store, topic};
use crate::commands::CommandDispatcher;
use crate::deployments;
use crate::live::Live;
use crate::releases;
use crate::state::OrganisationId;
use crate::targets::{self, TargetError};
use crate::time::Time;
use microkernel_wire::CommandName;
use serde_json::json;
use sqlx::PgPool;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Rollouts are looked at this often even when nobody says that something changed: windows open, starts come, offers
/// lapse, and another server may have ended before it could look.
const TICK: Duration = Duration::from_secs(2);

/// Carries rollouts out. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Rollouts {
    pub(super) pool: PgPool,
    pub(super) organisation: OrganisationId,
    pub(super) live: Live,
    commands: CommandDispatcher,
    due: Arc<Due>,
}

/// The rollouts to be looked at.
#[derive(Debug, Default)]
struct Due {
    ids: Mutex<BTreeSet<i64>>,
    wake: Notify,
}

/// Why there is no new rollout.
#[derive(Debug, thiserror::Error)]
pub enum CreateError {
    /// There is no such release.
    #[error("there is no release {0}: GET /api/v1/releases lists them")]
    NoRelease(i64),
    /// No devices, or others than named.
    #[error(transparent)]
    Target(#[from] TargetError),
    /// The database does not answer.
    #[error("database: {0}")]
    Database(#[from] sqlx::Error),
}

/// What became of a change that an operator wants.
#[derive(Debug)]
pub enum Change {
    /// It is made.
    Done(Box<Rollout>),
    /// There is no such rollout.
    Unknown,
    /// The state does not admit it.
    Illegal(RolloutState),
}

/// What an operator can do to a rollout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    Pause,
    Resume,
    Cancel,
}

impl Rollouts {
    /// Begins to carry out what there is, on `tasks`, until `shutdown`.
    pub fn start(
        pool: PgPool,
        organisation: OrganisationId,
        live: Live,
        commands: CommandDispatcher,
        tasks: &TaskTracker,
        shutdown: CancellationToken,
    ) -> Self {
        let rollouts = Self { pool, organisation, live, commands, due: Arc::default() };
        let carrying = rollouts.clone();
        tasks.spawn(async move {
            shutdown.run_until_cancelled(carrying.carry_on()).await;
        });
        rollouts
    }

    /// Makes a rollout; it begins by itself.
    ///
    /// # Errors
    /// [`CreateError`].
    pub async fn create(&self, new: &NewRollout) -> Result<i64, CreateError> {
        let release = releases::store::find(&self.pool, self.organisation, new.release).await?;
        let release = release.ok_or(CreateError::NoRelease(new.release))?;
        let mut transaction = self.pool.begin().await?;
        let from_versions = new.from_versions.as_deref();
        let resolve =
            targets::store::resolve(&mut transaction, self.organisation, &new.target, from_versions, new.release);
        let devices = resolve.await?;
        new.target.check_found(devices.len(), &release.version)?;
        let id = store::create(&mut transaction, self.organisation, new, &devices).await?;
        store::note(&mut transaction, id, &format!("created for {} devices", devices.len())).await?;
        transaction.commit().await?;
        self.look_at(id);
        Ok(id)
    }

    /// Holds a rollout: nothing more is offered; what is in flight goes on.
    ///
    /// # Errors
    /// The database's.
    pub async fn pause(&self, id: i64) -> Result<Change, sqlx::Error> {
        self.order(id, Order::Pause).await
    }

    /// Goes on with a rollout that is held or has halted; failures so far no longer count.
    ///
    /// # Errors
    /// The database's.
    pub async fn resume(&self, id: i64) -> Result<Change, sqlx::Error> {
        self.order(id, Order::Resume).await
    }

    /// Ends a rollout: devices that have not begun are taken out, the others are asked to cancel.
    ///
    /// # Errors
    /// The database's.
    pub async fn cancel(&self, id: i64) -> Result<Change, sqlx::Error> {
        self.order(id, Order::Cancel).await
    }

    async fn order(&self, id: i64, order: Order) -> Result<Change, sqlx::Error> {
        use RolloutState::{Cancelled, Halted, Paused, Running, Scheduled};
        let mut transaction = self.pool.begin().await?;
        let Some(locked) = store::lock(&mut transaction, self.organisation, id).await? else {
            return Ok(Change::Unknown);
        };
        let (state, event) = match (order, locked.state) {
            (Order::Pause, Scheduled | Running) => (Paused, "paused"),
            (Order::Resume, Paused) => (Scheduled, "resumed"),
            (Order::Resume, Halted) => (Scheduled, "resumed after the halt: failures so far no longer count"),
            (Order::Cancel, Scheduled | Running | Paused | Halted) => (Cancelled, "cancelled"),
            (_, state) => return Ok(Change::Illegal(state)),
        };
        if (order, locked.state) == (Order::Resume, Halted) {
            store::accept_failures(&mut transaction, id).await?;
        }
        let mut devices = Vec::new();
        if order == Order::Cancel {
            devices = store::cancel_deployments(&mut transaction, id).await?;
        }
        store::set_state(&mut transaction, id, state, None, event).await?;
        transaction.commit().await?;
        self.live.changed(devices.into_iter().chain([topic(id)]));
        self.advance(id).await?;
        let rollout = store::find(&self.pool, self.organisation, id).await?;
        Ok(rollout.map_or(Change::Unknown, |rollout| Change::Done(Box::new(rollout))))
    }

    /// Says that a device has news of its deployment.
    pub fn deployment_changed(&self, device_id: &str, rollout_id: Option<i64>) {
        self.live.changed([device_id.to_owned()].into_iter().chain(rollout_id.map(topic)));
        if let Some(id) = rollout_id {
            self.look_at(id);
        }
    }

    /// Tells a connected device that there is something for it. It would find out by itself, a little later.
    pub async fn nudge(&self, device_id: &str, version: &str) {
        let payload = json!({ "version": version });
        let nudged = self.commands.create(self.organisation, device_id, &CommandName::Update, &payload).await;
        if let Err(error) = nudged {
            tracing::warn!("{device_id} could not be told of its update, and finds it when it asks: {error}");
        }
    }

    fn look_at(&self, id: i64) {
        // A panic elsewhere leaves the set whole.
        self.due.ids.lock().unwrap_or_else(PoisonError::into_inner).insert(id);
        self.due.wake.notify_one();
    }

    async fn carry_on(&self) {
        let mut tick = Instant::now();
        loop {
            let woken = tokio::select! {
                () = self.due.wake.notified() => true,
                () = sleep_until(tick) => false,
            };
            if !woken {
                tick = Instant::now() + TICK;
                if let Err(error) = self.look_around().await {
                    tracing::warn!("rollouts wait for the database: {error}");
                }
            }
            let ids = std::mem::take(&mut *self.due.ids.lock().unwrap_or_else(PoisonError::into_inner));
            for id in ids {
                if let Err(error) = self.advance(id).await {
                    // It is looked at again soon.
                    tracing::warn!("rollout {id} waits: {error}");
                }
            }
        }
    }

    /// Notes what has become due by time alone.
    async fn look_around(&self) -> Result<(), sqlx::Error> {
        for ended in deployments::store::fail_silent(&self.pool).await? {
            self.deployment_changed(&ended.device_id, ended.rollout_id);
        }
        for id in store::active(&self.pool).await? {
            self.look_at(id);
        }
        Ok(())
    }

    /// Takes a rollout as far as it can go now, in one transaction that holds it.
    async fn advance(&self, id: i64) -> Result<(), sqlx::Error> {
        let mut transaction = self.pool.begin().await?;
        let Some(mut locked) = store::lock(&mut transaction, self.organisation, id).await? else { return Ok(()) };
        let lapsed = deployments::store::lapse(&mut transaction, id).await?;
        if !lapsed.is_empty() {
            let Some(again) = store::lock(&mut transaction, self.organisation, id).await? else { return Ok(()) };
            locked = again;
        }
        let now = Time::now();
        let situation = Situation {
            state: locked.state,
            is_due: locked.starts_at.is_none_or(|start| start <= now),
            window_open: locked.window.is_none_or(|window| window.is_open(now)),
            max_in_flight: u32::try_from(locked.max_in_flight).unwrap_or_default(),
            waves: locked.waves.iter().map(Into::into).collect(),
        };
        let wanted = plan(&situation);
        if wanted.state != locked.state {
            let event = describe(&wanted);
            store::set_state(&mut transaction, id, wanted.state, wanted.reason.as_deref(), &event).await?;
        }
        let offered = store::carry_out(&mut transaction, id, &wanted).await?;
        transaction.commit().await?;

        let changed = wanted.state != locked.state || !wanted.starts.is_empty();
        if changed || !offered.is_empty() || !lapsed.is_empty() {
            let devices = offered.iter().map(|offered| offered.device_id.clone());
            self.live.changed(devices.chain(lapsed).chain([topic(id)]));
        }
        if let Some(reason) = &wanted.reason {
            tracing::warn!("rollout {id} halted: {reason}");
        }
        for offered in offered.iter().filter(|offered| offered.online) {
            self.nudge(&offered.device_id, &locked.version).await;
        }
        Ok(())
    }
}

fn describe(plan: &Plan) -> String {
    match (&plan.reason, plan.state) {
        (Some(reason), _) => format!("halted: {reason}"),
        (None, state) => state.as_str().to_owned(),
    }
}
