//! What is in the database, counted behind the server's back.

use super::System;
use sqlx::Row;
use sqlx::postgres::{PgPool, PgPoolOptions};
use std::collections::BTreeMap;
use std::time::Duration;
use uuid::Uuid;

/// A look into the server's database.
pub(crate) struct Database {
    pool: PgPool,
}

impl Database {
    pub(crate) async fn open(system: &System) -> Self {
        let url = &system.running.endpoints.postgres_url;
        let pool = PgPoolOptions::new().max_connections(1).acquire_timeout(Duration::from_secs(5));
        Self { pool: pool.connect_lazy(url).unwrap() }
    }

    /// How many rows each sequence number of a run of numbering has.
    pub(crate) async fn rows_by_seq(&self, device: &str, boot_id: Uuid) -> Option<BTreeMap<i64, i64>> {
        let query = "SELECT seq, count(*) FROM telemetry
            JOIN reading_ledger ON reading_ledger.key = telemetry.ledger_key
            JOIN devices ON devices.key = telemetry.device_key
            WHERE devices.id = $1 AND boot_id = $2 GROUP BY seq";
        let rows = sqlx::query(query).bind(device).bind(boot_id).fetch_all(&self.pool).await.ok()?;
        Some(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
    }

    /// How many rows each whole value of a sensor has, among the readings without a number.
    pub(crate) async fn rows_by_value(&self, device: &str, sensor: &str) -> Option<BTreeMap<i64, i64>> {
        let query = "SELECT value::bigint, count(*) FROM telemetry
            JOIN sensors ON sensors.key = telemetry.sensor_key
            JOIN devices ON devices.key = telemetry.device_key
            WHERE devices.id = $1 AND sensors.name = $2 AND seq IS NULL GROUP BY value";
        let rows = sqlx::query(query).bind(device).bind(sensor).fetch_all(&self.pool).await.ok()?;
        Some(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
    }

    /// The runs of a device's numbering, the oldest first.
    pub(crate) async fn runs(&self, device: &str) -> Vec<Uuid> {
        let query = "SELECT boot_id FROM reading_ledger JOIN devices ON devices.key = device_key
            WHERE id = $1 ORDER BY first_received_at";
        sqlx::query_scalar(query).bind(device).fetch_all(&self.pool).await.unwrap_or_default()
    }
}
