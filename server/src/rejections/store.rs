//! The rejections' SQL.

use super::{Rejection, RejectionCount};
use crate::state::OrganisationId;
use crate::time::Time;
use sqlx::{PgConnection, PgPool};
use std::collections::BTreeMap;

/// What was refused of a device, the newest first.
pub(crate) async fn of_device(
    pool: &PgPool,
    organisation: OrganisationId,
    device_id: &str,
) -> Result<Vec<RejectionCount>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"SELECT kind, count, last_reason, last_at AS "last_at!: Time", last_topic, last_sample
           FROM rejections WHERE organisation_id = $1 AND device_id = $2 ORDER BY last_at DESC, kind"#,
        organisation.0,
        device_id
    )
    .fetch_all(pool)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| RejectionCount {
            kind: row.kind,
            count: row.count,
            last_reason: row.last_reason,
            last_at: row.last_at,
            last_topic: row.last_topic,
            last_sample: String::from_utf8_lossy(&row.last_sample).into_owned(),
        })
        .collect())
}

/// Counts rejections, given in the order of arrival, and keeps the newest of each device and kind.
pub(crate) async fn record(
    connection: &mut PgConnection,
    organisation: OrganisationId,
    rejections: &[Rejection],
    now: Time,
) -> Result<(), sqlx::Error> {
    // In the order of the primary key, so that two servers never wait for each other in a circle.
    let mut newest: BTreeMap<(&str, &str), (i64, &Rejection)> = BTreeMap::new();
    for rejection in rejections {
        let entry = newest.entry((&rejection.device_id, rejection.kind)).or_insert((0, rejection));
        *entry = (entry.0 + 1, rejection);
    }
    for ((device_id, kind), (count, last)) in newest {
        sqlx::query!(
            "INSERT INTO rejections AS r
                 (organisation_id, device_id, kind, count, last_topic, last_reason, last_sample, last_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
             ON CONFLICT (organisation_id, device_id, kind) DO UPDATE SET
                 count = r.count + excluded.count, last_topic = excluded.last_topic,
                 last_reason = excluded.last_reason, last_sample = excluded.last_sample, last_at = excluded.last_at",
            organisation.0,
            device_id,
            kind,
            count,
            last.topic,
            last.reason,
            last.sample,
            now as Time
        )
        .execute(&mut *connection)
        .await?;
    }
    Ok(())
}
