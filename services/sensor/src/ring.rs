//! The bounded ring of readings.
//!
//! Pure data structure. Invariants: what it holds is numbered without a hole; the first number of an epoch is 1; it
//! never holds more than its capacity, and the oldest goes first.

use std::collections::VecDeque;
use uuid::Uuid;

/// A ring of the newest items, numbered from 1 within its epoch.
#[derive(Debug)]
pub struct Ring<T> {
    epoch: String,
    capacity: usize,
    items: VecDeque<T>,
    newest_seq: u64,
}

/// What a reader gets.
#[derive(Debug, Clone, PartialEq)]
pub struct Slice<T> {
    /// How many items the reader will never see: they were overwritten between its position and the first of `items`.
    pub lost: u64,
    /// The items after the reader's position with their numbers, oldest first.
    pub items: Vec<(u64, T)>,
}

impl<T: Clone> Ring<T> {
    /// An empty ring in a fresh epoch. A capacity of 0 is raised to 1.
    pub fn new(capacity: usize) -> Self {
        Self { epoch: Uuid::new_v4().to_string(), capacity: capacity.max(1), items: VecDeque::new(), newest_seq: 0 }
    }

    /// Identifies this numbering: a UUID, new for each ring.
    pub fn epoch(&self) -> &str {
        &self.epoch
    }

    /// The number of the newest item, 0 before the first.
    pub fn newest_seq(&self) -> u64 {
        self.newest_seq
    }

    /// The number of the oldest item held, 0 when empty.
    pub fn oldest_seq(&self) -> u64 {
        if self.items.is_empty() { 0 } else { self.newest_seq - self.items.len() as u64 + 1 }
    }

    /// Appends an item and returns its number; overwrites the oldest when full.
    pub fn push(&mut self, item: T) -> u64 {
        if self.items.len() == self.capacity {
            self.items.pop_front();
        }
        self.items.push_back(item);
        self.newest_seq += 1;
        self.newest_seq
    }

    /// Changes the capacity (at least 1) and keeps the newest items.
    pub fn set_capacity(&mut self, capacity: usize) {
        self.capacity = capacity.max(1);
        self.items.drain(..self.items.len().saturating_sub(self.capacity));
        self.items.shrink_to(self.capacity);
    }

    /// At most `max` items with a number above `seq`, oldest first.
    ///
    /// A reader that comes with another epoch (or none, `""`) has seen nothing of this one: it starts at the oldest,
    /// and what was overwritten before counts as lost. A position beyond the newest item yields nothing.
    pub fn read_since(&self, epoch: &str, seq: u64, max: usize) -> Slice<T> {
        let seen = if epoch == self.epoch { seq } else { 0 };
        let oldest_seq = self.oldest_seq();
        let first = oldest_seq.max(seen.saturating_add(1));
        let lost = oldest_seq.saturating_sub(seen.saturating_add(1));
        let skip = usize::try_from(first.saturating_sub(oldest_seq)).unwrap_or(usize::MAX);
        let items = (first..).zip(self.items.iter().skip(skip).take(max).cloned()).collect();
        Slice { lost, items }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_empty_ring_has_nothing_and_lost_nothing() {
        let ring = Ring::<u8>::new(4);
        assert_eq!((ring.oldest_seq(), ring.newest_seq()), (0, 0));
        assert_eq!(ring.read_since("", 0, 10), Slice { lost: 0, items: vec![] });
        assert_eq!(ring.read_since(ring.epoch(), u64::MAX, 10), Slice { lost: 0, items: vec![] });
    }

    #[test]
    fn each_ring_has_its_own_epoch() {
        assert_ne!(Ring::<u8>::new(1).epoch(), Ring::<u8>::new(1).epoch());
    }

    #[test]
    fn a_reader_that_fell_behind_learns_how_many_it_lost() {
        let mut ring = Ring::new(3);
        (1..=10u64).for_each(|n| assert_eq!(ring.push(n), n));
        let epoch = ring.epoch().to_owned();
        assert_eq!(ring.read_since(&epoch, 4, 2), Slice { lost: 3, items: vec![(8, 8), (9, 9)] });
        assert_eq!(ring.read_since(&epoch, 9, 5), Slice { lost: 0, items: vec![(10, 10)] });
        assert_eq!(ring.read_since("another", 9, 1), Slice { lost: 7, items: vec![(8, 8)] });
    }

    #[derive(Debug, Clone)]
    enum Step {
        Push,
        Resize(usize),
        Read { known_epoch: bool, seq: u64, max: usize },
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            6 => Just(Step::Push),
            1 => (1usize..20).prop_map(Step::Resize),
            3 => (any::<bool>(), prop_oneof![0u64..60, Just(u64::MAX)], 0usize..30)
                .prop_map(|(known_epoch, seq, max)| Step::Read { known_epoch, seq, max }),
        ]
    }

    proptest! {
        /// The model is the plain list of everything ever pushed and the number of those that are gone.
        #[test]
        fn the_ring_behaves_like_a_list_of_which_only_the_end_is_kept(
            capacity in 1usize..20,
            steps in prop::collection::vec(step(), 1..120),
        ) {
            let (mut ring, mut capacity) = (Ring::new(capacity), capacity);
            let (mut pushed, mut gone) = (0u64, 0u64);
            for step in steps {
                match step {
                    Step::Push => {
                        pushed += 1;
                        prop_assert_eq!(ring.push(pushed), pushed);
                    }
                    Step::Resize(size) => {
                        capacity = size;
                        ring.set_capacity(size);
                    }
                    Step::Read { known_epoch, seq, max } => {
                        let epoch = if known_epoch { ring.epoch().to_owned() } else { String::new() };
                        let seen = if known_epoch { seq } else { 0 };
                        let expected: Vec<_> =
                            (gone + 1..=pushed).filter(|n| *n > seen).take(max).map(|n| (n, n)).collect();
                        let lost = (1..=gone).filter(|n| *n > seen).count() as u64;
                        prop_assert_eq!(ring.read_since(&epoch, seq, max), Slice { lost, items: expected });
                    }
                }
                gone = gone.max(pushed.saturating_sub(capacity as u64));
                prop_assert_eq!(ring.newest_seq(), pushed);
                prop_assert_eq!(ring.oldest_seq(), if gone == pushed { 0 } else { gone + 1 });
            }
        }
    }
}
