//! Which publish an acknowledgement belongs to.
//!
//! The client library chooses the packet id when a publish leaves its queue and tells of it in an event, in the order
//! of the requests. So a publish first waits in a queue and is then found by its packet id.

use std::collections::{BTreeMap, VecDeque};

/// The publishes that were handed to the client library, with `T` saying what each of them is.
#[derive(Debug)]
pub(super) struct Tracker<T> {
    queued: VecDeque<T>,
    /// By packet id, each with its place in the order of sending.
    sent: BTreeMap<u16, (u64, T)>,
    sent_count: u64,
}

/// The client library or the broker broke the protocol; the connection is of no further use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unmatched {
    /// A publish was sent that nobody asked for.
    #[error("packet {0} was sent, but nothing was to be published")]
    Sent(u16),
    /// A packet id was given to two publishes.
    #[error("packet {0} was sent twice, the first being unacknowledged")]
    Reused(u16),
    /// An acknowledgement of nothing.
    #[error("packet {0} was acknowledged, but is not on its way")]
    Acknowledged(u16),
}

impl<T> Tracker<T> {
    /// Nothing published yet.
    pub(super) fn new() -> Self {
        Self { queued: VecDeque::new(), sent: BTreeMap::new(), sent_count: 0 }
    }

    /// `item` was handed to the client library.
    pub(super) fn queued(&mut self, item: T) {
        self.queued.push_back(item);
    }

    /// The oldest queued publish was sent as packet `pkid`.
    ///
    /// # Errors
    /// [`Unmatched`].
    pub(super) fn sent(&mut self, pkid: u16) -> Result<(), Unmatched> {
        let item = self.queued.pop_front().ok_or(Unmatched::Sent(pkid))?;
        self.sent_count += 1;
        match self.sent.insert(pkid, (self.sent_count, item)) {
            None => Ok(()),
            Some(_) => Err(Unmatched::Reused(pkid)),
        }
    }

    /// Packet `pkid` was acknowledged; returns what it was.
    ///
    /// # Errors
    /// [`Unmatched`].
    pub(super) fn acknowledged(&mut self, pkid: u16) -> Result<T, Unmatched> {
        self.sent.remove(&pkid).map(|(_, item)| item).ok_or(Unmatched::Acknowledged(pkid))
    }

    /// Takes the oldest publish that was sent and not acknowledged. A broker acknowledges in order (MQTT 5, section
    /// 4.6), so an acknowledgement that could not be decoded was this one's.
    pub(super) fn take_oldest_sent(&mut self) -> Option<T> {
        let pkid = self.sent.iter().min_by_key(|(_, (order, _))| *order).map(|(pkid, _)| *pkid)?;
        self.sent.remove(&pkid).map(|(_, item)| item)
    }

    /// How many publishes are not acknowledged.
    pub(super) fn len(&self) -> usize {
        self.queued.len() + self.sent.len()
    }

    /// Whether everything is acknowledged.
    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many of the publishes that are not acknowledged are such.
    pub(super) fn count(&self, such: impl Fn(&T) -> bool) -> usize {
        self.queued.iter().chain(self.sent.values().map(|(_, item)| item)).filter(|item| such(item)).count()
    }

    /// Takes everything that is not acknowledged, in the order in which it was published.
    pub(super) fn drain(&mut self) -> Vec<T> {
        let mut sent: Vec<(u64, T)> = std::mem::take(&mut self.sent).into_values().collect();
        sent.sort_by_key(|(order, _)| *order);
        sent.into_iter().map(|(_, item)| item).chain(self.queued.drain(..)).collect()
    }
}

impl<T> Default for Tracker<T> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_was_not_acknowledged_comes_back_in_order() {
        let mut tracker = Tracker::new();
        for item in ["a", "b", "c", "d"] {
            tracker.queued(item);
        }
        // Packet ids wrap around, so their order is not the order of sending.
        for pkid in [9, 1, 2] {
            tracker.sent(pkid).unwrap();
        }
        assert_eq!(tracker.acknowledged(1), Ok("b"));
        assert_eq!(tracker.len(), 3);
        assert_eq!(tracker.drain(), ["a", "c", "d"]);
        assert!(tracker.is_empty());
    }

    #[test]
    fn an_acknowledgement_that_could_not_be_decoded_belongs_to_the_oldest() {
        let mut tracker = Tracker::new();
        tracker.queued("a");
        tracker.queued("b");
        tracker.sent(7).unwrap();
        tracker.sent(3).unwrap();
        assert_eq!(tracker.take_oldest_sent(), Some("a"));
        assert_eq!(tracker.drain(), ["b"]);
    }

    #[test]
    fn a_broken_protocol_is_an_error() {
        let mut tracker = Tracker::new();
        assert_eq!(tracker.sent(1), Err(Unmatched::Sent(1)));
        assert_eq!(tracker.acknowledged(1), Err(Unmatched::Acknowledged(1)));
        tracker.queued("a");
        tracker.queued("b");
        tracker.sent(1).unwrap();
        assert_eq!(tracker.sent(1), Err(Unmatched::Reused(1)));
    }

    proptest! {
        #[test]
        fn nothing_is_lost_and_nothing_doubled(acknowledged in prop::collection::vec(any::<bool>(), 0..60), sent in 0_usize..60) {
            let mut tracker = Tracker::new();
            let count = acknowledged.len();
            (0..count).for_each(|item| tracker.queued(item));
            let sent = sent.min(count);
            (0..sent).for_each(|item| tracker.sent(u16::try_from(item).unwrap() % 60 + 1).unwrap());
            let mut gone = vec![];
            for item in (0..sent).filter(|item| acknowledged[*item]) {
                gone.push(tracker.acknowledged(u16::try_from(item).unwrap() % 60 + 1).unwrap());
            }
            let rest = tracker.drain();
            prop_assert!(rest.is_sorted());
            prop_assert_eq!(rest.len() + gone.len(), count);
        }
    }
}
