//! The commands' SQL.

use super::{CommandRecord, CommandState};
use crate::state::OrganisationId;
use crate::time::Time;
use microkernel_wire::{CommandName, Response};
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

/// Commands that one answer of the API lists.
const LISTED: i64 = 100;

/// A row of `commands`, from which [`CommandRecord`] is made.
struct Row {
    id: Uuid,
    command: String,
    payload: serde_json::Value,
    state: String,
    detail: Option<serde_json::Value>,
    created_at: Time,
    updated_at: Time,
}

impl From<Row> for CommandRecord {
    fn from(row: Row) -> Self {
        let Row { id, command, payload, state, detail, created_at, updated_at } = row;
        Self { id, command, payload, state: CommandState::from_database(&state), detail, created_at, updated_at }
    }
}

/// The newest 100 commands of a device, the newest first; `None` when there is no such device.
///
/// # Errors
/// The database's.
pub async fn list(
    pool: &PgPool,
    organisation: OrganisationId,
    device_id: &str,
) -> Result<Option<Vec<CommandRecord>>, sqlx::Error> {
    let Some(device_key) = crate::registry::store::key(pool, organisation, device_id).await? else {
        return Ok(None);
    };
    let rows = sqlx::query_as!(
        Row,
        r#"SELECT id, command, payload, state, detail, created_at AS "created_at!: Time",
               updated_at AS "updated_at!: Time"
           FROM commands WHERE device_key = $1 ORDER BY created_at DESC, id LIMIT $2"#,
        device_key,
        LISTED
    )
    .fetch_all(pool)
    .await?;
    Ok(Some(rows.into_iter().map(CommandRecord::from).collect()))
}

/// One command; `None` when there is none of that id.
///
/// # Errors
/// The database's.
pub async fn find(pool: &PgPool, organisation: OrganisationId, id: Uuid) -> Result<Option<CommandRecord>, sqlx::Error> {
    let row = sqlx::query_as!(
        Row,
        r#"SELECT id, command, payload, state, detail, created_at AS "created_at!: Time",
               updated_at AS "updated_at!: Time"
           FROM commands WHERE organisation_id = $1 AND id = $2"#,
        organisation.0,
        id
    )
    .fetch_optional(pool)
    .await?;
    Ok(row.map(CommandRecord::from))
}

/// A device's commands that changed after `since`, in the order of change.
pub(crate) async fn changed_since(
    pool: &PgPool,
    device_key: i32,
    since: Time,
) -> Result<Vec<CommandRecord>, sqlx::Error> {
    let rows = sqlx::query_as!(
        Row,
        r#"SELECT id, command, payload, state, detail, created_at AS "created_at!: Time",
               updated_at AS "updated_at!: Time"
           FROM commands WHERE device_key = $1 AND updated_at > $2 ORDER BY updated_at"#,
        device_key,
        since as Time
    )
    .fetch_all(pool)
    .await?;
    Ok(rows.into_iter().map(CommandRecord::from).collect())
}

/// Queues a command; `None` when there is no such device.
pub(crate) async fn create(
    pool: &PgPool,
    organisation: OrganisationId,
    device_id: &str,
    command: &CommandName,
    payload: &serde_json::Value,
) -> Result<Option<CommandRecord>, sqlx::Error> {
    let row = sqlx::query_as!(
        Row,
        r#"INSERT INTO commands (id, organisation_id, device_key, command, payload)
           SELECT gen_random_uuid(), d.organisation_id, d.key, $3, $4
           FROM devices d WHERE d.organisation_id = $1 AND d.id = $2
           RETURNING id, command, payload, state, detail, created_at AS "created_at!: Time",
               updated_at AS "updated_at!: Time""#,
        organisation.0,
        device_id,
        command.as_str(),
        payload
    )
    .fetch_optional(pool)
    .await?;
    Ok(row.map(CommandRecord::from))
}

/// A command that waits to be published.
#[derive(Debug)]
pub(crate) struct Queued {
    pub(crate) id: Uuid,
    pub(crate) device_id: String,
    pub(crate) command: String,
    pub(crate) payload: serde_json::Value,
    pub(crate) created_at: Time,
}

/// Makes this server the one that dispatches, until the transaction ends; `false` when another one is at it.
pub(crate) async fn become_dispatcher(connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(r#"SELECT pg_try_advisory_xact_lock(hashtext('dispatch_commands')) AS "locked!""#)
        .fetch_one(connection)
        .await
}

/// Commands that wait to be published: the oldest `limit` of those that come after `(created_at, id)`.
pub(crate) async fn queued(
    connection: &mut PgConnection,
    after: Option<(Time, Uuid)>,
    limit: i64,
) -> Result<Vec<Queued>, sqlx::Error> {
    let (created_at, id) = after.unzip();
    sqlx::query_as!(
        Queued,
        r#"SELECT c.id, d.id AS device_id, c.command, c.payload, c.created_at AS "created_at!: Time"
           FROM commands c JOIN devices d ON d.key = c.device_key
           WHERE c.state = 'queued' AND ($1::timestamptz IS NULL OR (c.created_at, c.id) > ($1, $2))
           ORDER BY c.created_at, c.id LIMIT $3"#,
        created_at as Option<Time>,
        id,
        limit
    )
    .fetch_all(connection)
    .await
}

/// Notes that the broker has taken commands for their devices.
pub(crate) async fn sent(pool: &PgPool, ids: &[Uuid]) -> Result<(), sqlx::Error> {
    // An answer may have been faster than this note.
    sqlx::query!(
        "UPDATE commands SET state = 'sent', updated_at = clock_timestamp() WHERE id = ANY ($1) AND state = 'queued'",
        ids
    )
    .execute(pool)
    .await?;
    Ok(())
}

/// Notes that a command that waits can't be carried out.
pub(crate) async fn fail(pool: &PgPool, id: Uuid, reason: &str) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "UPDATE commands SET state = 'failed', detail = to_jsonb($2::text), updated_at = clock_timestamp()
         WHERE id = $1 AND state = 'queued'",
        id,
        reason
    )
    .execute(pool)
    .await?;
    Ok(())
}

/// Fails the queued commands that are older than `days`; returns the ids of their devices.
pub(crate) async fn expire(pool: &PgPool, days: i32) -> Result<Vec<String>, sqlx::Error> {
    sqlx::query_scalar!(
        r#"UPDATE commands c SET state = 'failed', updated_at = clock_timestamp(),
               detail = to_jsonb('the device did not connect within ' || $1::integer || ' days: give the command again')
           FROM devices d
           WHERE d.key = c.device_key AND c.state = 'queued' AND c.created_at < now() - make_interval(days => $1)
           RETURNING d.id"#,
        days
    )
    .fetch_all(pool)
    .await
}

/// Applies a device's answer; `false` when it has no command of that id.
pub(crate) async fn answer(
    connection: &mut PgConnection,
    device_key: i32,
    id: Uuid,
    response: &Response,
) -> Result<bool, sqlx::Error> {
    let row = sqlx::query!("SELECT state FROM commands WHERE id = $1 AND device_key = $2 FOR UPDATE", id, device_key)
        .fetch_optional(&mut *connection)
        .await?;
    let Some(row) = row else { return Ok(false) };
    if let Some(next) = CommandState::from_database(&row.state).after(response.status) {
        sqlx::query!(
            "UPDATE commands SET state = $2, detail = coalesce($3, detail), updated_at = clock_timestamp()
             WHERE id = $1",
            id,
            next.as_str(),
            response.detail
        )
        .execute(connection)
        .await?;
    }
    Ok(true)
}
