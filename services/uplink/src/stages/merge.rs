//! From raw readings and the stages' answers to readings for the wire. Pure.

use crate::spool::Encoded;
use microkernel_bus::Reading as Raw;
use microkernel_bus::ml::Score;
use microkernel_bus::wasm::{Action, Transformed, Verdict};
use microkernel_wire::{
    BootId, Clock, DeviceId, MAX_PAYLOAD_BYTES, Outcome, Reading, Seq, StageOutcome, Timestamp, encode_telemetry,
};
use std::collections::HashMap;

/// Where readings come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// The device.
    pub device: DeviceId,
    /// The run of the numbering; `None` when the sensor's epoch is not a UUID, which leaves readings without a number.
    pub boot_id: Option<BootId>,
}

/// What the stages answered about a batch, or why they did not.
#[derive(Debug, Clone, PartialEq)]
pub struct Answers {
    /// The edge scripts.
    pub wasm: Result<Transformed, StageOutcome>,
    /// The model.
    pub ml: Result<Vec<Score>, StageOutcome>,
}

/// What goes on.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Merged {
    /// The readings, in the batch's order.
    pub readings: Vec<Encoded>,
    /// How many a script dropped.
    pub filtered: u64,
    /// Readings that can't be told to anybody, and what is wrong with each.
    pub unusable: Vec<String>,
}

/// Joins a raw batch with the stages' answers.
///
/// A value that a script changed leaves the measured one beside it. What a stage says about a reading that it was not
/// asked about is ignored; what it says that makes no sense counts as its error, and the reading goes on without it.
pub fn merge(source: &Source, batch: &[Raw], answers: &Answers) -> Merged {
    let verdicts: HashMap<u64, &Verdict> = match &answers.wasm {
        Ok(transformed) => transformed.verdicts.iter().map(|verdict| (verdict.seq, verdict)).collect(),
        Err(_) => HashMap::new(),
    };
    let scores: HashMap<u64, &Score> = match &answers.ml {
        Ok(scores) => scores.iter().map(|score| (score.seq, score)).collect(),
        Err(_) => HashMap::new(),
    };
    let mut merged = Merged::default();
    for raw in batch {
        let mut reading = match reading(source, raw) {
            Ok(reading) => reading,
            Err(problem) => {
                merged.unusable.push(format!("reading {} of sensor {:?}: {problem}", raw.seq, raw.sensor));
                continue;
            }
        };
        let wasm = match &answers.wasm {
            Ok(_) => match apply(&mut reading, verdicts.get(&raw.seq).copied()) {
                Applied::Kept(outcome) => outcome,
                Applied::Dropped => {
                    merged.filtered += 1;
                    continue;
                }
            },
            Err(outcome) => *outcome,
        };
        let ml = match &answers.ml {
            Ok(_) => judge(&mut reading, scores.get(&raw.seq).copied()),
            Err(outcome) => *outcome,
        };
        reading.outcome = Some(Outcome::from([("wasm".to_owned(), wasm), ("ml".to_owned(), ml)]));
        let json = encode_telemetry(std::slice::from_ref(&reading)).into_boxed_slice();
        if json.len() > MAX_PAYLOAD_BYTES {
            merged.unusable.push(format!("reading {} of sensor {:?} has {} bytes", raw.seq, raw.sensor, json.len()));
            continue;
        }
        merged.readings.push(Encoded { sensor: reading.sensor, json });
    }
    merged
}

/// A reading as it was measured.
fn reading(source: &Source, raw: &Raw) -> Result<Reading, String> {
    if !raw.value.is_finite() {
        return Err(format!("its value {} is not a number that JSON can tell", raw.value));
    }
    if raw.unit.contains('\0') {
        return Err("its unit has a NUL in it".to_owned());
    }
    let seq = Seq::try_from(raw.seq).map_err(|error| error.to_string())?;
    Ok(Reading {
        device_id: source.device.clone(),
        sensor: raw.sensor.parse().map_err(|error: microkernel_wire::IdError| error.to_string())?,
        value: raw.value,
        unit: raw.unit.clone(),
        timestamp: Timestamp::from_micros(raw.timestamp_us),
        anomaly: false,
        confidence: None,
        seq: source.boot_id.map(|_| seq),
        boot_id: source.boot_id,
        raw: None,
        outcome: None,
        clock: Some(if raw.synchronized { Clock::Synchronized } else { Clock::Unsynchronized }),
    })
}

