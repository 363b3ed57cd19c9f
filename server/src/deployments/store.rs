//! The deployments' SQL: reading here, changes in [`change`].

mod change;

pub(crate) use change::*;

use super::{Deployment, DeploymentDetail, DeploymentState, TimelineEntry};
use crate::state::OrganisationId;
use crate::time::Time;
use sqlx::PgPool;

/// Deployments that one answer of the API lists.
const LISTED: i64 = 100;

/// A row of `deployments` with what is shown of its device and its release.
struct Row {
    id: i64,
    device_id: String,
    release_id: i64,
    version: String,
    rollout_id: Option<i64>,
    wave: Option<i32>,
    state: String,
    cancel_requested: bool,
    confirmed: bool,
    from_version: Option<String>,
    detail: Option<String>,
    progress_percent: Option<i16>,
    created_at: Time,
    offered_at: Option<Time>,
    updated_at: Time,
    finished_at: Option<Time>,
}

impl From<Row> for Deployment {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            device_id: row.device_id,
            release_id: row.release_id,
            version: row.version,
            rollout_id: row.rollout_id,
            wave: row.wave,
            state: DeploymentState::from_database(&row.state),
            cancel_requested: row.cancel_requested,
            confirmed: row.confirmed,
            from_version: row.from_version,
            detail: row.detail,
            progress_percent: row.progress_percent,
            created_at: row.created_at,
            offered_at: row.offered_at,
            updated_at: row.updated_at,
            finished_at: row.finished_at,
        }
    }
}

/// Which deployments are asked for: those that meet all that is given.
#[derive(Debug, Clone, Copy, Default)]
struct Filter {
    organisation: Option<OrganisationId>,
    device_key: Option<i32>,
    rollout_id: Option<i64>,
    id: Option<i64>,
    limit: Option<i64>,
}

/// The newest 100 deployments of an organisation, the newest first.
///
/// # Errors
/// The database's.
pub(crate) async fn newest(pool: &PgPool, organisation: OrganisationId) -> Result<Vec<Deployment>, sqlx::Error> {
    select(pool, Filter { organisation: Some(organisation), limit: Some(LISTED), ..Filter::default() }).await
}

/// The newest 100 deployments of a device, the newest first.
///
/// # Errors
/// The database's.
pub(crate) async fn of_device(pool: &PgPool, device_key: i32) -> Result<Vec<Deployment>, sqlx::Error> {
    select(pool, Filter { device_key: Some(device_key), limit: Some(LISTED), ..Filter::default() }).await
}

/// All deployments of a rollout, by wave and device.
///
/// # Errors
/// The database's.
pub(crate) async fn of_rollout(pool: &PgPool, rollout_id: i64) -> Result<Vec<Deployment>, sqlx::Error> {
    let mut deployments = select(pool, Filter { rollout_id: Some(rollout_id), ..Filter::default() }).await?;
    deployments.sort_by(|a, b| (a.wave, &a.device_id).cmp(&(b.wave, &b.device_id)));
    Ok(deployments)
}

/// One deployment of a device with its timeline; `None` when it has none of that id.
///
/// # Errors
/// The database's.
pub(crate) async fn find(pool: &PgPool, device_key: i32, id: i64) -> Result<Option<DeploymentDetail>, sqlx::Error> {
    let only = Filter { device_key: Some(device_key), id: Some(id), ..Filter::default() };
    let Some(deployment) = select(pool, only).await?.pop() else { return Ok(None) };
    Ok(Some(DeploymentDetail { deployment, timeline: timeline(pool, id).await? }))
}

async fn select(pool: &PgPool, filter: Filter) -> Result<Vec<Deployment>, sqlx::Error> {
    let rows = sqlx::query_as!(
        Row,
        r#"SELECT d.id, v.id AS device_id, d.release_id, r.version, d.rollout_id, d.wave, d.state, d.cancel_requested,
               d.confirmed, d.from_version, d.detail, d.progress_percent, d.created_at AS "created_at!: Time",
               d.offered_at AS "offered_at: Time", d.updated_at AS "updated_at!: Time",
               d.finished_at AS "finished_at: Time"
           FROM deployments d JOIN devices v ON v.key = d.device_key JOIN releases r ON r.id = d.release_id
           WHERE ($1::integer IS NULL OR d.organisation_id = $1) AND ($2::integer IS NULL OR d.device_key = $2)
               AND ($3::bigint IS NULL OR d.rollout_id = $3) AND ($4::bigint IS NULL OR d.id = $4)
           ORDER BY d.id DESC LIMIT $5"#,
        filter.organisation.map(|organisation| organisation.0),
        filter.device_key,
        filter.rollout_id,
        filter.id,
        filter.limit
    )
    .fetch_all(pool)
    .await?;
    Ok(rows.into_iter().map(Deployment::from).collect())
}

async fn timeline(pool: &PgPool, id: i64) -> Result<Vec<TimelineEntry>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"SELECT at AS "at!: Time", state, source, execution, details FROM deployment_events
           WHERE deployment_id = $1 ORDER BY id"#,
        id
    )
    .fetch_all(pool)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| TimelineEntry {
            at: row.at,
            state: DeploymentState::from_database(&row.state),
            source: row.source,
            execution: row.execution,
            details: row.details,
        })
        .collect())
}

/// The deployment that a device is at.
#[derive(Debug, Clone)]
pub(crate) struct InFlight {
    pub(crate) id: i64,
    pub(crate) cancel_requested: bool,
    pub(crate) confirmed: bool,
}

/// What a device is at; `None` when at nothing.
pub(crate) async fn in_flight(pool: &PgPool, device_key: i32) -> Result<Option<InFlight>, sqlx::Error> {
    sqlx::query_as!(
        InFlight,
        "SELECT id, cancel_requested, confirmed FROM deployments
         WHERE device_key = $1 AND state IN ('offered', 'downloading', 'installing', 'rebooting')",
        device_key
    )
    .fetch_optional(pool)
    .await
}

/// The deployment that made a device what it is: the last that succeeded.
pub(crate) async fn installed(pool: &PgPool, device_key: i32) -> Result<Option<i64>, sqlx::Error> {
    sqlx::query_scalar!(
        "SELECT id FROM deployments WHERE device_key = $1 AND state = 'succeeded' ORDER BY finished_at DESC LIMIT 1",
        device_key
    )
    .fetch_optional(pool)
    .await
}

/// Whether a device may fetch a release: it is at it, or has it.
pub(crate) async fn may_fetch(pool: &PgPool, device_key: i32, release_id: i64) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT 1 FROM deployments WHERE device_key = $1 AND release_id = $2 AND confirmed
               AND state IN ('offered', 'downloading', 'installing', 'rebooting', 'succeeded')) AS "may!""#,
        device_key,
        release_id
    )
    .fetch_one(pool)
    .await
}
