//! The ledger's SQL.

use super::{LedgerEntry, Tally};
use crate::state::OrganisationId;
use crate::time::Time;
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

/// A device's newest runs, the newest first.
const ENTRIES: i64 = 20;

/// What arrived of a device's newest runs.
pub(crate) async fn entries(pool: &PgPool, device_key: i32) -> Result<Vec<LedgerEntry>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"SELECT l.boot_id, l.received_count, l.duplicate_count, l.late_count,
               l.first_received_at AS "first_received_at!: Time", l.last_received_at AS "last_received_at!: Time",
               coalesce(gap.missing, 0)::bigint AS "missing!", coalesce(gap.first, '{}') AS "first!",
               coalesce(gap.last, '{}') AS "last!"
           FROM reading_ledger l,
               LATERAL (
                   SELECT sum(upper(g) - lower(g)) AS missing,
                       (array_agg(lower(g) ORDER BY g))[1:100] AS first,
                       (array_agg(upper(g) - 1 ORDER BY g))[1:100] AS last
                   FROM unnest(int8multirange(int8range(1, greatest(upper(l.received), 1))) - l.received) g
               ) gap
           WHERE l.device_key = $1
           ORDER BY l.key DESC LIMIT $2"#,
        device_key,
        ENTRIES
    )
    .fetch_all(pool)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| LedgerEntry {
            boot_id: row.boot_id,
            received: row.received_count,
            duplicates: row.duplicate_count,
            late: row.late_count,
            missing: row.missing,
            gaps: row.first.into_iter().zip(row.last).collect(),
            first_received_at: row.first_received_at,
            last_received_at: row.last_received_at,
        })
        .collect())
}

/// Opens a ledger for each `(device, boot_id)` that has none, and returns the key of each, in the order given.
pub(crate) async fn open(
    connection: &mut PgConnection,
    organisation: OrganisationId,
    device_keys: &[i32],
    boot_ids: &[Uuid],
) -> Result<Vec<i32>, sqlx::Error> {
    sqlx::query!(
        "INSERT INTO reading_ledger (organisation_id, device_key, boot_id)
         SELECT $1, device_key, boot_id FROM UNNEST($2::integer[], $3::uuid[]) AS run (device_key, boot_id)
         ORDER BY device_key, boot_id
         ON CONFLICT (device_key, boot_id) DO NOTHING",
        organisation.0,
        device_keys,
        boot_ids
    )
    .execute(&mut *connection)
    .await?;
    sqlx::query_scalar!(
        r#"SELECT l.key AS "key!"
           FROM UNNEST($1::integer[], $2::uuid[]) WITH ORDINALITY AS run (device_key, boot_id, place)
           JOIN reading_ledger l USING (device_key, boot_id)
           ORDER BY run.place"#,
        device_keys,
        boot_ids
    )
    .fetch_all(connection)
    .await
}

/// What a ledger knows of a number.
pub(crate) struct Known {
    /// Whether it holds the number.
    pub(crate) recorded: bool,
    /// The highest number that it holds.
    pub(crate) highest: Option<i64>,
}

/// What the ledgers know of each `(ledger, number)`, in the order given. The caller holds the devices' rows locked.
pub(crate) async fn known(
    connection: &mut PgConnection,
    ledger_keys: &[i32],
    seqs: &[i64],
) -> Result<Vec<Known>, sqlx::Error> {
    sqlx::query_as!(
        Known,
        r#"SELECT r.seq <@ l.received AS "recorded!", upper(l.received) - 1 AS highest
           FROM UNNEST($1::integer[], $2::bigint[]) WITH ORDINALITY AS r (ledger_key, seq, place)
           JOIN reading_ledger l ON l.key = r.ledger_key
           ORDER BY r.place"#,
        ledger_keys,
        seqs
    )
    .fetch_all(connection)
    .await
}

/// Adds what arrived to the ledgers.
pub(crate) async fn record<'a>(
    connection: &mut PgConnection,
    tallies: impl Iterator<Item = (i32, &'a Tally)>,
    now: Time,
) -> Result<(), sqlx::Error> {
    let (mut keys, mut received, mut duplicates, mut late) = (vec![], vec![], vec![], vec![]);
    let (mut run_keys, mut first, mut last) = (vec![], vec![], vec![]);
    for (key, tally) in tallies {
        keys.push(key);
        received.push(tally.received());
        duplicates.push(tally.duplicates);
        late.push(tally.late);
        for (from, to) in tally.runs() {
            run_keys.push(key);
            first.push(from);
            last.push(to);
        }
    }
    sqlx::query!(
        "UPDATE reading_ledger l SET
             received = l.received + coalesce(gained.ranges, '{}'),
             received_count = l.received_count + t.received,
             duplicate_count = l.duplicate_count + t.duplicates,
             late_count = l.late_count + t.late,
             last_received_at = greatest(l.last_received_at, $5)
         FROM UNNEST($1::integer[], $2::bigint[], $3::bigint[], $4::bigint[]) AS t (key, received, duplicates, late)
         LEFT JOIN (
             SELECT key, range_agg(int8range(first, last, '[]')) AS ranges
             FROM UNNEST($6::integer[], $7::bigint[], $8::bigint[]) AS run (key, first, last)
             GROUP BY key
         ) gained USING (key)
         WHERE l.key = t.key",
        &keys,
        &received,
        &duplicates,
        &late,
        now as Time,
        &run_keys,
        &first,
        &last
    )
    .execute(connection)
    .await?;
    Ok(())
}
