// SPDX-License-Identifier: MIT OR Apache-2.0

use crate::sys;
use std::{
    mem::offset_of,
    ptr::NonNull,
    sync::atomic::{AtomicU32, Ordering},
};

/// The ring of a context, out of which events are taken without a call.
///
/// It is memory that the whole program can write, so nothing in it decides which
/// memory is accessed: indices are compared with a length that was checked once.
#[derive(Debug)]
pub(crate) struct Ring {
    base: NonNull<u8>,
    nr: u32,
}

// SAFETY: The mapping belongs to the process, and not to a thread.
unsafe impl Send for Ring {}
// SAFETY: By `&` only the atomic words of the header are read.
unsafe impl Sync for Ring {}

const HEADER: usize = size_of::<sys::raio_ring>();
const EVENT: usize = size_of::<sys::io_event>();

/// The size of the mapping: room for two events more than asked for, in whole pages.
pub(crate) fn mapping_len(nr_events: u32, page: usize) -> usize {
    (HEADER + (nr_events as usize + 2) * EVENT).next_multiple_of(page)
}

/// How many requests a context takes: as many as its ring has slots, but for one.
pub(crate) fn capacity(nr_events: u32, page: usize) -> u32 {
    let slots = (mapping_len(nr_events, page) - HEADER) / EVENT;
    u32::try_from(slots - 1).unwrap_or(u32::MAX)
}

impl Ring {
    /// The ring at that address, if it is one that this crate knows.
    ///
    /// # Safety
    ///
    /// It is the id of a context that was set up for `nr_events`, with pages of that
    /// size.  It is neither unmapped nor moved while there is a `Ring`, and nobody
    /// else consumes events.
    pub(crate) unsafe fn new(id: u64, nr_events: u32, page: usize) -> Option<Self> {
        let address = usize::try_from(id).ok()?;
        let base = NonNull::new(std::ptr::with_exposed_provenance_mut::<u8>(address))?;
        // SAFETY: The mapping has a header, which is aligned as a page is.  What the
        // kernel writes later are other words than those that are used below.
        let header = unsafe { base.cast::<sys::raio_ring>().read_volatile() };
        let fits = HEADER + header.nr as usize * EVENT <= mapping_len(nr_events, page);
        let known = header.magic == sys::RAIO_RING_MAGIC
            && header.compat_features == sys::RAIO_RING_COMPAT_FEATURES
            && header.incompat_features == sys::RAIO_RING_INCOMPAT_FEATURES
            && header.header_length as usize == HEADER;
        (known && fits && header.nr > 0).then_some(Self {
            base,
            nr: header.nr,
        })
    }

    fn word(&self, offset: usize) -> &AtomicU32 {
        // SAFETY: The header is mapped as long as we are, by the contract of `new`,
        // `offset` is that of an aligned word in it, and what the kernel, or somebody
        // else, writes there is written atomically.
        unsafe { self.base.byte_add(offset).cast::<AtomicU32>().as_ref() }
    }

    /// Where the next event is, and how many there are.  None if what the ring says
    /// can't be.
    fn look(&self) -> Option<(u32, u32)> {
        let head = self
            .word(offset_of!(sys::raio_ring, head))
            .load(Ordering::Relaxed);
        // Acquire: the events up to it were written before.
        let tail = self
            .word(offset_of!(sys::raio_ring, tail))
            .load(Ordering::Acquire);
        (head < self.nr && tail < self.nr).then(|| {
            let len = if tail >= head {
                tail - head
            } else {
                tail + (self.nr - head)
            };
            (head, len)
        })
    }

    /// The number of events, as far as the ring makes sense.
    pub(crate) fn len(&self) -> usize {
        self.look().map_or(0, |(_, len)| len as usize)
    }

