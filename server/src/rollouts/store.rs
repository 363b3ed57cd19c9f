//! The rollouts' SQL.

use super::request::Minute;
use super::{LogEntry, NewRollout, Plan, Rollout, RolloutState, Standing, Wave, Window, sizes};
use crate::state::OrganisationId;
use crate::time::Time;
use sqlx::{PgConnection, PgPool};
use std::collections::HashMap;

/// Rollouts that one answer of the API lists.
const LISTED: i64 = 100;

/// The newest 100 rollouts, the newest first.
///
/// # Errors
/// The database's.
pub(crate) async fn list(pool: &PgPool, organisation: OrganisationId) -> Result<Vec<Rollout>, sqlx::Error> {
    select(pool, organisation, None).await
}

/// One rollout; `None` when there is none of that id.
///
/// # Errors
/// The database's.
pub(crate) async fn find(pool: &PgPool, organisation: OrganisationId, id: i64) -> Result<Option<Rollout>, sqlx::Error> {
    Ok(select(pool, organisation, Some(id)).await?.pop())
}

async fn select(pool: &PgPool, organisation: OrganisationId, id: Option<i64>) -> Result<Vec<Rollout>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"SELECT o.id, o.name, o.release_id, r.version, o.state, o.reason, o.max_in_flight,
               o.starts_at AS "starts_at: Time", o.window_from, o.window_to, o.target, o.from_versions,
               o.created_at AS "created_at!: Time", o.updated_at AS "updated_at!: Time"
           FROM rollouts o JOIN releases r ON r.id = o.release_id
           WHERE o.organisation_id = $1 AND ($2::bigint IS NULL OR o.id = $2)
           ORDER BY o.id DESC LIMIT $3"#,
        organisation.0,
        id,
        LISTED
    )
    .fetch_all(pool)
    .await?;
    let ids: Vec<i64> = rows.iter().map(|row| row.id).collect();
    let mut waves = waves(&mut *pool.acquire().await?, &ids).await?;
    Ok(rows
        .into_iter()
        .map(|row| Rollout {
            waves: waves.remove(&row.id).unwrap_or_default(),
            id: row.id,
            name: row.name,
            release_id: row.release_id,
            version: row.version,
            state: RolloutState::from_database(&row.state),
            reason: row.reason,
            max_in_flight: row.max_in_flight,
            starts_at: row.starts_at,
            window: window(row.window_from, row.window_to),
            target: row.target,
            from_versions: row.from_versions,
            created_at: row.created_at,
            updated_at: row.updated_at,
        })
        .collect())
}

fn window(from: Option<i16>, to: Option<i16>) -> Option<Window> {
    from.zip(to).map(|(from, to)| Window { from: Minute(from), to: Minute(to) })
}

/// How the waves of each rollout stand, in order.
async fn waves(connection: &mut PgConnection, ids: &[i64]) -> Result<HashMap<i64, Vec<Wave>>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"SELECT w.rollout_id, w.number, w.size, w.success_threshold_percent, w.error_threshold_percent,
               w.started_at AS "started_at: Time", w.accepted_failures,
               count(*) FILTER (WHERE d.state = 'scheduled') AS "scheduled!",
               count(*) FILTER (WHERE d.state IN ('offered', 'downloading', 'installing', 'rebooting')) AS "in_flight!",
               count(*) FILTER (WHERE d.state = 'succeeded') AS "succeeded!",
               count(*) FILTER (WHERE d.state = 'failed') AS "failed!",
               count(*) FILTER (WHERE d.state = 'rolled_back') AS "rolled_back!",
               count(*) FILTER (WHERE d.state = 'cancelled') AS "cancelled!"
           FROM rollout_waves w LEFT JOIN deployments d ON d.rollout_id = w.rollout_id AND d.wave = w.number
           WHERE w.rollout_id = ANY ($1) GROUP BY w.rollout_id, w.number ORDER BY w.rollout_id, w.number"#,
        ids
    )
    .fetch_all(connection)
    .await?;
    let mut waves: HashMap<i64, Vec<Wave>> = HashMap::new();
    for row in rows {
        waves.entry(row.rollout_id).or_default().push(Wave {
            number: row.number,
            size: row.size,
            success_threshold_percent: row.success_threshold_percent,
            error_threshold_percent: row.error_threshold_percent,
            started_at: row.started_at,
            accepted_failures: row.accepted_failures,
            scheduled: row.scheduled,
            in_flight: row.in_flight,
            succeeded: row.succeeded,
            failed: row.failed,
            rolled_back: row.rolled_back,
            cancelled: row.cancelled,
        });
    }
    Ok(waves)
}

