//! The stages, played by the test on the real bus.

use crate::broker::Broker;
use crate::bus::{Bus, ModelService, Ring, Scripts};
use crate::listener::Listener;
use crate::uplink::{DEVICE, Uplink};
use crate::wait::until;
use microkernel_bus::ml::Score;
use microkernel_bus::wasm::{Action, Transformed, Verdict};
use microkernel_bus::{Reading as Raw, at, ml, wasm};
use microkernel_wire::{Reading, StageOutcome};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

fn outcome(reading: &Reading, stage: &str) -> StageOutcome {
    reading.outcome.as_ref().unwrap()[stage]
}

/// Drops every third reading and adds 1 to every other third.
fn thirds(batch: Vec<Raw>) -> Transformed {
    let verdict = |raw: &Raw| match raw.seq % 3 {
        0 => Verdict { seq: raw.seq, action: Action::Drop, value: raw.value },
        1 => Verdict { seq: raw.seq, action: Action::Change, value: raw.value + 1.0 },
        _ => Verdict { seq: raw.seq, action: Action::Keep, value: raw.value },
    };
    Transformed { verdicts: batch.iter().map(verdict).collect(), derived: vec![], alerts: vec![] }
}

/// Finds the measured values of every second reading odd.
fn halves(batch: Vec<Raw>) -> Option<Vec<Score>> {
    let odd = batch.iter().filter(|raw| raw.seq.is_multiple_of(2));
    let score =
        |raw: &Raw| Score { seq: raw.seq, anomaly: true, confidence: 0.75, score: raw.value, reason: String::new() };
    Some(odd.map(score).collect())
}

#[tokio::test]
async fn what_the_stages_say_is_in_the_readings() {
    let (broker, bus) = (Broker::start().await, Bus::start().await);
    let listener = Listener::start(&broker, DEVICE).await;
    let _wasm = wasm::serve(at(&bus.address), Scripts(thirds)).await.unwrap();
    let model = ModelService { answer: halves, asked: Arc::default() };
    let _ml = ml::serve(at(&bus.address), model).await.unwrap();
    let ring = Ring::new();
    let _served = ring.serve(&bus).await;
    ring.measure(90);
    let _uplink = Uplink::start_with(&broker, &bus, "wasm_deadline_seconds = 5\nml_deadline_seconds = 5", DEVICE);
    until("two thirds arrive", || (listener.readings().len() >= 60).then_some(())).await;
    for reading in listener.readings() {
        let number = reading.seq.unwrap().get();
        let measured = 20.0 + number as f64 / 1000.0;
        assert_ne!(number % 3, 0);
        let expected = if number % 3 == 1 { (measured + 1.0, Some(measured)) } else { (measured, None) };
        assert_eq!((reading.value, reading.raw), expected);
        let judged = number.is_multiple_of(2);
        assert_eq!((reading.anomaly, reading.confidence), (judged, judged.then_some(0.75)));
        assert_eq!((outcome(&reading, "wasm"), outcome(&reading, "ml")), (StageOutcome::Ok, StageOutcome::Ok));
    }
    until("the dropped ones are reported", || {
        let detail = listener.health().last()?.services["wasm"].detail.clone()?;
        detail.contains("scripts have dropped 30 readings").then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_stage_that_hangs_is_given_up_and_costs_nothing_until_it_is_back() {
    let (broker, bus) = (Broker::start().await, Bus::start().await);
    let listener = Listener::start(&broker, DEVICE).await;
    let _wasm = wasm::serve(at(&bus.address), Scripts(thirds)).await.unwrap();
    let (hangs, asked) = (Arc::new(AtomicU64::new(1)), Arc::new(AtomicU64::new(0)));
    let answer = {
        let hangs = hangs.clone();
        move |batch| if hangs.load(Ordering::SeqCst) == 1 { None } else { halves(batch) }
    };
    let _ml = ml::serve(at(&bus.address), ModelService { answer, asked: asked.clone() }).await.unwrap();
    let ring = Ring::new();
    let served = ring.serve(&bus).await;
    let _uplink = Uplink::start_with(
        &broker,
        &bus,
        "batch_readings = 10\nwasm_deadline_seconds = 5\nml_deadline_seconds = 0.1",
        DEVICE,
    );
    ring.measure(600);
    served.available(600).await.unwrap();
    until("the readings go on", || (listener.readings().len() >= 400).then_some(())).await;
    // Sixty batches were read; the model was asked about three, and about one more at most if a pause went by.
    let questions = asked.load(Ordering::SeqCst);
    assert!((3..=5).contains(&questions), "{questions} questions");
    let readings = listener.readings();
    let timeouts = readings.iter().filter(|reading| outcome(reading, "ml") == StageOutcome::Timeout).count();
    let skipped = readings.iter().filter(|reading| outcome(reading, "ml") == StageOutcome::Open).count();
    assert_eq!(timeouts + skipped, 400);
    assert!(timeouts >= 20 && skipped >= 300, "{timeouts} timeouts, {skipped} skipped");
    assert!(readings.iter().all(|reading| outcome(reading, "wasm") == StageOutcome::Ok));

    hangs.store(0, Ordering::SeqCst);
    until("the model is asked again", || {
        ring.measure(3);
        listener.readings().iter().any(|reading| outcome(reading, "ml") == StageOutcome::Ok).then_some(())
    })
    .await;
}
