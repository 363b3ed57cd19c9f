//! The registry's SQL.

use super::{Device, DeviceDetail, DeviceState, Latest, Sensor};
use crate::state::OrganisationId;
use crate::time::Time;
use crate::{ledger, rejections};
use microkernel_wire::Status;
use sqlx::{PgConnection, PgPool};
use std::collections::HashMap;

/// The devices of an organisation by id, all of them or those among `only`.
///
/// # Errors
/// The database's.
pub async fn list(
    pool: &PgPool,
    organisation: OrganisationId,
    only: Option<&[String]>,
) -> Result<Vec<Device>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"SELECT d.key, d.id, d.state, d.state_changed_at AS "state_changed_at: Time", d.version, d.slot,
               d.last_seen_at AS "last_seen_at: Time", d.created_at AS "created_at!: Time",
               (SELECT count(*) FROM telemetry t
                WHERE t.device_key = d.key AND t.anomaly AND t.ts > now() - interval '24 hours') AS "anomalies_24h!",
               coalesce((SELECT sum(r.count) FROM rejections r
                WHERE r.organisation_id = d.organisation_id AND r.device_id = d.id), 0)::bigint AS "rejected!",
               ARRAY(SELECT t.tag FROM device_tags t WHERE t.device_key = d.key ORDER BY t.tag) AS "tags!"
           FROM devices d
           WHERE d.organisation_id = $1 AND ($2::text[] IS NULL OR d.id = ANY ($2))
           ORDER BY d.id"#,
        organisation.0,
        only
    )
    .fetch_all(pool)
    .await?;
    let keys: Vec<i32> = rows.iter().map(|row| row.key).collect();
    let mut sensors = sensors_by_device(pool, &keys).await?;
    Ok(rows
        .into_iter()
        .map(|row| Device {
            sensors: sensors.remove(&row.key).unwrap_or_default(),
            id: row.id,
            state: DeviceState::from_database(&row.state),
            state_changed_at: row.state_changed_at,
            version: row.version,
            slot: row.slot,
            last_seen_at: row.last_seen_at,
            created_at: row.created_at,
            anomalies_24h: row.anomalies_24h,
            rejected: row.rejected,
            tags: row.tags,
        })
        .collect())
}

async fn sensors_by_device(pool: &PgPool, device_keys: &[i32]) -> Result<HashMap<i32, Vec<Sensor>>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"SELECT device_key, name, unit, latest_at AS "latest_at: Time", latest_value, latest_anomaly, readings,
               anomalies
           FROM sensors WHERE device_key = ANY ($1) ORDER BY device_key, name"#,
        device_keys
    )
    .fetch_all(pool)
    .await?;
    let mut sensors: HashMap<i32, Vec<Sensor>> = HashMap::new();
    for row in rows {
        sensors.entry(row.device_key).or_default().push(Sensor {
            name: row.name,
            unit: row.unit,
            latest: row.latest_at.zip(row.latest_value).map(|(at, value)| Latest {
                value,
                timestamp: at.0,
                anomaly: row.latest_anomaly,
            }),
            readings: row.readings,
            anomalies: row.anomalies,
        });
    }
    Ok(sensors)
}

/// One device with everything that its own page shows.
///
/// # Errors
/// The database's.
pub async fn find(pool: &PgPool, organisation: OrganisationId, id: &str) -> Result<Option<DeviceDetail>, sqlx::Error> {
    let Some(device) = list(pool, organisation, Some(&[id.to_owned()])).await?.pop() else {
        return Ok(None);
    };
    let row = sqlx::query!(
        r#"SELECT key, health, health_at AS "health_at: Time" FROM devices WHERE organisation_id = $1 AND id = $2"#,
        organisation.0,
        id
    )
    .fetch_one(pool)
    .await?;
    Ok(Some(DeviceDetail {
        device,
        health: row.health,
        health_at: row.health_at,
        ledger: ledger::store::entries(pool, row.key).await?,
        rejections: rejections::store::of_device(pool, organisation, id).await?,
    }))
}

/// The narrow key of a device; `None` when there is no such device.
///
/// # Errors
/// The database's.
pub(crate) async fn key(pool: &PgPool, organisation: OrganisationId, id: &str) -> Result<Option<i32>, sqlx::Error> {
    sqlx::query_scalar!("SELECT key FROM devices WHERE organisation_id = $1 AND id = $2", organisation.0, id)
        .fetch_optional(pool)
        .await
}

/// Registers the devices that are new; the key of each, in the order given.
pub(crate) async fn register(
    connection: &mut PgConnection,
    organisation: OrganisationId,
    ids: &[String],
) -> Result<Vec<i32>, sqlx::Error> {
    sqlx::query!(
        "INSERT INTO devices (id, organisation_id) SELECT id, $1 FROM UNNEST($2::text[]) AS new (id) ORDER BY id
         ON CONFLICT (id) DO NOTHING",
        organisation.0,
        ids
    )
    .execute(&mut *connection)
    .await?;
    sqlx::query_scalar!(
        r#"SELECT d.key AS "key!" FROM UNNEST($1::text[]) WITH ORDINALITY AS wanted (id, place)
           JOIN devices d USING (id) ORDER BY wanted.place"#,
        ids
    )
    .fetch_all(connection)
    .await
}

