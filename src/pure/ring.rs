// SPDX-License-Identifier: GPL-2.0

//! The event ring: its layout and arithmetic.
//!
//! A ring is a header ([`raio_ring`]) and then slots for events. `head` and `tail` are indices of
//! slots. Only the kernel fills slots and moves `tail`. The consumer, kernel or program, moves `head`.
//! One slot is always empty, so that `head == tail` means "no event".
//!
//! The program can write all of the ring at any time. So the kernel keeps its own tail and number of
//! slots, reduces `head` before use, and trusts nothing else.
//!
//! [`raio_ring`]: crate::sys::uapi::raio_ring

use crate::sys::uapi::{
    io_event,
    raio_ring, //
};
use core::num::NonZeroU32;
use kernel::{
    page::PAGE_SIZE,
    prelude::*, //
};

const HEADER: usize = size_of::<raio_ring>();
const EVENT: usize = size_of::<io_event>();

// No event lies across two pages.
const _: () = assert!(HEADER % EVENT == 0 && PAGE_SIZE % EVENT == 0);

/// The most events that a context may ask for: a ring of 256 MiB, as in 2.6.
pub(crate) const MAX_EVENTS: u32 = 0x1000_0000 / EVENT as u32;

/// The size of a ring.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Shape {
    /// Number of pages.
    pub(crate) pages: usize,
    /// Number of slots.
    slots: NonZeroU32,
}

impl Shape {
    /// The ring for `nr_events` events. Depends on that number alone.
    pub(crate) fn new(nr_events: u32) -> Result<Self> {
        if nr_events == 0 || nr_events > MAX_EVENTS {
            return Err(EINVAL);
        }
        // One slot is always empty, the other is spare, as in 2.6.
        let bytes = HEADER + EVENT * (nr_events as usize + 2);
        let pages = bytes.div_ceil(PAGE_SIZE);
        let slots = (pages * PAGE_SIZE - HEADER) / EVENT;
        Ok(Shape {
            pages,
            slots: u32::try_from(slots)?.try_into()?,
        })
    }

    /// Number of slots.
    pub(crate) fn slots(self) -> u32 {
        self.slots.get()
    }

    /// The most events that the ring can hold: one slot is always empty.
    pub(crate) fn capacity(self) -> u32 {
        self.slots().saturating_sub(1)
    }

    /// Reduces `index`, which may come from the program, to a slot.
    pub(crate) fn reduce(self, index: u32) -> u32 {
        index % self.slots
    }

    /// The slot after `index`.
    #[inline]
    pub(crate) fn next(self, index: u32) -> u32 {
        let next = index.wrapping_add(1);
        if next < self.slots() {
            next
        } else {
            0
        }
    }

    /// The slot `n` slots after `index`. Both must be less than the number of slots.
    pub(crate) fn advance(self, index: u32, n: u32) -> u32 {
        let to_end = self.slots().saturating_sub(index);
        if n < to_end {
            index.saturating_add(n)
        } else {
            n - to_end
        }
    }

    /// The number of events from `head` to `tail`. Both must be less than the number of slots.
    pub(crate) fn unread(self, head: u32, tail: u32) -> u32 {
        if head <= tail {
            tail - head
        } else {
            self.slots().saturating_sub(head).saturating_add(tail)
        }
    }

    /// The number of events, at most `n`, that lie side by side in one page from slot `index` on.
    pub(crate) fn run(self, index: u32, n: u32) -> u32 {
        let in_page = (PAGE_SIZE - self.offset(index) % PAGE_SIZE) / EVENT;
        n.min(self.slots().saturating_sub(index))
            .min(in_page as u32)
    }

    /// The offset of slot `index` in bytes from the start of the ring.
    pub(crate) fn offset(self, index: u32) -> usize {
        HEADER + EVENT * index as usize
    }
}

#[cfg(CONFIG_KUNIT = "y")]
#[kernel::macros::kunit_tests(raio_ring)]
mod tests {
    use super::*;

    fn shape(pages: usize, slots: u32) -> Shape {
        Shape {
            pages,
            slots: NonZeroU32::new(slots).unwrap_or(NonZeroU32::MIN),
        }
    }

    #[test]
    fn the_shape_depends_on_nr_events_alone() {
        assert_eq!(Shape::new(1), Ok(shape(1, 127)));
        assert_eq!(Shape::new(125), Ok(shape(1, 127)));
        assert_eq!(Shape::new(126), Ok(shape(2, 255)));
        assert_eq!(Shape::new(65536).map(|s| s.slots() >= 65538), Ok(true));
    }

    #[test]
    fn there_is_room_for_what_was_asked() {
        for n in [
            1, 2, 100, 125, 126, 127, 128, 253, 254, 255, 1000, MAX_EVENTS,
        ] {
            assert!(Shape::new(n).is_ok_and(|s| s.slots() > n));
        }
    }

    #[test]
    fn none_and_too_many_are_refused() {
        assert_eq!(Shape::new(0), Err(EINVAL));
        assert_eq!(Shape::new(MAX_EVENTS + 1), Err(EINVAL));
        assert_eq!(Shape::new(u32::MAX), Err(EINVAL));
    }

    #[test]
    fn indices_are_reduced_and_wrap() {
        let s = shape(1, 127);
        assert_eq!(s.reduce(127), 0);
        assert!(s.reduce(u32::MAX) < 127);
        assert_eq!(s.advance(0, 0), 0);
        assert_eq!(s.advance(126, 1), 0);
        assert_eq!((s.next(125), s.next(126)), (126, 0));
        assert_eq!(s.advance(126, 127), 126);
        assert_eq!(s.advance(100, 50), 23);
    }

    #[test]
    fn unread_events_are_counted_around_the_end() {
        let s = shape(1, 127);
        assert_eq!(s.unread(5, 5), 0);
        assert_eq!(s.unread(5, 7), 2);
        assert_eq!(s.unread(126, 0), 1);
        assert_eq!(s.unread(6, 5), 126);
    }

    #[test]
    fn a_run_ends_at_the_page_and_at_the_ring() {
        let s = shape(2, 255);
        assert_eq!(s.run(0, 200), 127);
        assert_eq!(s.run(126, 200), 1);
        assert_eq!(s.run(127, 200), 128);
        assert_eq!(s.run(254, 200), 1);
        assert_eq!(s.run(3, 2), 2);
    }

    #[test]
    fn slots_lie_behind_the_header() {
        let s = shape(1, 127);
        assert_eq!(s.offset(0), 32);
        assert_eq!(s.offset(126), PAGE_SIZE - 32);
    }
}