impl From<&Wave> for Standing {
    fn from(wave: &Wave) -> Self {
        // A count of devices fits; a wave's size is an integer in the database.
        let count = |number: i64| u32::try_from(number).unwrap_or_default();
        Self {
            started: wave.started_at.is_some(),
            scheduled: count(wave.scheduled),
            in_flight: count(wave.in_flight),
            succeeded: count(wave.succeeded),
            failed: count(wave.failed + wave.rolled_back - i64::from(wave.accepted_failures)),
            success_threshold_percent: count(wave.success_threshold_percent.into()),
            error_threshold_percent: count(wave.error_threshold_percent.into()),
        }
    }
}

/// The log of a rollout, the oldest entry first.
///
/// # Errors
/// The database's.
pub(crate) async fn log(pool: &PgPool, id: i64) -> Result<Vec<LogEntry>, sqlx::Error> {
    sqlx::query_as!(
        LogEntry,
        r#"SELECT at AS "at!: Time", event FROM rollout_events WHERE rollout_id = $1 ORDER BY id"#,
        id
    )
    .fetch_all(pool)
    .await
}

/// Makes a rollout with its waves and deployments.
pub(super) async fn create(
    connection: &mut PgConnection,
    organisation: OrganisationId,
    new: &NewRollout,
    devices: &[i32],
) -> Result<i64, sqlx::Error> {
    let id = sqlx::query_scalar!(
        "INSERT INTO rollouts (organisation_id, name, release_id, state, max_in_flight, starts_at, window_from,
             window_to, target, from_versions)
         VALUES ($1, $2, $3, 'scheduled', $4, $5, $6, $7, $8, $9) RETURNING id",
        organisation.0,
        new.name,
        new.release,
        i32::from(new.max_in_flight),
        new.starts_at as Option<Time>,
        new.window.map(|window| window.from.0),
        new.window.map(|window| window.to.0),
        serde_json::json!(new.target),
        new.from_versions.as_deref()
    )
    .fetch_one(&mut *connection)
    .await?;
    let mut rest = devices;
    for ((number, wave), size) in (1_i32..).zip(&new.waves).zip(sizes(devices.len(), &new.waves)) {
        let (members, left) = rest.split_at(size);
        rest = left;
        sqlx::query!(
            "INSERT INTO rollout_waves (rollout_id, number, size, success_threshold_percent, error_threshold_percent)
             VALUES ($1, $2, $3, $4, $5)",
            id,
            number,
            i32::try_from(size).unwrap_or(i32::MAX),
            i16::from(wave.success_threshold_percent),
            i16::from(wave.error_threshold_percent)
        )
        .execute(&mut *connection)
        .await?;
        sqlx::query!(
            "WITH new AS (
                 INSERT INTO deployments (organisation_id, device_key, release_id, rollout_id, wave, state, confirmed)
                 SELECT $1, v.key, $2, $3, $4, 'scheduled', v.auto_confirm
                 FROM UNNEST($5::integer[]) WITH ORDINALITY AS member (key, place) JOIN devices v USING (key)
                 ORDER BY member.place RETURNING id)
             INSERT INTO deployment_events (deployment_id, state, source) SELECT id, 'scheduled', 'server' FROM new",
            organisation.0,
            new.release,
            id,
            number,
            members
        )
        .execute(&mut *connection)
        .await?;
    }
    Ok(id)
}

/// A rollout, locked, with how it stands.
pub(super) struct Locked {
    pub(super) state: RolloutState,
    pub(super) version: String,
    pub(super) max_in_flight: i32,
    pub(super) starts_at: Option<Time>,
    pub(super) window: Option<Window>,
    pub(super) waves: Vec<Wave>,
}

/// Locks a rollout until the transaction ends. What is read of its deployments afterwards is committed, and none of
/// them enters flight meanwhile.
pub(super) async fn lock(
    connection: &mut PgConnection,
    organisation: OrganisationId,
    id: i64,
) -> Result<Option<Locked>, sqlx::Error> {
    let row = sqlx::query!(
        r#"SELECT o.state, r.version, o.max_in_flight, o.starts_at AS "starts_at: Time", o.window_from, o.window_to
           FROM rollouts o JOIN releases r ON r.id = o.release_id
           WHERE o.organisation_id = $1 AND o.id = $2 FOR UPDATE OF o"#,
        organisation.0,
        id
    )
    .fetch_optional(&mut *connection)
    .await?;
    let Some(row) = row else { return Ok(None) };
    Ok(Some(Locked {
        state: RolloutState::from_database(&row.state),
        version: row.version,
        max_in_flight: row.max_in_flight,
        starts_at: row.starts_at,
        window: window(row.window_from, row.window_to),
        waves: waves(connection, &[id]).await?.remove(&id).unwrap_or_default(),
    }))
}

/// The rollouts that go on by themselves.
pub(super) async fn active(pool: &PgPool) -> Result<Vec<i64>, sqlx::Error> {
    sqlx::query_scalar!("SELECT id FROM rollouts WHERE state IN ('scheduled', 'running') ORDER BY id")
        .fetch_all(pool)
        .await
}