/// Locks devices until the transaction ends, in the order of their keys. Whoever changes a device, its sensors or its
/// ledgers holds this lock, so that servers that store readings of the same devices take turns and never deadlock.
pub(crate) async fn lock(connection: &mut PgConnection, device_keys: &[i32]) -> Result<(), sqlx::Error> {
    sqlx::query!("SELECT key FROM devices WHERE key = ANY ($1) ORDER BY key FOR NO KEY UPDATE", device_keys)
        .fetch_all(connection)
        .await?;
    Ok(())
}

/// Notes that a message of each of these devices arrived at `now`.
pub(crate) async fn seen(connection: &mut PgConnection, device_keys: &[i32], now: Time) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "UPDATE devices SET last_seen_at = greatest(last_seen_at, $2) WHERE key = ANY ($1)",
        device_keys,
        now as Time
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Sets what a device says of itself, or the broker for it.
pub(crate) async fn set_status(
    connection: &mut PgConnection,
    device_key: i32,
    status: &Status,
    now: Time,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "UPDATE devices SET state = $2, state_changed_at = CASE WHEN state = $2 THEN state_changed_at ELSE $3 END,
             version = coalesce($4, version), slot = coalesce($5, slot), boot_id = coalesce($6, boot_id)
         WHERE key = $1",
        device_key,
        DeviceState::from(status.state).as_str(),
        now as Time,
        status.version,
        status.slot,
        status.boot_id.map(|boot_id| boot_id.0)
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Keeps a device's newest health report.
pub(crate) async fn set_health(
    connection: &mut PgConnection,
    device_key: i32,
    health: &serde_json::Value,
    now: Time,
) -> Result<(), sqlx::Error> {
    sqlx::query!("UPDATE devices SET health = $2, health_at = $3 WHERE key = $1", device_key, health, now as Time)
        .execute(connection)
        .await?;
    Ok(())
}

/// Registers the sensors that are new, given by device and name; the key of each, in the order given.
pub(crate) async fn register_sensors(
    connection: &mut PgConnection,
    organisation: OrganisationId,
    device_keys: &[i32],
    names: &[String],
) -> Result<Vec<i32>, sqlx::Error> {
    sqlx::query!(
        "INSERT INTO sensors (organisation_id, device_key, name)
         SELECT $1, device_key, name FROM UNNEST($2::integer[], $3::text[]) AS new (device_key, name)
         ORDER BY device_key, name
         ON CONFLICT (device_key, name) DO NOTHING",
        organisation.0,
        device_keys,
        names
    )
    .execute(&mut *connection)
    .await?;
    sqlx::query_scalar!(
        r#"SELECT s.key AS "key!"
           FROM UNNEST($1::integer[], $2::text[]) WITH ORDINALITY AS wanted (device_key, name, place)
           JOIN sensors s USING (device_key, name) ORDER BY wanted.place"#,
        device_keys,
        names
    )
    .fetch_all(connection)
    .await
}

/// What a transaction adds to one sensor.
#[derive(Debug, Default)]
pub(crate) struct SensorGain {
    /// Its newest reading: time, value, anomaly, unit; none where only late ones came.
    pub(crate) latest: Option<(Time, f64, bool, String)>,
    /// Readings.
    pub(crate) readings: i64,
    /// Anomalies among them.
    pub(crate) anomalies: i64,
    /// The time of the newest anomaly.
    pub(crate) last_anomaly_at: Option<Time>,
}

/// Adds to the sensors what arrived. The caller holds their devices locked.
pub(crate) async fn add_to_sensors(
    connection: &mut PgConnection,
    gains: &HashMap<i32, SensorGain>,
) -> Result<(), sqlx::Error> {
    fn column<'a, T>(gains: &'a HashMap<i32, SensorGain>, of: impl Fn(&'a SensorGain) -> T + 'a) -> Vec<T> {
        gains.values().map(of).collect()
    }
    sqlx::query!(
        "UPDATE sensors s SET
             latest_at = coalesce(g.latest_at, s.latest_at), latest_value = coalesce(g.latest_value, s.latest_value),
             latest_anomaly = coalesce(g.latest_anomaly, s.latest_anomaly), unit = coalesce(g.unit, s.unit),
             readings = s.readings + g.readings, anomalies = s.anomalies + g.anomalies,
             last_anomaly_at = greatest(s.last_anomaly_at, g.last_anomaly_at)
         FROM UNNEST($1::integer[], $2::timestamptz[], $3::double precision[], $4::boolean[], $5::text[],
             $6::bigint[], $7::bigint[], $8::timestamptz[])
             AS g (key, latest_at, latest_value, latest_anomaly, unit, readings, anomalies, last_anomaly_at)
         WHERE s.key = g.key",
        &gains.keys().copied().collect::<Vec<i32>>(),
        &column(gains, |gain| gain.latest.as_ref().map(|latest| latest.0)) as &[Option<Time>],
        &column(gains, |gain| gain.latest.as_ref().map(|latest| latest.1)) as &[Option<f64>],
        &column(gains, |gain| gain.latest.as_ref().map(|latest| latest.2)) as &[Option<bool>],
        &column(gains, |gain| gain.latest.as_ref().map(|latest| latest.3.as_str())) as &[Option<&str>],
        &column(gains, |gain| gain.readings),
        &column(gains, |gain| gain.anomalies),
        &column(gains, |gain| gain.last_anomaly_at) as &[Option<Time>]
    )
    .execute(connection)
    .await?;
    Ok(())
}
