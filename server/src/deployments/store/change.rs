//! What changes deployments. A change locks the deployment's row, asks the state machine, and notes what happened.

use crate::deployments::feedback::CancelAnswer;
use crate::deployments::{DeploymentState, Event, Feedback, Given, LAPSE_MINUTES, Outcome, SILENCE_HOURS, next};
use crate::state::OrganisationId;
use sqlx::{PgConnection, PgPool};

/// Entries of a timeline that are kept; after that only changes of state are.
const TIMELINE: i64 = 1_000;

/// Notes that a device has looked at its deployment, which keeps the offer from lapsing; `false` when that has
/// happened already.
pub(crate) async fn fetched(pool: &PgPool, id: i64) -> Result<bool, sqlx::Error> {
    let kept = sqlx::query!(
        "UPDATE deployments SET fetched_at = coalesce(fetched_at, clock_timestamp())
         WHERE id = $1 AND state IN ('offered', 'downloading', 'installing', 'rebooting')",
        id
    )
    .execute(pool)
    .await?;
    Ok(kept.rows_affected() > 0)
}

/// Gives devices a release at once; those that are at another deployment are left out.
pub(crate) async fn create(
    pool: &PgPool,
    organisation: OrganisationId,
    device_keys: &[i32],
    release_id: i64,
) -> Result<Vec<Given>, sqlx::Error> {
    sqlx::query_as!(
        Given,
        r#"WITH given AS (
               INSERT INTO deployments (organisation_id, device_key, release_id, state, offers, offered_at,
                   from_version, confirmed)
               SELECT $1, key, $3, 'offered', 1, clock_timestamp(), version, auto_confirm
               FROM devices WHERE key = ANY ($2) ORDER BY id
               ON CONFLICT (device_key) WHERE state IN ('offered', 'downloading', 'installing', 'rebooting') DO NOTHING
               RETURNING id, device_key),
           noted AS (
               INSERT INTO deployment_events (deployment_id, state, source)
               SELECT id, 'offered', 'server' FROM given)
           SELECT given.id, v.id AS device_id, v.state = 'online' AS "online!"
           FROM given JOIN devices v ON v.key = given.device_key ORDER BY v.id"#,
        organisation.0,
        device_keys,
        release_id
    )
    .fetch_all(pool)
    .await
}

/// A deployment, locked.
struct Locked {
    state: DeploymentState,
    rollout_id: Option<i64>,
    cancel_requested: bool,
    confirmed: bool,
    fetched: bool,
}

async fn lock(connection: &mut PgConnection, device_key: i32, id: i64) -> Result<Option<Locked>, sqlx::Error> {
    let row = sqlx::query!(
        r#"SELECT state, rollout_id, cancel_requested, confirmed, fetched_at IS NOT NULL AS "fetched!"
           FROM deployments WHERE id = $1 AND device_key = $2 FOR UPDATE"#,
        id,
        device_key
    )
    .fetch_optional(connection)
    .await?;
    Ok(row.map(|row| Locked {
        state: DeploymentState::from_database(&row.state),
        rollout_id: row.rollout_id,
        cancel_requested: row.cancel_requested,
        confirmed: row.confirmed,
        fetched: row.fetched,
    }))
}

/// Applies what a device says of its deployment.
pub(crate) async fn feedback(
    pool: &PgPool,
    device_key: i32,
    id: i64,
    feedback: &Feedback,
) -> Result<Outcome, sqlx::Error> {
    let mut transaction = pool.begin().await?;
    let Some(locked) = lock(&mut transaction, device_key, id).await? else { return Ok(Outcome::Unknown) };
    if locked.state.is_final() {
        return Ok(Outcome::Over(locked.state));
    }
    if !locked.state.is_in_flight() || !locked.confirmed {
        return Ok(Outcome::Unknown);
    }
    let after = feedback.event(locked.state).map_or(Ok(locked.state), |event| next(locked.state, event));
    // Whatever a device may say is legal while its deployment is in flight.
    let Ok(after) = after else { return Ok(Outcome::Unknown) };
    say(&mut transaction, id, locked.state, after, feedback).await?;
    transaction.commit().await?;
    Ok(Outcome::Noted { state: after, changed: after != locked.state, rollout_id: locked.rollout_id })
}

