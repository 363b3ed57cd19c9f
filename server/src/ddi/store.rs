//! What DDI asks the database about tenants and devices.

use super::auth::hash;
use crate::state::OrganisationId;
use crate::time::Time;
use microkernel_wire::DeviceId;
use sqlx::PgPool;

/// A tenant, which is an organisation.
pub(super) struct Tenant {
    pub(super) organisation: OrganisationId,
    pub(super) gateway_token_hash: Option<Vec<u8>>,
}

/// The tenant of a name; hawkBit's is `DEFAULT`, so letters' case makes no difference.
pub(super) async fn tenant(pool: &PgPool, name: &str) -> Result<Option<Tenant>, sqlx::Error> {
    let row =
        sqlx::query!("SELECT id, gateway_token_hash FROM organisations WHERE slug = lower($1)", name.replace('\0', ""))
            .fetch_optional(pool)
            .await?;
    Ok(row.map(|row| Tenant { organisation: OrganisationId(row.id), gateway_token_hash: row.gateway_token_hash }))
}

/// A device as far as authentication needs it.
pub(super) struct Known {
    pub(super) key: i32,
    pub(super) token_hash: Option<Vec<u8>>,
}

/// A device of a tenant.
pub(super) async fn device(
    pool: &PgPool,
    organisation: OrganisationId,
    id: &DeviceId,
) -> Result<Option<Known>, sqlx::Error> {
    sqlx::query_as!(
        Known,
        "SELECT key, target_token_hash AS token_hash FROM devices WHERE organisation_id = $1 AND id = $2",
        organisation.0,
        id.as_str()
    )
    .fetch_optional(pool)
    .await
}

/// Registers a device that is new; `None` when another tenant has one of that id.
pub(super) async fn register(
    pool: &PgPool,
    organisation: OrganisationId,
    id: &DeviceId,
) -> Result<Option<i32>, sqlx::Error> {
    sqlx::query!(
        "INSERT INTO devices (id, organisation_id) VALUES ($1, $2) ON CONFLICT (id) DO NOTHING",
        id.as_str(),
        organisation.0
    )
    .execute(pool)
    .await?;
    Ok(device(pool, organisation, id).await?.map(|device| device.key))
}

/// Notes that a device has asked; whether its attributes are wanted.
pub(super) async fn polled(pool: &PgPool, device_key: i32) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(
        r#"UPDATE devices SET polled_at = now() WHERE key = $1 RETURNING attributes IS NULL AS "wanted!""#,
        device_key
    )
    .fetch_one(pool)
    .await
}

/// How a device's attributes are to be changed (DDI `mode`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum UpdateMode {
    /// New ones are added, others kept.
    #[default]
    Merge,
    /// Only the new ones are kept.
    Replace,
    /// These are removed.
    Remove,
}

/// Changes a device's attributes; `false` when there would be more than `limit`.
pub(super) async fn set_attributes(
    pool: &PgPool,
    device_key: i32,
    mode: UpdateMode,
    attributes: &serde_json::Value,
    limit: i64,
) -> Result<bool, sqlx::Error> {
    let (replace, remove) = (mode == UpdateMode::Replace, mode == UpdateMode::Remove);
    let changed = sqlx::query!(
        "WITH new AS (
             SELECT key, CASE WHEN $3 THEN $2
                 WHEN $4 THEN coalesce(attributes, '{}') - ARRAY(SELECT jsonb_object_keys($2::jsonb))
                 ELSE coalesce(attributes, '{}') || $2 END AS attributes
             FROM devices WHERE key = $1 FOR NO KEY UPDATE)
         UPDATE devices d SET attributes = new.attributes FROM new
         WHERE d.key = new.key AND (SELECT count(*) FROM jsonb_object_keys(new.attributes)) <= $5",
        device_key,
        attributes,
        replace,
        remove,
        limit
    )
    .execute(pool)
    .await?;
    Ok(changed.rows_affected() > 0)
}

/// Whether a device consents to everything beforehand, and who has said so.
pub(super) struct AutoConfirm {
    pub(super) active: bool,
    pub(super) by: Option<serde_json::Value>,
}

/// A device's automatic consent.
pub(super) async fn auto_confirm(pool: &PgPool, device_key: i32) -> Result<AutoConfirm, sqlx::Error> {
    sqlx::query_as!(
        AutoConfirm,
        "SELECT auto_confirm AS active, auto_confirm_by AS by FROM devices WHERE key = $1",
        device_key
    )
    .fetch_one(pool)
    .await
}

/// Turns a device's automatic consent on or off; it holds for deployments from then on.
pub(super) async fn set_auto_confirm(
    pool: &PgPool,
    device_key: i32,
    active: bool,
    initiator: Option<&str>,
    remark: Option<&str>,
) -> Result<(), sqlx::Error> {
    let by = serde_json::json!({
        "initiator": initiator, "remark": remark, "activatedAt": Time::now().as_micros() / 1_000,
    });
    sqlx::query!("UPDATE devices SET auto_confirm = $2, auto_confirm_by = $3 WHERE key = $1", device_key, active, by)
        .execute(pool)
        .await?;
    sqlx::query!(
        "UPDATE deployments SET confirmed = $2 WHERE device_key = $1 AND state = 'scheduled'",
        device_key,
        active
    )
    .execute(pool)
    .await?;
    Ok(())
}

/// Gives a device a new token, or takes it away; `false` when there is no such device.
pub(crate) async fn set_target_token(
    pool: &PgPool,
    organisation: OrganisationId,
    id: &DeviceId,
    token: Option<&str>,
) -> Result<bool, sqlx::Error> {
    let hash = token.map(|token| hash(token).to_vec());
    let changed = sqlx::query!(
        "UPDATE devices SET target_token_hash = $3 WHERE organisation_id = $1 AND id = $2",
        organisation.0,
        id.as_str(),
        hash
    )
    .execute(pool)
    .await?;
    Ok(changed.rows_affected() > 0)
}

/// Gives a tenant's gateways a new token, or takes it away.
pub(crate) async fn set_gateway_token(
    pool: &PgPool,
    organisation: OrganisationId,
    token: Option<&str>,
) -> Result<(), sqlx::Error> {
    let hash = token.map(|token| hash(token).to_vec());
    sqlx::query!("UPDATE organisations SET gateway_token_hash = $2 WHERE id = $1", organisation.0, hash)
        .execute(pool)
        .await?;
    Ok(())
}
