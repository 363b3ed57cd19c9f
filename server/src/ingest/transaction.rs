//! One batch of messages into the database, in one transaction: all of it or nothing.

use super::keys::Keys;
use super::message::{Content, Message, Stamped, unknown_command};
use super::store::{remember_unnumbered, unnumbered};
use crate::ledger::{Arrival, Tally};
use crate::registry::store::SensorGain;
use crate::rejections::{Rejection, SAMPLE_BYTES};
use crate::state::OrganisationId;
use crate::telemetry::store::Row;
use crate::time::Time;
use crate::{commands, ledger, registry, rejections, telemetry};
use microkernel_wire::{Channel, DeviceState, Response, Topic};
use sqlx::{PgConnection, PgPool};
use std::collections::{BTreeSet, HashMap};
use uuid::Uuid;

/// Whose messages, and who received them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Context<'a> {
    pub(super) pool: &'a PgPool,
    pub(super) organisation: OrganisationId,
    /// The client id that the packet identifiers belong to.
    pub(super) client_id: &'a str,
    pub(super) now: Time,
}

/// Stores messages, given in the order of arrival. Storing them again changes nothing but the count of duplicates.
///
/// # Errors
/// The database's; then nothing of them is stored.
pub(super) async fn store(context: Context<'_>, keys: &mut Keys, messages: &[Message]) -> Result<(), sqlx::Error> {
    keys.learn(context.pool, context.organisation, messages).await?;
    let mut transaction = context.pool.begin().await?;
    let devices: BTreeSet<i32> = messages.iter().filter_map(|message| keys.device(message)).collect();
    registry::store::lock(&mut transaction, &devices.into_iter().collect::<Vec<_>>()).await?;
    let repeated = repeated(&mut transaction, context.client_id, keys, messages).await?;
    store_readings(&mut transaction, context, keys, messages, &repeated).await?;
    let refused = store_reports(&mut transaction, context, keys, messages).await?;
    let rejections: Vec<Rejection> =
        messages.iter().flat_map(|message| &message.rejections).cloned().chain(refused).collect();
    rejections::store::record(&mut transaction, context.organisation, &rejections, context.now).await?;
    transaction.commit().await
}

/// The readings of a message that can't be recognised by a number.
fn has_unnumbered(keys: &Keys, message: &Message) -> bool {
    let (Content::Telemetry(readings), Some(device_key)) = (&message.content, keys.device(message)) else {
        return false;
    };
    readings.iter().any(|stamped| keys.ledger(device_key, &stamped.reading).is_none())
}

/// For each message, whether its unnumbered readings were stored before: the broker says that it may have sent it
/// already, and the last message under its packet identifier was the same.
async fn repeated(
    connection: &mut PgConnection,
    client_id: &str,
    keys: &Keys,
    messages: &[Message],
) -> Result<Vec<bool>, sqlx::Error> {
    let recognised = |message: &Message| message.delivery.packet_id != 0 && has_unnumbered(keys, message);
    let packet_ids: Vec<i32> = messages
        .iter()
        .filter(|message| recognised(message) && message.delivery.redelivered)
        .map(|message| i32::from(message.delivery.packet_id))
        .collect();
    let mut last = match packet_ids.is_empty() {
        true => HashMap::new(),
        false => unnumbered(connection, client_id, &packet_ids).await?,
    };
    let mut changed = HashMap::new();
    let mut repeated = vec![false; messages.len()];
    for (message, repeated) in messages.iter().zip(&mut repeated).filter(|(message, _)| recognised(message)) {
        let packet_id = i32::from(message.delivery.packet_id);
        let hash = &message.delivery.hash;
        *repeated = message.delivery.redelivered && last.get(&packet_id) == Some(hash);
        last.insert(packet_id, hash.clone());
        changed.insert(packet_id, hash.clone());
    }
    if !changed.is_empty() {
        remember_unnumbered(connection, client_id, &changed).await?;
    }
    Ok(repeated)
}

