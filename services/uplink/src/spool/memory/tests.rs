#![allow(clippy::unwrap_used)]

use super::*;
use proptest::prelude::*;

const ALL: Limit = Limit { readings: usize::MAX, bytes: usize::MAX };

fn reading(number: u64) -> Encoded {
    let sensor = if number.is_multiple_of(2) { "Even" } else { "Odd" };
    Encoded { sensor: sensor.parse().unwrap(), json: number.to_string().into_bytes().into() }
}

fn append(spool: &mut MemorySpool, numbers: std::ops::Range<u64>) -> u64 {
    let cursor = Cursor { epoch: "e".to_owned(), seq: numbers.end };
    spool.append(numbers.map(reading).collect(), cursor).unwrap()
}

fn numbers(batch: &Batch) -> Vec<u64> {
    batch.readings.iter().map(|json| std::str::from_utf8(json).unwrap().parse().unwrap()).collect()
}

#[test]
fn a_reading_leaves_only_when_it_is_acknowledged() {
    let mut spool = MemorySpool::new(10);
    append(&mut spool, 0..3);
    let batch = spool.take(ALL).unwrap().unwrap();
    assert_eq!(numbers(&batch), [0, 1, 2]);
    assert_eq!(spool.usage().depth, 3);
    assert_eq!(spool.take(ALL).unwrap(), None);
    spool.acknowledge(batch.id).unwrap();
    assert_eq!(spool.usage(), Usage::default());
}

#[test]
fn a_released_batch_is_taken_again_before_everything_younger() {
    let mut spool = MemorySpool::new(10);
    append(&mut spool, 0..6);
    let limit = Limit { readings: 2, bytes: usize::MAX };
    let first = spool.take(limit).unwrap().unwrap();
    let second = spool.take(limit).unwrap().unwrap();
    spool.release(second.id).unwrap();
    spool.release(first.id).unwrap();
    assert_eq!(numbers(&spool.take(ALL).unwrap().unwrap()), [0, 1, 2, 3, 4, 5]);
}

#[test]
fn overflow_drops_the_oldest_that_is_not_on_its_way_and_counts_it_by_sensor() {
    let mut spool = MemorySpool::new(4);
    append(&mut spool, 0..4);
    let sent = spool.take(Limit { readings: 1, bytes: usize::MAX }).unwrap().unwrap();
    assert_eq!(append(&mut spool, 4..7), 3);
    let dropped: Vec<_> = spool.usage().overflowed.into_iter().map(|(name, n)| (name.to_string(), n)).collect();
    assert_eq!(dropped, [("Even".to_owned(), 1), ("Odd".to_owned(), 2)]);
    assert_eq!(numbers(&sent), [0]);
    assert_eq!(numbers(&spool.take(ALL).unwrap().unwrap()), [4, 5, 6]);
}

#[test]
fn a_discarded_batch_is_counted_as_refused() {
    let mut spool = MemorySpool::new(4);
    append(&mut spool, 1..2);
    let batch = spool.take(ALL).unwrap().unwrap();
    spool.discard(batch.id).unwrap();
    assert_eq!((spool.usage().depth, spool.usage().dropped()), (0, 1));
}

#[test]
fn a_batch_keeps_to_both_limits_but_a_single_longer_reading_is_not_stuck() {
    let mut spool = MemorySpool::new(100);
    append(&mut spool, 10..40);
    assert_eq!(spool.take(Limit { readings: 4, bytes: 1000 }).unwrap().unwrap().readings.len(), 4);
    assert_eq!(spool.take(Limit { readings: 100, bytes: 9 }).unwrap().unwrap().readings.len(), 3);
    assert_eq!(spool.take(Limit { readings: 100, bytes: 1 }).unwrap().unwrap().readings.len(), 1);
}

#[test]
fn settling_a_batch_twice_is_an_error() {
    let mut spool = MemorySpool::new(4);
    append(&mut spool, 0..1);
    let batch = spool.take(ALL).unwrap().unwrap();
    spool.acknowledge(batch.id).unwrap();
    assert!(matches!(spool.release(batch.id), Err(SpoolError::NotInFlight { operation: "release", .. })));
}

#[derive(Debug, Clone)]
enum Step {
    Append(u64),
    Take(usize),
    Acknowledge(prop::sample::Index),
    Release(prop::sample::Index),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (1_u64..20).prop_map(Step::Append),
        (1_usize..8).prop_map(Step::Take),
        any::<prop::sample::Index>().prop_map(Step::Acknowledge),
        any::<prop::sample::Index>().prop_map(Step::Release),
    ]
}

proptest! {
    /// Whatever happens in whatever order: each reading is waiting, on its way, acknowledged or counted as dropped,
    /// never two of these and never none.
    #[test]
    fn every_reading_is_accounted_for(steps in prop::collection::vec(step(), 1..200)) {
        let mut spool = MemorySpool::new(40);
        let (mut appended, mut acknowledged) = (0, 0);
        let mut on_the_way: Vec<Batch> = vec![];
        for step in steps {
            match step {
                Step::Append(count) => {
                    append(&mut spool, appended..appended + count);
                    appended += count;
                }
                Step::Take(readings) => {
                    if let Some(batch) = spool.take(Limit { readings, bytes: usize::MAX }).unwrap() {
                        prop_assert!(numbers(&batch).is_sorted());
                        on_the_way.push(batch);
                    }
                }
                Step::Acknowledge(index) if !on_the_way.is_empty() => {
                    let batch = on_the_way.remove(index.index(on_the_way.len()));
                    spool.acknowledge(batch.id).unwrap();
                    acknowledged += batch.readings.len() as u64;
                }
                Step::Release(index) if !on_the_way.is_empty() => {
                    let batch = on_the_way.remove(index.index(on_the_way.len()));
                    spool.release(batch.id).unwrap();
                }
                Step::Acknowledge(_) | Step::Release(_) => {}
            }
            let usage = spool.usage();
            prop_assert_eq!(usage.depth + usage.dropped() + acknowledged, appended);
            prop_assert_eq!(spool.cursor().seq, appended);
        }
        for batch in on_the_way {
            spool.release(batch.id).unwrap();
        }
        let rest = spool.take(ALL).unwrap().map_or(vec![], |batch| numbers(&batch));
        prop_assert!(rest.is_sorted());
        prop_assert_eq!(rest.len() as u64, spool.usage().depth);
    }
}