    /// Takes as many events as there are, or there is room for.
    pub(crate) fn take(&mut self, events: &mut [sys::io_event]) -> usize {
        let Some((mut head, len)) = self.look() else {
            return 0;
        };
        let nr = events.len().min(len as usize);
        for event in &mut events[..nr] {
            // SAFETY: head < nr, and the slots up to nr lie in the mapping: see
            // `new`.  Slots are aligned.  The kernel does not write it before `head`
            // has moved; any bytes are a valid event.
            *event = unsafe {
                self.base
                    .byte_add(HEADER + head as usize * EVENT)
                    .cast::<sys::io_event>()
                    .read_volatile()
            };
            head = (head + 1) % self.nr;
        }
        // Release: the kernel may fill the slots after this.
        self.word(offset_of!(sys::raio_ring, head))
            .store(head, Ordering::Release);
        nr
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A ring without a kernel: a page of it.
    #[repr(C, align(4096))]
    struct Page([u32; 1024]);

    const NR: u32 = 127;
    const HEAD: usize = 2;
    const TAIL: usize = 3;

    fn page() -> Box<Page> {
        let mut page = Box::new(Page([0; 1024]));
        page.0[1] = NR;
        page.0[4] = sys::RAIO_RING_MAGIC;
        page.0[5] = 1;
        page.0[7] = 32;
        for slot in 0..NR {
            page.0[8 + slot as usize * 8] = slot;
        }
        page
    }

    fn with_ring<T>(page: &mut Page, test: impl FnOnce(&mut Ring) -> T) -> Option<T> {
        let id = (page as *mut Page).expose_provenance() as u64;
        // SAFETY: The page is a whole ring, and borrowed for as long.
        let mut ring = unsafe { Ring::new(id, 100, 4096) }?;
        Some(test(&mut ring))
    }

    fn take(page: &mut Page, max: usize) -> Vec<u64> {
        let mut events = vec![sys::io_event::default(); max];
        let nr = with_ring(page, |ring| ring.take(&mut events)).unwrap();
        events[..nr].iter().map(|event| event.data).collect()
    }

    #[test]
    fn events_are_taken_in_order_and_once() {
        let mut page = page();
        assert_eq!(take(&mut page, 8), []);
        page.0[TAIL] = 3;
        assert_eq!(take(&mut page, 2), [0, 1]);
        assert_eq!(page.0[HEAD], 2);
        assert_eq!(take(&mut page, 8), [2]);
        assert_eq!(take(&mut page, 8), []);
    }

    #[test]
    fn wraps() {
        let mut page = page();
        page.0[HEAD] = NR - 2;
        page.0[TAIL] = 1;
        assert_eq!(with_ring(&mut page, |ring| ring.len()), Some(3));
        assert_eq!(take(&mut page, 8), [125, 126, 0]);
        assert_eq!(page.0[HEAD], 1);
    }

    #[test]
    fn nonsense_is_no_events() {
        for (head, tail) in [(NR, 0), (0, NR), (u32::MAX, 5), (5, u32::MAX)] {
            let mut page = page();
            (page.0[HEAD], page.0[TAIL]) = (head, tail);
            assert_eq!(with_ring(&mut page, |ring| ring.len()), Some(0));
            assert_eq!(take(&mut page, 8), []);
            assert_eq!(page.0[HEAD], head);
        }
    }

    #[test]
    fn another_layout_is_not_used() {
        for (word, value) in [(1, NR + 1), (1, 0), (4, 0), (5, 2), (6, 1), (7, 64)] {
            let mut page = page();
            page.0[word] = value;
            assert!(with_ring(&mut page, |_| ()).is_none(), "word {word}");
        }
    }

    #[test]
    fn mapping_is_whole_pages() {
        assert_eq!(mapping_len(1, 4096), 4096);
        assert_eq!(mapping_len(125, 4096), 4096);
        assert_eq!(mapping_len(126, 4096), 8192);
    }

    #[test]
    fn a_context_takes_what_its_pages_hold() {
        assert_eq!(capacity(1, 4096), 126);
        assert_eq!(capacity(125, 4096), 126);
        assert_eq!(capacity(126, 4096), 254);
    }
}