async fn store_readings(
    connection: &mut PgConnection,
    context: Context<'_>,
    keys: &Keys,
    messages: &[Message],
    repeated: &[bool],
) -> Result<(), sqlx::Error> {
    let mut rows = Vec::new();
    for (message, repeated) in messages.iter().zip(repeated) {
        let (Content::Telemetry(readings), Some(device_key)) = (&message.content, keys.device(message)) else {
            continue;
        };
        for Stamped { reading, ts, device_ts } in readings {
            let number = keys.ledger(device_key, reading);
            let Some(sensor_key) = keys.sensor(device_key, reading) else { continue };
            if number.is_none() && *repeated {
                continue;
            }
            let row = Row {
                device_key,
                sensor_key,
                ledger_key: number.map(|(ledger_key, _)| ledger_key),
                ts: *ts,
                device_ts: *device_ts,
                reading,
            };
            rows.push((row, number.map(|(_, seq)| seq)));
        }
    }
    if rows.is_empty() {
        return Ok(());
    }
    let (arrivals, tallies) = judge(connection, &rows).await?;
    let mut gains: HashMap<i32, SensorGain> = HashMap::new();
    let mut new = Vec::with_capacity(rows.len());
    for ((row, _), arrival) in rows.into_iter().zip(arrivals) {
        if arrival == Arrival::Duplicate {
            continue;
        }
        let gain = gains.entry(row.sensor_key).or_default();
        gain.readings += 1;
        if row.reading.anomaly {
            gain.anomalies += 1;
            gain.last_anomaly_at = gain.last_anomaly_at.max(Some(row.ts));
        }
        if arrival == Arrival::InOrder {
            gain.latest = Some((row.ts, row.reading.value, row.reading.anomaly, row.reading.unit.clone()));
        }
        new.push(row);
    }
    if !new.is_empty() {
        telemetry::store::insert(connection, context.organisation, &new).await?;
        registry::store::add_to_sensors(connection, &gains).await?;
    }
    ledger::store::record(connection, tallies.iter().map(|(key, tally)| (*key, tally)), context.now).await
}

/// What each reading is to its ledger (an unnumbered one is always new), and what the ledgers gain.
async fn judge(
    connection: &mut PgConnection,
    rows: &[(Row<'_>, Option<i64>)],
) -> Result<(Vec<Arrival>, HashMap<i32, Tally>), sqlx::Error> {
    let (ledger_keys, seqs): (Vec<i32>, Vec<i64>) =
        rows.iter().filter_map(|(row, seq)| row.ledger_key.zip(*seq)).unzip();
    let mut known = match ledger_keys.is_empty() {
        true => vec![],
        false => ledger::store::known(connection, &ledger_keys, &seqs).await?,
    }
    .into_iter();
    let mut tallies: HashMap<i32, Tally> = HashMap::new();
    let arrivals = rows.iter().map(|(row, seq)| match row.ledger_key.zip(*seq) {
        // The answer has one row for each number: the ledgers were opened just now, and are never deleted.
        Some((ledger_key, seq)) => known.next().map_or(Arrival::Duplicate, |known| {
            tallies.entry(ledger_key).or_insert_with(|| Tally::new(known.highest)).arrive(seq, known.recorded)
        }),
        None => Arrival::InOrder,
    });
    Ok((arrivals.collect(), tallies))
}

/// Stores everything but readings; what of it was refused.
async fn store_reports(
    connection: &mut PgConnection,
    context: Context<'_>,
    keys: &Keys,
    messages: &[Message],
) -> Result<Vec<Rejection>, sqlx::Error> {
    let mut refused = vec![];
    let mut seen = BTreeSet::new();
    for message in messages {
        let Some(device_key) = keys.device(message) else { continue };
        // An offline status is the broker's word, and a retained one was said before.
        let said_by_device = !message.retained
            && !matches!(&message.content, Content::Status(status) if status.state == DeviceState::Offline);
        if said_by_device {
            seen.insert(device_key);
        }
        match &message.content {
            Content::Status(status) => {
                registry::store::set_status(connection, device_key, status, context.now).await?;
            }
            Content::Health(health) => {
                registry::store::set_health(connection, device_key, health, context.now).await?;
            }
            Content::Response(id, response) => {
                if !commands::store::answer(connection, device_key, *id, response).await? {
                    refused.extend(unasked(message, *id, response));
                }
            }
            Content::Telemetry(_) | Content::Nothing => {}
        }
    }
    registry::store::seen(connection, &seen.into_iter().collect::<Vec<_>>(), context.now).await?;
    Ok(refused)
}

/// The rejection of an answer to a command that was not given to its device.
fn unasked(message: &Message, id: Uuid, response: &Response) -> Option<Rejection> {
    let device = message.device.clone()?;
    let (kind, reason) = unknown_command(&id.to_string());
    let mut sample = serde_json::to_vec(response).unwrap_or_default();
    sample.truncate(SAMPLE_BYTES);
    let device_id = device.to_string();
    Some(Rejection { device_id, kind, reason, topic: Topic::new(device, Channel::Responses).to_string(), sample })
}
