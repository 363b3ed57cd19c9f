//! The small numbers that stand for words in the telemetry table (see the migration).

use microkernel_wire::{Clock, Outcome, StageOutcome};

/// The column's number for a stage's outcome; `None` where the reading has none.
pub(super) fn stage_code(outcome: Option<&Outcome>, stage: &str) -> Option<i16> {
    outcome?.get(stage).map(|outcome| match outcome {
        StageOutcome::Ok => 0,
        StageOutcome::Absent => 1,
        StageOutcome::Timeout => 2,
        StageOutcome::Error => 3,
        StageOutcome::Open => 4,
        StageOutcome::Unknown => 5,
    })
}

/// The outcomes of the stages from their columns.
pub(super) fn outcome(wasm: Option<i16>, ml: Option<i16>) -> Option<Outcome> {
    let stages = [("wasm", wasm), ("ml", ml)].into_iter();
    let outcome: Outcome = stages.filter_map(|(stage, code)| Some((stage.to_owned(), stage_outcome(code?)))).collect();
    (!outcome.is_empty()).then_some(outcome)
}

fn stage_outcome(code: i16) -> StageOutcome {
    match code {
        0 => StageOutcome::Ok,
        1 => StageOutcome::Absent,
        2 => StageOutcome::Timeout,
        3 => StageOutcome::Error,
        4 => StageOutcome::Open,
        _ => StageOutcome::Unknown,
    }
}

/// The column's number for the quality of the clock.
pub(super) fn clock_code(clock: Clock) -> i16 {
    match clock {
        Clock::Unsynchronized => 0,
        Clock::Synchronized => 1,
        Clock::Unknown => 2,
    }
}

/// The quality of the clock from its column.
pub(super) fn clock(code: i16) -> Clock {
    match code {
        0 => Clock::Unsynchronized,
        1 => Clock::Synchronized,
        _ => Clock::Unknown,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn every_outcome_survives_the_database() {
        use StageOutcome::{Absent, Error, Ok, Open, Timeout, Unknown};
        for stage in [Ok, Absent, Timeout, Error, Open, Unknown] {
            let before = Outcome::from([("wasm".to_owned(), stage)]);
            assert_eq!(outcome(stage_code(Some(&before), "wasm"), stage_code(Some(&before), "ml")), Some(before));
        }
        assert_eq!(outcome(None, None), None);
    }

    #[test]
    fn every_clock_survives_the_database() {
        for quality in [Clock::Unsynchronized, Clock::Synchronized, Clock::Unknown] {
            assert_eq!(clock(clock_code(quality)), quality);
        }
    }
}