/// Applies a device's answer to the request to cancel.
pub(crate) async fn cancel_feedback(
    pool: &PgPool,
    device_key: i32,
    id: i64,
    feedback: &Feedback,
) -> Result<Outcome, sqlx::Error> {
    let mut transaction = pool.begin().await?;
    let Some(locked) = lock(&mut transaction, device_key, id).await? else { return Ok(Outcome::Unknown) };
    if locked.state.is_final() {
        return Ok(Outcome::Over(locked.state));
    }
    if !locked.cancel_requested {
        return Ok(Outcome::Unknown);
    }
    let answer = feedback.cancel_answer();
    let after = match answer {
        CancelAnswer::Agreed => next(locked.state, Event::Cancel).unwrap_or(locked.state),
        CancelAnswer::Refused | CancelAnswer::Pending => locked.state,
    };
    if answer != CancelAnswer::Pending {
        sqlx::query!("UPDATE deployments SET cancel_requested = false WHERE id = $1", id)
            .execute(&mut *transaction)
            .await?;
    }
    say(&mut transaction, id, locked.state, after, feedback).await?;
    transaction.commit().await?;
    Ok(Outcome::Noted { state: after, changed: after != locked.state, rollout_id: locked.rollout_id })
}

/// Notes what a device says, and the state after it.
async fn say(
    connection: &mut PgConnection,
    id: i64,
    before: DeploymentState,
    after: DeploymentState,
    feedback: &Feedback,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "UPDATE deployments SET state = $2, detail = coalesce($3, detail), progress_percent = $4,
             updated_at = clock_timestamp(), fetched_at = coalesce(fetched_at, clock_timestamp()),
             finished_at = CASE WHEN $5 THEN clock_timestamp() END
         WHERE id = $1",
        id,
        after.as_str(),
        feedback.details.first(),
        feedback.progress_percent,
        after.is_final()
    )
    .execute(&mut *connection)
    .await?;
    let kept = sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM (SELECT 1 FROM deployment_events WHERE deployment_id = $1 LIMIT $2) kept"#,
        id,
        TIMELINE
    )
    .fetch_one(&mut *connection)
    .await?;
    if kept < TIMELINE || before != after {
        note(connection, id, after, Some(feedback.execution.as_str()), &feedback.details).await?;
    }
    Ok(())
}

