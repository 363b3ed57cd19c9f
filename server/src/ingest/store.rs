//! The SQL of what ingest itself remembers: the last unnumbered message under each packet identifier.

use sqlx::PgConnection;
use std::collections::HashMap;

/// The hashes of the last unnumbered messages that this client received under these packet identifiers.
pub(super) async fn unnumbered(
    connection: &mut PgConnection,
    client_id: &str,
    packet_ids: &[i32],
) -> Result<HashMap<i32, Vec<u8>>, sqlx::Error> {
    let rows = sqlx::query!(
        "SELECT packet_id, payload_hash FROM unnumbered_deliveries WHERE client_id = $1 AND packet_id = ANY ($2)",
        client_id,
        packet_ids
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|row| (row.packet_id, row.payload_hash)).collect())
}

/// Remembers unnumbered messages: packet identifier and hash.
pub(super) async fn remember_unnumbered(
    connection: &mut PgConnection,
    client_id: &str,
    hashes: &HashMap<i32, Vec<u8>>,
) -> Result<(), sqlx::Error> {
    let (packet_ids, hashes): (Vec<i32>, Vec<Vec<u8>>) = hashes.iter().map(|(id, hash)| (*id, hash.clone())).unzip();
    sqlx::query!(
        "INSERT INTO unnumbered_deliveries (client_id, packet_id, payload_hash)
         SELECT $1, * FROM UNNEST($2::integer[], $3::bytea[])
         ON CONFLICT (client_id, packet_id) DO UPDATE SET payload_hash = excluded.payload_hash",
        client_id,
        &packet_ids,
        &hashes
    )
    .execute(connection)
    .await?;
    Ok(())
}
