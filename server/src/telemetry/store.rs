//! The readings' SQL.

use super::codes::{clock, clock_code, outcome, stage_code};
use super::{Point, Range, StoredReading};
use crate::state::OrganisationId;
use crate::time::Time;
use microkernel_wire::{BootId, DeviceId, Reading, Seq};
use sqlx::{PgConnection, PgPool};
use std::collections::HashMap;

/// Points of one sensor in one answer of [`since`]; a page that is behind by more gets the newest.
const POINTS_PER_SENSOR: i64 = 200;

/// A reading with the keys it is stored under.
pub(crate) struct Row<'a> {
    pub(crate) device_key: i32,
    pub(crate) sensor_key: i32,
    /// Null for a reading without a number.
    pub(crate) ledger_key: Option<i32>,
    /// When it was measured, or when it arrived where the device's own timestamp is implausible.
    pub(crate) ts: Time,
    /// Then that implausible timestamp.
    pub(crate) device_ts: Option<Time>,
    pub(crate) reading: &'a Reading,
}

/// Makes sure that there is a partition for each day, counted from 1970-01-01 (UTC).
///
/// Not within the transaction that inserts: it locks the table against every other server's inserts.
pub(crate) async fn ensure_partitions(pool: &PgPool, days: &[i32]) -> Result<(), sqlx::Error> {
    for day in days {
        sqlx::query!("SELECT ensure_telemetry_partition(date '1970-01-01' + $1::integer)", day).execute(pool).await?;
    }
    Ok(())
}