enum Applied {
    Kept(StageOutcome),
    Dropped,
}

fn apply(reading: &mut Reading, verdict: Option<&Verdict>) -> Applied {
    match verdict {
        Some(Verdict { action: Action::Keep, .. }) => Applied::Kept(StageOutcome::Ok),
        Some(Verdict { action: Action::Change, value, .. }) if value.is_finite() => {
            reading.raw = Some(reading.value);
            reading.value = *value;
            Applied::Kept(StageOutcome::Ok)
        }
        Some(Verdict { action: Action::Drop, .. }) => Applied::Dropped,
        Some(Verdict { action: Action::Change, .. }) | None => Applied::Kept(StageOutcome::Error),
    }
}

fn judge(reading: &mut Reading, score: Option<&Score>) -> StageOutcome {
    match score {
        // No model has an opinion on this sensor.
        None => StageOutcome::Ok,
        Some(score) if (0.0..=1.0).contains(&score.confidence) => {
            reading.anomaly = score.anomaly;
            reading.confidence = Some(score.confidence);
            StageOutcome::Ok
        }
        Some(_) => StageOutcome::Error,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use microkernel_wire::decode_telemetry;
    use proptest::prelude::*;

    fn source() -> Source {
        Source { device: "device-001".parse().unwrap(), boot_id: Some(BootId(uuid::Uuid::nil())) }
    }

    fn raw(seq: u64, value: f64) -> Raw {
        Raw {
            seq,
            sensor: "Temperature".to_owned(),
            value,
            unit: "°C".to_owned(),
            timestamp_us: 1_704_067_200_000_000,
            monotonic_ns: 1,
            synchronized: true,
        }
    }

    fn verdict(seq: u64, action: Action, value: f64) -> Verdict {
        Verdict { seq, action, value }
    }

    fn score(seq: u64, confidence: f64) -> Score {
        Score { seq, anomaly: true, confidence, score: 3.0, reason: String::new() }
    }

    fn answers(verdicts: Vec<Verdict>, scores: Vec<Score>) -> Answers {
        Answers { wasm: Ok(Transformed { verdicts, derived: vec![], alerts: vec![] }), ml: Ok(scores) }
    }

    fn decoded(merged: &Merged) -> Vec<Reading> {
        let decode = |one: &Encoded| decode_telemetry(&source().device, &one.json).unwrap().readings.remove(0);
        merged.readings.iter().map(decode).collect()
    }

    fn outcome(reading: &Reading, stage: &str) -> StageOutcome {
        reading.outcome.as_ref().unwrap()[stage]
    }

    #[test]
    fn a_changed_value_leaves_the_measured_one_beside_it() {
        let merged = merge(&source(), &[raw(7, 23.4)], &answers(vec![verdict(7, Action::Change, 23.5)], vec![]));
        let reading = &decoded(&merged)[0];
        assert_eq!((reading.value, reading.raw), (23.5, Some(23.4)));
        assert_eq!(reading.seq.unwrap().get(), 7);
    }

    #[test]
    fn a_dropped_reading_is_counted() {
        let verdicts = vec![verdict(1, Action::Drop, 0.0), verdict(2, Action::Keep, 0.0)];
        let merged = merge(&source(), &[raw(1, 1.0), raw(2, 2.0)], &answers(verdicts, vec![]));
        assert_eq!((merged.filtered, decoded(&merged)[0].value), (1, 2.0));
    }

    #[test]
    fn a_score_is_attached_and_a_reading_without_one_is_well() {
        let verdicts = vec![verdict(1, Action::Keep, 0.0), verdict(2, Action::Keep, 0.0)];
        let merged = merge(&source(), &[raw(1, 1.0), raw(2, 2.0)], &answers(verdicts, vec![score(2, 0.9)]));
        let readings = decoded(&merged);
        assert_eq!((readings[0].anomaly, readings[0].confidence), (false, None));
        assert_eq!((readings[1].anomaly, readings[1].confidence), (true, Some(0.9)));
        assert!(readings.iter().all(|reading| outcome(reading, "ml") == StageOutcome::Ok));
    }

    #[test]
    fn a_stage_that_did_not_answer_is_recorded_and_the_raw_value_goes_on() {
        let answers = Answers { wasm: Err(StageOutcome::Timeout), ml: Err(StageOutcome::Absent) };
        let reading = decoded(&merge(&source(), &[raw(1, 20.0)], &answers)).remove(0);
        assert_eq!((reading.value, reading.raw), (20.0, None));
        assert_eq!(outcome(&reading, "wasm"), StageOutcome::Timeout);
        assert_eq!(outcome(&reading, "ml"), StageOutcome::Absent);
    }

    #[test]
    fn an_answer_that_makes_no_sense_is_the_stage_s_error_and_harms_no_reading() {
        let verdicts = vec![verdict(1, Action::Change, f64::NAN), verdict(99, Action::Drop, 0.0)];
        let merged = merge(
            &source(),
            &[raw(1, 20.0), raw(2, 21.0)],
            &answers(verdicts, vec![score(1, 7.0), score(2, f64::NAN)]),
        );
        let readings = decoded(&merged);
        assert_eq!(readings.len(), 2);
        for reading in &readings {
            assert_eq!(outcome(reading, "wasm"), StageOutcome::Error);
            assert_eq!(outcome(reading, "ml"), StageOutcome::Error);
            assert_eq!(reading.raw, None);
        }
    }

    #[test]
    fn what_the_wire_can_t_tell_is_named_and_stops_nothing() {
        let nameless = Raw { sensor: String::new(), ..raw(2, 1.0) };
        let numberless = raw(u64::MAX, 1.0);
        let batch = [raw(1, f64::INFINITY), nameless, numberless, raw(4, 1.0)];
        let merged = merge(&source(), &batch, &answers(vec![], vec![]));
        assert_eq!((merged.readings.len(), merged.unusable.len()), (1, 3));
        assert!(merged.unusable[0].contains("reading 1 of sensor \"Temperature\""), "{:?}", merged.unusable);
    }

    #[test]
    fn an_epoch_that_is_no_uuid_leaves_readings_without_a_number() {
        let source = Source { boot_id: None, ..source() };
        let reading = decoded(&merge(&source, &[raw(5, 1.0)], &answers(vec![], vec![]))).remove(0);
        assert_eq!((reading.seq, reading.boot_id), (None, None));
    }

    fn any_raw() -> impl Strategy<Value = Raw> {
        (any::<u64>(), ".{0,70}", any::<f64>(), ".{0,10}", any::<i64>(), any::<bool>()).prop_map(
            |(seq, sensor, value, unit, timestamp_us, synchronized)| Raw {
                seq,
                sensor,
                value,
                unit,
                timestamp_us,
                monotonic_ns: 0,
                synchronized,
            },
        )
    }

    proptest! {
        /// Whatever a sensor service sends, the server can decode what goes on, and the rest is accounted for.
        #[test]
        fn what_goes_on_can_be_decoded(batch in prop::collection::vec(any_raw(), 0..20)) {
            let merged = merge(&source(), &batch, &answers(vec![], vec![]));
            prop_assert_eq!(merged.readings.len() + merged.unusable.len(), batch.len());
            for encoded in &merged.readings {
                let telemetry = decode_telemetry(&source().device, &encoded.json);
                prop_assert!(telemetry.is_ok_and(|telemetry| telemetry.rejected.is_empty()));
            }
        }
    }
}
