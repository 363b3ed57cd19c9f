//! The ledger's judgement against a model that remembers every number.

use super::{Arrival, Tally};
use proptest::prelude::*;
use std::collections::BTreeSet;

proptest! {
    #[test]
    fn agrees_with_a_set_of_all_numbers(
        before in proptest::collection::btree_set(0i64..60, 0..40),
        arrivals in proptest::collection::vec(0i64..80, 0..120),
    ) {
        let mut model = before.clone();
        let mut tally = Tally::new(before.last().copied());
        let (mut duplicates, mut late) = (0, 0);
        for seq in arrivals {
            let expected = if model.contains(&seq) {
                duplicates += 1;
                Arrival::Duplicate
            } else if model.last().is_some_and(|highest| seq < *highest) {
                late += 1;
                Arrival::Late
            } else {
                Arrival::InOrder
            };
            prop_assert_eq!(tally.arrive(seq, before.contains(&seq)), expected);
            model.insert(seq);
        }
        prop_assert_eq!((tally.duplicates, tally.late), (duplicates, late));

        let gained: BTreeSet<i64> = &model - &before;
        prop_assert_eq!(tally.received(), gained.len() as i64);
        let runs = tally.runs();
        prop_assert!(runs.windows(2).all(|pair| pair[0].1 + 1 < pair[1].0), "ranges touch: {:?}", runs);
        prop_assert_eq!(runs.into_iter().flat_map(|(from, to)| from..=to).collect::<BTreeSet<_>>(), gained);
    }
}
