// SPDX-License-Identifier: GPL-2.0

//! Credits: the right to submit, which keeps the ring from overflowing.
//!
//! A submitter takes a credit before it takes a request. The credit stands for the slot of the ring
//! that the event will need, and comes back when the program has consumed the event. Programs may
//! consume events by writing `head` themselves, and may write nonsense there. Credits come back for
//! published events only, so nonsense can at most lose the program its own events.

/// The credits of a context. All counts are totals that wrap.
#[derive(Clone, Copy)]
pub(crate) struct Credits {
    /// Credits that were taken by requests.
    taken: u32,
    /// Credits that came back with consumed events.
    consumed: u32,
    /// Most credits that may be out at once.
    limit: u32,
}

impl Credits {
    /// The credits of a ring that holds `limit` events.
    pub(crate) fn new(limit: u32) -> Self {
        Credits {
            taken: 0,
            consumed: 0,
            limit,
        }
    }

    /// Takes up to `wanted` credits, and returns their number.
    pub(crate) fn take(&mut self, wanted: u32) -> u32 {
        let out = self.taken.wrapping_sub(self.consumed);
        let got = wanted.min(self.limit.saturating_sub(out));
        self.taken = self.taken.wrapping_add(got);
        got
    }

    /// Gives back `n` credits that no event will use.
    pub(crate) fn give_back(&mut self, n: u32) {
        self.taken = self.taken.wrapping_sub(n);
    }

    /// Settles the credits: of all `published` events at most `unread` are still in the ring.
    pub(crate) fn settle(&mut self, published: u32, unread: u32) {
        let uncounted = published.wrapping_sub(self.consumed);
        self.consumed = self.consumed.wrapping_add(uncounted.saturating_sub(unread));
    }

    /// The credits that requests have taken in all, less those that were given back.
    pub(crate) fn taken(&self) -> u32 {
        self.taken
    }
}

#[cfg(CONFIG_KUNIT = "y")]
#[kernel::macros::kunit_tests(raio_credit)]
mod tests {
    use super::*;

    #[test]
    fn no_more_than_the_ring_holds() {
        let mut c = Credits::new(7);
        assert_eq!(c.take(5), 5);
        assert_eq!(c.take(5), 2);
        assert_eq!(c.take(1), 0);
    }

    #[test]
    fn unused_credits_come_back() {
        let mut c = Credits::new(7);
        assert_eq!(c.take(7), 7);
        c.give_back(3);
        assert_eq!(c.taken(), 4);
        assert_eq!(c.take(9), 3);
    }

    #[test]
    fn consumed_events_come_back_once() {
        let mut c = Credits::new(7);
        assert_eq!(c.take(7), 7);
        c.settle(7, 4);
        c.settle(7, 4);
        assert_eq!(c.take(9), 3);
        c.settle(7, 0);
        assert_eq!(c.take(9), 4);
    }

    #[test]
    fn a_false_head_gives_no_more_than_was_published() {
        let mut c = Credits::new(7);
        assert_eq!(c.take(7), 7);
        c.settle(2, 0);
        assert_eq!(c.take(9), 2);
        // More unread events than were ever published.
        c.settle(2, 7);
        assert_eq!(c.take(9), 0);
        assert_eq!(c.taken(), 9);
    }

    #[test]
    fn counts_wrap() {
        let mut c = Credits::new(7);
        c.taken = u32::MAX - 2;
        c.consumed = u32::MAX - 2;
        assert_eq!(c.take(7), 7);
        assert_eq!(c.taken(), 4);
        c.settle(4, 0);
        assert_eq!(c.take(9), 7);
    }

    #[test]
    fn a_ring_without_room() {
        assert_eq!(Credits::new(0).take(1), 0);
    }
}