/// Stores readings.
pub(crate) async fn insert(
    connection: &mut PgConnection,
    organisation: OrganisationId,
    rows: &[Row<'_>],
) -> Result<(), sqlx::Error> {
    fn column<'a, T>(rows: &[Row<'a>], of: impl Fn(&Row<'a>) -> T) -> Vec<T> {
        rows.iter().map(of).collect()
    }
    let stage = |row: &Row<'_>, stage| stage_code(row.reading.outcome.as_ref(), stage);
    sqlx::query!(
        "INSERT INTO telemetry (organisation_id, ts, device_key, sensor_key, ledger_key, seq, value, raw, device_ts,
             confidence, wasm, ml, clock, anomaly)
         SELECT $1, * FROM UNNEST($2::timestamptz[], $3::integer[], $4::integer[], $5::integer[], $6::bigint[],
             $7::double precision[], $8::double precision[], $9::timestamptz[], $10::real[], $11::smallint[],
             $12::smallint[], $13::smallint[], $14::boolean[])",
        organisation.0,
        &column(rows, |row| row.ts) as &[Time],
        &column(rows, |row| row.device_key),
        &column(rows, |row| row.sensor_key),
        &column(rows, |row| row.ledger_key) as &[Option<i32>],
        &column(rows, |row| row.ledger_key.and(row.reading.seq).map(|seq| seq.get() as i64)) as &[Option<i64>],
        &column(rows, |row| row.reading.value),
        &column(rows, |row| row.reading.raw) as &[Option<f64>],
        &column(rows, |row| row.device_ts) as &[Option<Time>],
        &column(rows, |row| row.reading.confidence.map(|confidence| confidence as f32)) as &[Option<f32>],
        &column(rows, |row| stage(row, "wasm")) as &[Option<i16>],
        &column(rows, |row| stage(row, "ml")) as &[Option<i16>],
        &column(rows, |row| row.reading.clock.map(clock_code)) as &[Option<i16>],
        &column(rows, |row| row.reading.anomaly)
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// A device's readings of a range, ascending by time; `None` when there is no such device.
///
/// # Errors
/// The database's.
pub async fn history(
    pool: &PgPool,
    organisation: OrganisationId,
    device: &DeviceId,
    range: &Range,
) -> Result<Option<Vec<StoredReading>>, sqlx::Error> {
    let Some(device_key) = crate::registry::store::key(pool, organisation, device.as_str()).await? else {
        return Ok(None);
    };
    // Each sensor's newest first, by its index, then the newest of those: never the whole range.
    let mut rows = sqlx::query!(
        r#"SELECT s.name, s.unit, t.ts AS "ts!: Time", t.device_ts AS "device_ts: Time", t.value AS "value!", t.raw,
               t.confidence, t.seq, l.boot_id AS "boot_id?", t.wasm, t.ml, t.clock, t.anomaly AS "anomaly!"
           FROM sensors s
           CROSS JOIN LATERAL (
               SELECT * FROM telemetry
               WHERE sensor_key = s.key AND ts >= coalesce($3::timestamptz, '-infinity')
                   AND ts < coalesce($4::timestamptz, 'infinity')
               ORDER BY ts DESC LIMIT $5
           ) t
           LEFT JOIN reading_ledger l ON l.key = t.ledger_key
           WHERE s.device_key = $1 AND ($2::text IS NULL OR s.name = $2)
           ORDER BY t.ts DESC, t.seq DESC LIMIT $5"#,
        device_key,
        range.sensor,
        range.from as Option<Time>,
        range.to as Option<Time>,
        i64::from(range.limit)
    )
    .fetch_all(pool)
    .await?;
    rows.reverse();
    let readings = rows.into_iter().filter_map(|row| {
        Some(StoredReading {
            reading: Reading {
                device_id: device.clone(),
                sensor: row.name.parse().ok()?,
                value: row.value,
                unit: row.unit,
                timestamp: row.ts.0,
                anomaly: row.anomaly,
                // Through the shortest text of the single: 0.95 comes back as 0.95, not as 0.949999988079071.
                confidence: row.confidence.and_then(|confidence| confidence.to_string().parse().ok()),
                seq: row.seq.and_then(|seq| Seq::try_from(seq as u64).ok()),
                boot_id: row.boot_id.map(BootId),
                raw: row.raw,
                outcome: outcome(row.wasm, row.ml),
                clock: row.clock.map(clock),
            },
            device_timestamp: row.device_ts.map(|ts| ts.0),
        })
    });
    Ok(Some(readings.collect()))
}

/// How far one reader has come with each sensor of a device: the time of the newest point it has.
#[derive(Debug, Clone, Default)]
pub(crate) struct Cursor(HashMap<i32, Time>);

impl Cursor {
    /// The oldest of the positions: who begins again from there misses nothing.
    pub(crate) fn oldest(&self) -> Option<Time> {
        self.0.values().min().copied()
    }
}

/// Begins a cursor for every sensor of a device: at `start`, or at each sensor's newest reading.
///
/// # Errors
/// The database's.
pub(crate) async fn cursor(pool: &PgPool, device_key: i32, start: Option<Time>) -> Result<Cursor, sqlx::Error> {
    let rows = sqlx::query!(
        r#"SELECT key, coalesce($2, latest_at) AS "at: Time" FROM sensors WHERE device_key = $1"#,
        device_key,
        start as Option<Time>
    )
    .fetch_all(pool)
    .await?;
    Ok(Cursor(rows.into_iter().filter_map(|row| Some((row.key, row.at?))).collect()))
}

/// The points that came after the cursor, ascending for each sensor, and moves the cursor behind them.
///
/// Where a device's clock was set back, its newest reading lies before the cursor: then it begins again from there. A
/// late reading, from before the cursor, is not among them.
///
/// # Errors
/// The database's.
pub(crate) async fn since(pool: &PgPool, device_key: i32, cursor: &mut Cursor) -> Result<Vec<Point>, sqlx::Error> {
    let (keys, after): (Vec<i32>, Vec<Time>) = cursor.0.iter().map(|(key, at)| (*key, *at)).unzip();
    let rows = sqlx::query!(
        r#"SELECT s.key, s.name, s.unit, t.ts AS "ts!: Time", t.value AS "value!", t.anomaly AS "anomaly!"
           FROM sensors s
           LEFT JOIN UNNEST($2::integer[], $3::timestamptz[]) AS c (sensor_key, after) ON c.sensor_key = s.key
           CROSS JOIN LATERAL (
               SELECT ts, value, anomaly FROM telemetry
               WHERE sensor_key = s.key
                   AND ts > CASE WHEN s.latest_at < c.after THEN s.latest_at - interval '1 microsecond'
                            ELSE coalesce(c.after, '-infinity') END
                   AND ts <= s.latest_at
               ORDER BY ts DESC LIMIT $4
           ) t
           WHERE s.device_key = $1
           ORDER BY s.name, t.ts"#,
        device_key,
        &keys,
        &after as &[Time],
        POINTS_PER_SENSOR
    )
    .fetch_all(pool)
    .await?;
    let mut points = Vec::with_capacity(rows.len());
    for row in rows {
        cursor.0.insert(row.key, row.ts);
        let (sensor, unit) = (row.name, row.unit);
        points.push(Point { sensor, timestamp: row.ts.0, value: row.value, unit, anomaly: row.anomaly });
    }
    Ok(points)
}
