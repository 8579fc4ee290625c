// SPDX-License-Identifier: GPL-2.0

//! Locates a transfer within a registered buffer. Arithmetic alone.

use kernel::page::{
    PAGE_SHIFT,
    PAGE_SIZE, //
};

/// A buffer in parts of memory. All parts have one size, but the first and the last may be shorter.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Span {
    /// The start address in the program.
    address: usize,
    /// The length in bytes.
    len: usize,
    /// A whole part has 1 << `shift` bytes.
    shift: usize,
    /// The bytes by which the first part is shorter at its start.
    lack: usize,
}

/// A piece of a [`Span`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Piece {
    /// The part in which it begins.
    pub(crate) first: usize,
    /// Where in that part it begins.
    pub(crate) offset: usize,
    /// How many parts it touches.
    pub(crate) parts: usize,
}

impl Span {
    /// A buffer of `len` bytes at `address`. A whole part has 1 << `shift` bytes, at least a page. The
    /// buffer begins in page `page` of the first part. `None` if these do not fit together.
    pub(crate) fn new(address: usize, len: usize, shift: usize, page: usize) -> Option<Self> {
        address.checked_add(len)?;
        let size = 1usize.checked_shl(u32::try_from(shift).ok()?)?;
        let lack = page
            .checked_mul(PAGE_SIZE)?
            .checked_add(address % PAGE_SIZE)?;
        (len > 0 && shift >= PAGE_SHIFT && lack < size).then_some(Span {
            address,
            len,
            shift,
            lack,
        })
    }

    /// The number of parts.
    pub(crate) fn parts(&self) -> usize {
        ((self.lack + (self.len - 1)) >> self.shift) + 1
    }

    /// The start of part `index` in bytes from the start of the buffer, its offset within a whole part,
    /// and its length. `None` if there is no such part.
    pub(crate) fn part(&self, index: usize) -> Option<(usize, usize, usize)> {
        if index >= self.parts() {
            return None;
        }
        let size = 1 << self.shift;
        let (start, lack) = match index {
            0 => (0, self.lack),
            _ => ((index << self.shift) - self.lack, 0),
        };
        Some((start, lack, (size - lack).min(self.len - start)))
    }

    /// Locates the `len` bytes at `address`. `None` if they are not all in the buffer.
    #[inline(always)]
    pub(crate) fn find(&self, address: usize, len: usize) -> Option<Piece> {
        // An address below the buffer wraps to a large `start`, which the check refuses.
        let start = address.wrapping_sub(self.address);
        if len > self.len || start > self.len - len {
            return None;
        }
        let from = self.lack + start;
        let first = from >> self.shift;
        if len == 0 {
            // An empty range may be at the very end, where no part is.
            return Some(Piece {
                first: 0,
                offset: 0,
                parts: 1,
            });
        }
        let last = (from + (len - 1)) >> self.shift;
        Some(Piece {
            first,
            offset: if first == 0 {
                start
            } else {
                from - (first << self.shift)
            },
            parts: last - first + 1,
        })
    }
}

#[cfg(CONFIG_KUNIT = "y")]
#[kernel::macros::kunit_tests(raio_span)]
mod tests {
    use super::*;

    const HUGE: usize = PAGE_SHIFT + 9;

    fn piece(first: usize, offset: usize, parts: usize) -> Option<Piece> {
        Some(Piece {
            first,
            offset,
            parts,
        })
    }

    #[test]
    fn pages_are_found() {
        let Some(span) = Span::new(0x10000, 3 * PAGE_SIZE, PAGE_SHIFT, 0) else {
            return assert!(false);
        };
        assert_eq!(span.parts(), 3);
        assert_eq!(span.find(0x10000, PAGE_SIZE), piece(0, 0, 1));
        assert_eq!(span.find(0x11000, PAGE_SIZE), piece(1, 0, 1));
        assert_eq!(span.find(0x11008, PAGE_SIZE), piece(1, 8, 2));
        assert_eq!(span.find(0x10000, 3 * PAGE_SIZE), piece(0, 0, 3));
        assert_eq!(span.part(2), Some((2 * PAGE_SIZE, 0, PAGE_SIZE)));
        assert_eq!(span.part(3), None);
    }

    #[test]
    fn the_first_and_the_last_part_are_short() {
        let Some(span) = Span::new(0x10ff0, 0x1020, PAGE_SHIFT, 0) else {
            return assert!(false);
        };
        assert_eq!(span.parts(), 3);
        assert_eq!(span.part(0), Some((0, 0xff0, 0x10)));
        assert_eq!(span.part(1), Some((0x10, 0, PAGE_SIZE)));
        assert_eq!(span.part(2), Some((0x1010, 0, 0x10)));
        assert_eq!(span.find(0x10ff8, 8), piece(0, 8, 1));
        assert_eq!(span.find(0x10ff8, 9), piece(0, 8, 2));
        assert_eq!(span.find(0x11010, 0x1000), piece(1, 0x10, 2));
    }

    #[test]
    fn huge_parts_may_begin_in_their_middle() {
        let Some(span) = Span::new(0x7f00_0000_3100, 4 << HUGE, HUGE, 3) else {
            return assert!(false);
        };
        assert_eq!(span.parts(), 5);
        assert_eq!(span.part(0), Some((0, 0x3100, (1 << HUGE) - 0x3100)));
        assert_eq!(span.find(0x7f00_0000_3200, 0x100), piece(0, 0x100, 1));
        let second = 0x7f00_0000_3100 + (1 << HUGE) - 0x3100;
        assert_eq!(span.find(second - 1, 2), piece(0, (1 << HUGE) - 0x3101, 2));
        assert_eq!(span.find(second, 1), piece(1, 0, 1));
    }

    #[test]
    fn what_is_not_inside_is_refused() {
        let Some(span) = Span::new(0x10000, PAGE_SIZE, PAGE_SHIFT, 0) else {
            return assert!(false);
        };
        for (address, len) in [
            (0xffff, 2),
            (0x10000, PAGE_SIZE + 1),
            (0x10001, PAGE_SIZE),
            (0x11001, 0),
            (0x11000, 1),
            (0, usize::MAX),
            (usize::MAX, 1),
            (0x10001, usize::MAX),
        ] {
            assert_eq!(span.find(address, len), None);
        }
        assert!(span.find(0x11000, 0).is_some());
        assert!(span.find(0x10000, 0).is_some());
    }

    #[test]
    fn impossible_buffers_are_refused() {
        assert_eq!(Span::new(usize::MAX, 2, PAGE_SHIFT, 0), None);
        assert_eq!(Span::new(0x10000, 0, PAGE_SHIFT, 0), None);
        assert_eq!(Span::new(0x10000, 1, PAGE_SHIFT - 1, 0), None);
        assert_eq!(Span::new(0x10000, 1, 64, 0), None);
        assert_eq!(Span::new(0x10000, 1, PAGE_SHIFT, 1), None);
        assert_eq!(Span::new(0x10000, 1, HUGE, usize::MAX), None);
    }
}
