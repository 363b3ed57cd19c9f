//! The releases' SQL.

use super::{Manifest, Release};
use crate::state::OrganisationId;
use crate::time::Time;
use sqlx::PgPool;
use uuid::Uuid;

/// A row of `releases`, from which [`Release`] is made.
struct Row {
    id: i64,
    compatible: String,
    version: String,
    build: Option<String>,
    description: Option<String>,
    format: String,
    signer: String,
    images: serde_json::Value,
    size_bytes: i64,
    sha256: String,
    sha1: String,
    md5: String,
    key: Uuid,
    created_at: Time,
}

impl From<Row> for Release {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            compatible: row.compatible,
            version: row.version,
            build: row.build,
            description: row.description,
            format: row.format,
            signer: row.signer,
            // Written from the same type.
            images: serde_json::from_value(row.images).unwrap_or_default(),
            size_bytes: row.size_bytes,
            sha256: row.sha256,
            sha1: row.sha1,
            md5: row.md5,
            key: row.key,
            created_at: row.created_at,
        }
    }
}

/// All releases of an organisation, the newest first.
///
/// # Errors
/// The database's.
pub(crate) async fn list(pool: &PgPool, organisation: OrganisationId) -> Result<Vec<Release>, sqlx::Error> {
    select(pool, organisation, None, None).await
}

/// One release; `None` when there is none of that id.
///
/// # Errors
/// The database's.
pub(crate) async fn find(pool: &PgPool, organisation: OrganisationId, id: i64) -> Result<Option<Release>, sqlx::Error> {
    Ok(select(pool, organisation, Some(id), None).await?.pop())
}

/// The release with this content.
pub(super) async fn find_by_content(
    pool: &PgPool,
    organisation: OrganisationId,
    sha256: &str,
) -> Result<Option<Release>, sqlx::Error> {
    Ok(select(pool, organisation, None, Some(sha256)).await?.pop())
}

async fn select(
    pool: &PgPool,
    organisation: OrganisationId,
    id: Option<i64>,
    sha256: Option<&str>,
) -> Result<Vec<Release>, sqlx::Error> {
    let rows = sqlx::query_as!(
        Row,
        r#"SELECT id, compatible, version, build, description, format, signer, images, size_bytes, sha256, sha1, md5, key,
               created_at AS "created_at!: Time"
           FROM releases
           WHERE organisation_id = $1 AND ($2::bigint IS NULL OR id = $2) AND ($3::text IS NULL OR sha256 = $3)
           ORDER BY id DESC"#,
        organisation.0,
        id,
        sha256
    )
    .fetch_all(pool)
    .await?;
    Ok(rows.into_iter().map(Release::from).collect())
}

/// The release of a version.
pub(super) async fn find_version(
    pool: &PgPool,
    organisation: OrganisationId,
    compatible: &str,
    version: &str,
) -> Result<Option<i64>, sqlx::Error> {
    sqlx::query_scalar!(
        "SELECT id FROM releases WHERE organisation_id = $1 AND compatible = $2 AND version = $3",
        organisation.0,
        compatible,
        version
    )
    .fetch_optional(pool)
    .await
}

/// What is known of a new release.
pub(super) struct NewRelease<'a> {
    pub(super) manifest: &'a Manifest,
    pub(super) size_bytes: i64,
    pub(super) sha256: &'a str,
    pub(super) sha1: &'a str,
    pub(super) md5: &'a str,
    pub(super) key: Uuid,
}

/// Registers a release; `None` when its content or its version is registered already.
pub(super) async fn create(
    pool: &PgPool,
    organisation: OrganisationId,
    new: &NewRelease<'_>,
) -> Result<Option<i64>, sqlx::Error> {
    let manifest = new.manifest;
    sqlx::query_scalar!(
        "INSERT INTO releases (organisation_id, compatible, version, build, description, format, signer, images,
             size_bytes, sha256, sha1, md5, key)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) ON CONFLICT DO NOTHING RETURNING id",
        organisation.0,
        manifest.compatible,
        manifest.version,
        manifest.build,
        manifest.description,
        manifest.format,
        manifest.signer,
        serde_json::json!(manifest.images),
        new.size_bytes,
        new.sha256,
        new.sha1,
        new.md5,
        new.key
    )
    .fetch_optional(pool)
    .await
}

/// What became of the wish to delete a release.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Deletion {
    /// It is gone; its bundle is under this key.
    Done(Uuid),
    /// There is none of that id.
    Unknown,
    /// Deployments or rollouts name it.
    InUse,
}

/// Deletes a release that no deployment and no rollout names.
///
/// # Errors
/// The database's.
pub(crate) async fn delete(pool: &PgPool, organisation: OrganisationId, id: i64) -> Result<Deletion, sqlx::Error> {
    let deleted = sqlx::query_scalar!(
        "DELETE FROM releases WHERE organisation_id = $1 AND id = $2 RETURNING key",
        organisation.0,
        id
    )
    .fetch_optional(pool)
    .await;
    match deleted {
        Ok(Some(key)) => Ok(Deletion::Done(key)),
        Ok(None) => Ok(Deletion::Unknown),
        Err(sqlx::Error::Database(error)) if error.is_foreign_key_violation() => Ok(Deletion::InUse),
        Err(error) => Err(error),
    }
}
