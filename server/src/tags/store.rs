//! The tags' SQL.

use super::{Tag, TagCount};
use crate::state::OrganisationId;
use sqlx::{PgConnection, PgPool};

/// All tags that a device has, by name.
///
/// # Errors
/// The database's.
pub(crate) async fn list(pool: &PgPool, organisation: OrganisationId) -> Result<Vec<TagCount>, sqlx::Error> {
    sqlx::query_as!(
        TagCount,
        r#"SELECT t.tag, count(*) AS "devices!" FROM device_tags t JOIN devices v ON v.key = t.device_key
           WHERE v.organisation_id = $1 GROUP BY t.tag ORDER BY t.tag"#,
        organisation.0
    )
    .fetch_all(pool)
    .await
}

/// Gives a device exactly these tags.
///
/// # Errors
/// The database's.
pub(crate) async fn set(pool: &PgPool, device_key: i32, tags: &[Tag]) -> Result<(), sqlx::Error> {
    let tags: Vec<String> = tags.iter().map(Tag::to_string).collect();
    let mut transaction = pool.begin().await?;
    sqlx::query!("DELETE FROM device_tags WHERE device_key = $1 AND tag <> ALL ($2)", device_key, &tags)
        .execute(&mut *transaction)
        .await?;
    sqlx::query!(
        "INSERT INTO device_tags (device_key, tag) SELECT $1, tag FROM UNNEST($2::text[]) AS new (tag)
         ON CONFLICT DO NOTHING",
        device_key,
        &tags
    )
    .execute(&mut *transaction)
    .await?;
    transaction.commit().await
}

/// Gives a tag to some devices and takes it from others; the ids among both that are no device's.
///
/// # Errors
/// The database's.
pub(crate) async fn change(
    connection: &mut PgConnection,
    organisation: OrganisationId,
    tag: &Tag,
    add: &[String],
    remove: &[String],
) -> Result<Vec<String>, sqlx::Error> {
    sqlx::query!(
        "DELETE FROM device_tags t USING devices v
         WHERE v.key = t.device_key AND v.organisation_id = $1 AND t.tag = $2 AND v.id = ANY ($3)",
        organisation.0,
        tag.as_str(),
        remove
    )
    .execute(&mut *connection)
    .await?;
    sqlx::query!(
        "INSERT INTO device_tags (device_key, tag) SELECT key, $2 FROM devices
         WHERE organisation_id = $1 AND id = ANY ($3) ON CONFLICT DO NOTHING",
        organisation.0,
        tag.as_str(),
        add
    )
    .execute(&mut *connection)
    .await?;
    let named: Vec<String> = add.iter().chain(remove).cloned().collect();
    sqlx::query_scalar!(
        r#"SELECT DISTINCT named.id AS "id!" FROM UNNEST($2::text[]) AS named (id)
           WHERE NOT EXISTS (SELECT 1 FROM devices v WHERE v.organisation_id = $1 AND v.id = named.id) ORDER BY 1"#,
        organisation.0,
        &named
    )
    .fetch_all(connection)
    .await
}