/// Adds an entry to a timeline: the device's with its execution status, else the server's.
pub(crate) async fn note(
    connection: &mut PgConnection,
    id: i64,
    state: DeploymentState,
    execution: Option<&str>,
    details: &[String],
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "INSERT INTO deployment_events (deployment_id, state, source, execution, details)
         VALUES ($1, $2, CASE WHEN $3::text IS NULL THEN 'server' ELSE 'device' END, $3, $4)",
        id,
        state.as_str(),
        execution,
        details
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Notes that a device has begun to fetch the bundle, where it has not before; returns the rollout that this is part of.
pub(crate) async fn download_begins(
    pool: &PgPool,
    device_key: i32,
    release_id: i64,
) -> Result<Option<Option<i64>>, sqlx::Error> {
    let mut transaction = pool.begin().await?;
    let begun = sqlx::query!(
        "UPDATE deployments SET state = 'downloading', updated_at = clock_timestamp(),
             fetched_at = coalesce(fetched_at, clock_timestamp())
         WHERE device_key = $1 AND release_id = $2 AND state = 'offered' RETURNING id, rollout_id",
        device_key,
        release_id
    )
    .fetch_optional(&mut *transaction)
    .await?;
    let Some(begun) = begun else { return Ok(None) };
    let details = ["the device fetches the bundle".to_owned()];
    note(&mut transaction, begun.id, DeploymentState::Downloading, None, &details).await?;
    transaction.commit().await?;
    Ok(Some(begun.rollout_id))
}

/// Cancels: at once what the device has not looked at, or whatever it is where `force`; else the device is asked.
pub(crate) async fn cancel(pool: &PgPool, device_key: i32, id: i64, force: bool) -> Result<Outcome, sqlx::Error> {
    let mut transaction = pool.begin().await?;
    let Some(locked) = lock(&mut transaction, device_key, id).await? else { return Ok(Outcome::Unknown) };
    let Ok(cancelled) = next(locked.state, Event::Cancel) else { return Ok(Outcome::Over(locked.state)) };
    let at_once = force || !locked.fetched;
    let after = if at_once { cancelled } else { locked.state };
    sqlx::query!(
        "UPDATE deployments SET state = $2, cancel_requested = NOT $3, updated_at = clock_timestamp(),
             finished_at = CASE WHEN $3 THEN clock_timestamp() END
         WHERE id = $1",
        id,
        after.as_str(),
        at_once
    )
    .execute(&mut *transaction)
    .await?;
    let details = match (at_once, locked.fetched) {
        (true, true) => "cancelled without the device's consent",
        (true, false) => "cancelled before the device looked at it",
        (false, _) => "the device is asked to cancel",
    };
    note(&mut transaction, id, after, None, &[details.to_owned()]).await?;
    transaction.commit().await?;
    Ok(Outcome::Noted { state: after, changed: at_once, rollout_id: locked.rollout_id })
}

/// Takes a device's consent, or notes that it is denied.
pub(crate) async fn confirm(
    pool: &PgPool,
    device_key: i32,
    id: i64,
    consents: bool,
    details: &[String],
) -> Result<Outcome, sqlx::Error> {
    let mut transaction = pool.begin().await?;
    let Some(locked) = lock(&mut transaction, device_key, id).await? else { return Ok(Outcome::Unknown) };
    if locked.state.is_final() {
        return Ok(Outcome::Over(locked.state));
    }
    if !locked.state.is_in_flight() || locked.confirmed {
        return Ok(Outcome::Unknown);
    }
    sqlx::query!(
        "UPDATE deployments SET confirmed = $2, updated_at = clock_timestamp(),
             fetched_at = coalesce(fetched_at, clock_timestamp()) WHERE id = $1",
        id,
        consents
    )
    .execute(&mut *transaction)
    .await?;
    let execution = if consents { "confirmed" } else { "denied" };
    note(&mut transaction, id, locked.state, Some(execution), details).await?;
    transaction.commit().await?;
    Ok(Outcome::Noted { state: locked.state, changed: false, rollout_id: locked.rollout_id })
}

/// Consents to what waits for it, once a device has turned automatic consent on.
pub(crate) async fn confirm_all(pool: &PgPool, device_key: i32) -> Result<(), sqlx::Error> {
    sqlx::query!("UPDATE deployments SET confirmed = true WHERE device_key = $1 AND NOT confirmed", device_key)
        .execute(pool)
        .await?;
    Ok(())
}

/// A deployment that the server has ended or taken back.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) device_id: String,
    pub(crate) rollout_id: Option<i64>,
}

/// Ends what no device has said a word about for too long.
pub(crate) async fn fail_silent(pool: &PgPool) -> Result<Vec<Ended>, sqlx::Error> {
    sqlx::query_as!(
        Ended,
        r#"WITH silent AS (
               UPDATE deployments d SET state = 'failed', finished_at = clock_timestamp(), updated_at = clock_timestamp(),
                   detail = 'the device has said nothing for ' || $1::integer || ' hours'
               FROM devices v
               WHERE v.key = d.device_key AND d.state IN ('offered', 'downloading', 'installing', 'rebooting')
                   AND d.fetched_at IS NOT NULL AND d.confirmed AND d.updated_at < now() - make_interval(hours => $1)
               RETURNING d.id, v.id AS device_id, d.rollout_id, d.detail),
           noted AS (
               INSERT INTO deployment_events (deployment_id, state, source, details)
               SELECT id, 'failed', 'server', ARRAY[detail] FROM silent)
           SELECT device_id, rollout_id FROM silent"#,
        SILENCE_HOURS
    )
    .fetch_all(pool)
    .await
}

/// Takes back the offers of a rollout that no device has looked at for too long.
pub(crate) async fn lapse(connection: &mut PgConnection, rollout_id: i64) -> Result<Vec<String>, sqlx::Error> {
    sqlx::query_scalar!(
        r#"WITH lapsed AS (
               UPDATE deployments d SET state = 'scheduled', updated_at = clock_timestamp()
               FROM devices v
               WHERE v.key = d.device_key AND d.rollout_id = $1 AND d.state = 'offered' AND d.fetched_at IS NULL
                   AND d.offered_at < now() - make_interval(mins => $2)
               RETURNING d.id, v.id AS device_id),
           noted AS (
               INSERT INTO deployment_events (deployment_id, state, source, details)
               SELECT id, 'scheduled', 'server', ARRAY['the device did not ask: another one takes its place'] FROM lapsed)
           SELECT device_id FROM lapsed"#,
        rollout_id,
        LAPSE_MINUTES
    )
    .fetch_all(connection)
    .await
}
