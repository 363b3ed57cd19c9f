//! The targets' SQL.

use super::Target;
use crate::state::OrganisationId;
use sqlx::PgConnection;

/// The devices that are meant, by id: of the versions in `from_versions` where given, without those that run the
/// release already.
///
/// # Errors
/// The database's.
pub(crate) async fn resolve(
    connection: &mut PgConnection,
    organisation: OrganisationId,
    target: &Target,
    from_versions: Option<&[String]>,
    release_id: i64,
) -> Result<Vec<i32>, sqlx::Error> {
    let ids = match target {
        Target::Devices(ids) => Some(ids.iter().map(ToString::to_string).collect::<Vec<_>>()),
        _ => None,
    };
    let prefix = if let Target::Prefix(prefix) = target { Some(prefix.as_str()) } else { None };
    let tag = if let Target::Tag(tag) = target { Some(tag.as_str()) } else { None };
    let failed_of = if let Target::FailedOf(rollout) = target { Some(*rollout) } else { None };
    sqlx::query_scalar!(
        "SELECT v.key FROM devices v JOIN releases r ON r.id = $2
         WHERE v.organisation_id = $1 AND v.version IS DISTINCT FROM r.version
             AND ($3::text[] IS NULL OR v.version = ANY ($3))
             AND ($4::text[] IS NULL OR v.id = ANY ($4))
             AND ($5::text IS NULL OR starts_with(v.id, $5))
             AND ($6::text IS NULL OR EXISTS (
                 SELECT 1 FROM device_tags t WHERE t.device_key = v.key AND t.tag = $6))
             AND ($7::bigint IS NULL OR EXISTS (
                 SELECT 1 FROM deployments d WHERE d.device_key = v.key AND d.rollout_id = $7
                     AND d.state IN ('failed', 'rolled_back')))
         ORDER BY v.id",
        organisation.0,
        release_id,
        from_versions,
        ids.as_deref(),
        prefix,
        tag,
        failed_of
    )
    .fetch_all(connection)
    .await
}
