//! The narrow keys that readings are stored under, remembered so that a batch of known devices asks for none.

use super::message::{Content, Message};
use crate::state::OrganisationId;
use crate::{ledger, registry, telemetry};
use microkernel_wire::{DeviceId, Reading, SensorName};
use sqlx::{PgConnection, PgPool};
use std::collections::{BTreeSet, HashMap, HashSet};
use uuid::Uuid;

/// Sensors and runs that are remembered at most; beyond, all are forgotten and asked for again.
const REMEMBERED: usize = 200_000;
const DAY_MICROS: i64 = 86_400_000_000;

/// Keys known so far. They stay right as long as nothing is deleted; [`Keys::forget`] when something was.
#[derive(Debug, Default)]
pub(super) struct Keys {
    devices: HashMap<String, i32>,
    sensors: HashMap<(i32, SensorName), i32>,
    runs: HashMap<(i32, Uuid), i32>,
    /// Days that have a partition, counted from 1970-01-01.
    days: HashSet<i32>,
}

impl Keys {
    /// Forgets everything.
    pub(super) fn forget(&mut self) {
        *self = Self::default();
    }

    /// Learns every key that the messages need, registering what is new. Each step commits by itself: a row without
    /// readings does no harm, and a key that a rolled back transaction gave out would.
    pub(super) async fn learn(
        &mut self,
        pool: &PgPool,
        organisation: OrganisationId,
        messages: &[Message],
    ) -> Result<(), sqlx::Error> {
        if self.sensors.len().max(self.runs.len()) > REMEMBERED {
            self.forget();
        }
        self.learn_days(pool, messages).await?;
        let connection = &mut *pool.acquire().await?;
        let devices: BTreeSet<&DeviceId> = messages.iter().filter_map(|message| message.device.as_ref()).collect();
        let new: Vec<String> =
            devices.iter().map(|id| id.to_string()).filter(|id| !self.devices.contains_key(id)).collect();
        if !new.is_empty() {
            let keys = registry::store::register(connection, organisation, &new).await?;
            self.devices.extend(new.into_iter().zip(keys));
        }
        self.learn_sensors(connection, organisation, messages).await?;
        self.learn_runs(connection, organisation, messages).await
    }

    async fn learn_days(&mut self, pool: &PgPool, messages: &[Message]) -> Result<(), sqlx::Error> {
        let days = messages.iter().filter_map(readings).flatten().map(|stamped| stamped.ts.as_micros());
        let days: BTreeSet<i32> = days.map(|micros| micros.div_euclid(DAY_MICROS) as i32).collect();
        let new: Vec<i32> = days.into_iter().filter(|day| !self.days.contains(day)).collect();
        if !new.is_empty() {
            telemetry::store::ensure_partitions(pool, &new).await?;
            self.days.extend(new);
        }
        Ok(())
    }

    async fn learn_sensors(
        &mut self,
        connection: &mut PgConnection,
        organisation: OrganisationId,
        messages: &[Message],
    ) -> Result<(), sqlx::Error> {
        let wanted: BTreeSet<(i32, &SensorName)> =
            self.of_devices(messages).map(|(device_key, reading)| (device_key, &reading.sensor)).collect();
        let new: Vec<(i32, SensorName)> = wanted
            .into_iter()
            .map(|(device_key, name)| (device_key, name.clone()))
            .filter(|sensor| !self.sensors.contains_key(sensor))
            .collect();
        if !new.is_empty() {
            let (devices, names): (Vec<i32>, Vec<String>) =
                new.iter().map(|(device_key, name)| (*device_key, name.to_string())).unzip();
            let keys = registry::store::register_sensors(connection, organisation, &devices, &names).await?;
            self.sensors.extend(new.into_iter().zip(keys));
        }
        Ok(())
    }

    async fn learn_runs(
        &mut self,
        connection: &mut PgConnection,
        organisation: OrganisationId,
        messages: &[Message],
    ) -> Result<(), sqlx::Error> {
        let wanted: BTreeSet<(i32, Uuid)> = self
            .of_devices(messages)
            .filter_map(|(device_key, reading)| Some((device_key, number(reading)?.0)))
            .collect();
        let new: Vec<(i32, Uuid)> = wanted.into_iter().filter(|run| !self.runs.contains_key(run)).collect();
        if !new.is_empty() {
            let (devices, boot_ids): (Vec<i32>, Vec<Uuid>) = new.iter().copied().unzip();
            let keys = ledger::store::open(connection, organisation, &devices, &boot_ids).await?;
            self.runs.extend(new.into_iter().zip(keys));
        }
        Ok(())
    }

    /// Every reading with the key of its device.
    fn of_devices<'a>(&self, messages: &'a [Message]) -> impl Iterator<Item = (i32, &'a Reading)> {
        messages
            .iter()
            .filter_map(|message| Some((self.device(message)?, readings(message)?)))
            .flat_map(|(device_key, readings)| readings.iter().map(move |stamped| (device_key, &stamped.reading)))
    }

    /// The key of the device that a message is of; `None` where it is of none, or was not learned.
    pub(super) fn device(&self, message: &Message) -> Option<i32> {
        self.devices.get(message.device.as_ref()?.as_str()).copied()
    }

    /// The key of a reading's sensor; `None` where it was not learned.
    pub(super) fn sensor(&self, device_key: i32, reading: &Reading) -> Option<i32> {
        self.sensors.get(&(device_key, reading.sensor.clone())).copied()
    }

    /// The key of the ledger of a reading's run, and its number there; `None` for a reading without a number.
    pub(super) fn ledger(&self, device_key: i32, reading: &Reading) -> Option<(i32, i64)> {
        let (boot_id, seq) = number(reading)?;
        Some((*self.runs.get(&(device_key, boot_id))?, seq))
    }
}

fn readings(message: &Message) -> Option<&[super::message::Stamped]> {
    match &message.content {
        Content::Telemetry(readings) => Some(readings),
        _ => None,
    }
}

/// A reading's run and number, where it has both.
fn number(reading: &Reading) -> Option<(Uuid, i64)> {
    reading.boot_id.zip(reading.seq).map(|(boot_id, seq)| (boot_id.0, seq.get() as i64))
}