/// Sets a rollout's state, and notes it in the log.
pub(super) async fn set_state(
    connection: &mut PgConnection,
    id: i64,
    state: RolloutState,
    reason: Option<&str>,
    event: &str,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "UPDATE rollouts SET state = $2, reason = $3, updated_at = clock_timestamp() WHERE id = $1",
        id,
        state.as_str(),
        reason
    )
    .execute(&mut *connection)
    .await?;
    note(connection, id, event).await
}

/// Adds an entry to a rollout's log.
pub(super) async fn note(connection: &mut PgConnection, id: i64, event: &str) -> Result<(), sqlx::Error> {
    sqlx::query!("INSERT INTO rollout_events (rollout_id, event) VALUES ($1, $2)", id, event)
        .execute(connection)
        .await?;
    Ok(())
}

/// A deployment that was offered.
#[derive(Debug)]
pub(super) struct Offered {
    pub(super) device_id: String,
    pub(super) online: bool,
}

/// Starts the waves and offers the deployments that the plan wants. A device that is at another update is left waiting.
pub(super) async fn carry_out(
    connection: &mut PgConnection,
    id: i64,
    plan: &Plan,
) -> Result<Vec<Offered>, sqlx::Error> {
    let number = |place: usize| i32::try_from(place + 1).unwrap_or(i32::MAX);
    for place in &plan.starts {
        sqlx::query!(
            "UPDATE rollout_waves SET started_at = clock_timestamp() WHERE rollout_id = $1 AND number = $2",
            id,
            number(*place)
        )
        .execute(&mut *connection)
        .await?;
        note(connection, id, &format!("wave {} started", place + 1)).await?;
    }
    let mut offered = Vec::new();
    for (place, offers) in &plan.offers {
        offered.extend(offer(connection, id, number(*place), i64::from(*offers)).await?);
    }
    Ok(offered)
}

/// Offers the next deployments of a wave: those never offered first, of connected devices before others.
async fn offer(connection: &mut PgConnection, id: i64, wave: i32, limit: i64) -> Result<Vec<Offered>, sqlx::Error> {
    sqlx::query_as!(
        Offered,
        r#"WITH next AS (
               SELECT d.id FROM deployments d JOIN devices v ON v.key = d.device_key
               WHERE d.rollout_id = $1 AND d.wave = $2 AND d.state = 'scheduled' AND NOT EXISTS (
                   SELECT 1 FROM deployments other WHERE other.device_key = d.device_key
                       AND other.state IN ('offered', 'downloading', 'installing', 'rebooting'))
               ORDER BY d.offers, (v.state = 'online') DESC, d.id LIMIT $3 FOR UPDATE OF d),
           offered AS (
               UPDATE deployments d SET state = 'offered', offers = d.offers + 1, offered_at = clock_timestamp(),
                   updated_at = clock_timestamp(), from_version = v.version
               FROM next, devices v WHERE d.id = next.id AND v.key = d.device_key
               RETURNING d.id, v.id AS device_id, v.state = 'online' AS online),
           noted AS (
               INSERT INTO deployment_events (deployment_id, state, source) SELECT id, 'offered', 'server' FROM offered)
           SELECT device_id, online AS "online!" FROM offered"#,
        id,
        wave,
        limit
    )
    .fetch_all(connection)
    .await
}

/// Accepts the failures so far: they no longer count.
pub(super) async fn accept_failures(connection: &mut PgConnection, id: i64) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "UPDATE rollout_waves w SET accepted_failures = (
             SELECT count(*) FROM deployments d
             WHERE d.rollout_id = w.rollout_id AND d.wave = w.number AND d.state IN ('failed', 'rolled_back'))
         WHERE w.rollout_id = $1",
        id
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Takes out every device that has not begun, and has the others asked to cancel. Returns the devices.
pub(super) async fn cancel_deployments(connection: &mut PgConnection, id: i64) -> Result<Vec<String>, sqlx::Error> {
    sqlx::query_scalar!(
        r#"WITH ended AS (
               UPDATE deployments d SET updated_at = clock_timestamp(),
                   state = CASE WHEN d.fetched_at IS NULL THEN 'cancelled' ELSE d.state END,
                   finished_at = CASE WHEN d.fetched_at IS NULL THEN clock_timestamp() END,
                   cancel_requested = d.fetched_at IS NOT NULL
               FROM devices v
               WHERE v.key = d.device_key AND d.rollout_id = $1
                   AND d.state IN ('scheduled', 'offered', 'downloading', 'installing', 'rebooting')
               RETURNING d.id, d.state, v.id AS device_id),
           noted AS (
               INSERT INTO deployment_events (deployment_id, state, source, details)
               SELECT id, state, 'server', ARRAY['the rollout was cancelled'] FROM ended)
           SELECT device_id FROM ended"#,
        id
    )
    .fetch_all(connection)
    .await
}
