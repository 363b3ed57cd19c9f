//! The series' SQL.

use super::{Bucket, SeriesRange};
use crate::state::OrganisationId;
use crate::time::Time;
use microkernel_wire::DeviceId;
use sqlx::PgPool;

/// The buckets of a range, ascending by time; `None` when there is no such device.
///
/// # Errors
/// The database's.
pub async fn buckets(
    pool: &PgPool,
    organisation: OrganisationId,
    device: &DeviceId,
    range: &SeriesRange,
) -> Result<Option<Vec<Bucket>>, sqlx::Error> {
    let Some(device_key) = crate::registry::store::key(pool, organisation, device.as_str()).await? else {
        return Ok(None);
    };
    // Steps are counted from the epoch, so that the same reading falls into the same step whenever it is asked for.
    let buckets = sqlx::query_as!(
        Bucket,
        r#"SELECT min(t.ts) AS "time!: Time", avg(t.value) AS "mean!", min(t.value) AS "min!", max(t.value) AS "max!",
               count(*) AS "count!", max(t.value) FILTER (WHERE t.anomaly) AS anomaly
           FROM telemetry t JOIN sensors s ON s.key = t.sensor_key
           WHERE s.device_key = $1 AND s.name = $2 AND t.ts >= $3 AND t.ts < $4
           GROUP BY date_bin($5::bigint * interval '1 microsecond', t.ts, 'epoch')
           ORDER BY 1"#,
        device_key,
        range.sensor,
        range.from as Time,
        range.to as Time,
        range.step_micros()
    )
    .fetch_all(pool)
    .await?;
    Ok(Some(buckets))
}
