//! The spool in memory: bounded, gone when the process ends.
//!
//! Nothing is lost by that as long as the sensor's ring still has the readings: the next process reads the ring from
//! its oldest reading on, and the server knows what it has seen already.

use super::{Batch, BatchId, Cursor, Encoded, Limit, Spool, SpoolError, Usage};
use microkernel_wire::SensorName;
use std::collections::BTreeMap;

/// The place of a reading in the order of appending.
type Position = u64;

/// Overflow policy: the oldest reading that is not on its way is dropped. Those on their way are spared: the broker
/// may have them already.
#[derive(Debug)]
pub struct MemorySpool {
    capacity: usize,
    cursor: Cursor,
    next_position: Position,
    next_batch: u64,
    waiting: BTreeMap<Position, Slot>,
    in_flight: BTreeMap<BatchId, Vec<(Position, Slot)>>,
    depth: usize,
    bytes: u64,
    sensors: Vec<Sensor>,
}

#[derive(Debug)]
struct Slot {
    /// Index into `MemorySpool::sensors`: a name in each of 100,000 slots would cost more than some readings.
    sensor: usize,
    json: Box<[u8]>,
}

#[derive(Debug)]
struct Sensor {
    name: SensorName,
    overflowed: u64,
    refused: u64,
}

impl MemorySpool {
    /// An empty spool for at most `capacity` readings.
    pub fn new(capacity: usize) -> Self {
        Self {
            capacity,
            cursor: Cursor::default(),
            next_position: 0,
            next_batch: 0,
            waiting: BTreeMap::new(),
            in_flight: BTreeMap::new(),
            depth: 0,
            bytes: 0,
            sensors: vec![],
        }
    }

    fn sensor_index(&mut self, name: SensorName) -> usize {
        self.sensors.iter().position(|sensor| sensor.name == name).unwrap_or_else(|| {
            self.sensors.push(Sensor { name, overflowed: 0, refused: 0 });
            self.sensors.len() - 1
        })
    }

    fn drop_oldest(&mut self) -> u64 {
        let mut dropped = 0;
        while self.depth > self.capacity {
            let Some((_, slot)) = self.waiting.pop_first() else { break };
            self.forget(&slot);
            self.sensors[slot.sensor].overflowed += 1;
            dropped += 1;
        }
        dropped
    }

    fn forget(&mut self, slot: &Slot) {
        self.depth -= 1;
        self.bytes -= slot.json.len() as u64;
    }

    fn land(&mut self, operation: &'static str, batch: BatchId) -> Result<Vec<(Position, Slot)>, SpoolError> {
        self.in_flight.remove(&batch).ok_or(SpoolError::NotInFlight { operation, batch: batch.0 })
    }

    fn counts(&self, count: impl Fn(&Sensor) -> u64) -> BTreeMap<SensorName, u64> {
        self.sensors.iter().filter(|sensor| count(sensor) > 0).map(|s| (s.name.clone(), count(s))).collect()
    }
}

impl Spool for MemorySpool {
    fn append(&mut self, readings: Vec<Encoded>, cursor: Cursor) -> Result<u64, SpoolError> {
        for Encoded { sensor, json } in readings {
            self.depth += 1;
            self.bytes += json.len() as u64;
            let sensor = self.sensor_index(sensor);
            self.waiting.insert(self.next_position, Slot { sensor, json });
            self.next_position += 1;
        }
        self.cursor = cursor;
        Ok(self.drop_oldest())
    }

    fn cursor(&self) -> Cursor {
        self.cursor.clone()
    }

    fn take(&mut self, limit: Limit) -> Result<Option<Batch>, SpoolError> {
        let mut taken: Vec<(Position, Slot)> = vec![];
        let mut bytes = 0;
        while let Some(oldest) = self.waiting.first_entry() {
            bytes += oldest.get().json.len() + 1;
            let full = taken.len() >= limit.readings || bytes > limit.bytes;
            if full && !taken.is_empty() {
                break;
            }
            taken.push(oldest.remove_entry());
        }
        if taken.is_empty() {
            return Ok(None);
        }
        let id = BatchId(self.next_batch);
        self.next_batch += 1;
        let readings = taken.iter().map(|(_, slot)| slot.json.clone()).collect();
        self.in_flight.insert(id, taken);
        Ok(Some(Batch { id, readings }))
    }

    fn acknowledge(&mut self, batch: BatchId) -> Result<(), SpoolError> {
        for (_, slot) in self.land("acknowledge", batch)? {
            self.forget(&slot);
        }
        Ok(())
    }

    fn release(&mut self, batch: BatchId) -> Result<(), SpoolError> {
        let slots = self.land("release", batch)?;
        self.waiting.extend(slots);
        Ok(())
    }

    fn discard(&mut self, batch: BatchId) -> Result<(), SpoolError> {
        for (_, slot) in self.land("discard", batch)? {
            self.forget(&slot);
            self.sensors[slot.sensor].refused += 1;
        }
        Ok(())
    }

    fn usage(&self) -> Usage {
        Usage {
            depth: self.depth as u64,
            bytes: self.bytes,
            overflowed: self.counts(|sensor| sensor.overflowed),
            refused: self.counts(|sensor| sensor.refused),
        }
    }
}

#[cfg(test)]
mod tests;
