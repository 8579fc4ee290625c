// SPDX-License-Identifier: GPL-2.0

//! Transfers: what was prepared, and how far it is.
//!
//! C header: [`include/linux/uio.h`](srctree/include/linux/uio.h)

use super::Range;
use crate::sys::{
    bindings,
    pinned::{
        self,
        PinnedBuffer, //
    },
    uio::Direction, //
};
use core::ptr;
use kernel::{
    prelude::*,
    sync::Arc, //
};

/// A transfer, and how far it is.
///
/// Its iterator lies in the slot, and is made anew for another try.
#[derive(Default)]
pub(crate) struct Transfer {
    /// What it was prepared for, if it was.
    pub(in crate::sys) direction: Option<Direction>,
    /// IOCB_* without those of a single try.
    pub(in crate::sys) flags: c_int,
    pub(in crate::sys) pos: i64,
    /// It is to or from a regular file or block device.
    pub(in crate::sys) has_places: bool,
    /// It is at the position of its file, which it moves.
    pub(in crate::sys) at_position: bool,
    /// In bytes.
    pub(in crate::sys) len: usize,
    pub(in crate::sys) done: usize,
    /// No try has used up the iterator that it was prepared with.
    pub(in crate::sys) fresh: bool,
    pub(in crate::sys) memory: Memory,
    /// It may have segments that were allocated, or a registered buffer.
    pub(in crate::sys) holds: bool,
    pub(in crate::sys) segments: Segments,
    /// The registered buffer in which the memory lies.
    pub(in crate::sys) pinned: Option<Arc<PinnedBuffer>>,
}

/// Where the memory of a transfer is.
#[derive(Clone, Copy)]
pub(in crate::sys) enum Memory {
    /// One buffer of the program.
    Buffer(usize),
    /// An array of them, and its length.
    Segments(*const bindings::iovec, usize),
    /// Parts of registered memory, their number, and where in the first of them it begins.
    Parts(*const bindings::bio_vec, usize, usize),
}

impl Default for Memory {
    fn default() -> Self {
        Memory::Buffer(0)
    }
}

/// Segments of a vectored transfer: few are in place, more are allocated.
pub(in crate::sys) struct Segments {
    pub(in crate::sys) few: [bindings::iovec; FEW],
    pub(in crate::sys) allocated: *mut bindings::iovec,
}

/// Segments that need no allocation.
pub(in crate::sys) const FEW: usize = 2;

impl Default for Segments {
    fn default() -> Self {
        Segments {
            few: pin_init::zeroed(),
            allocated: ptr::null_mut(),
        }
    }
}

impl Segments {
    /// Where `nr` of them go that are to be imported, and how many fit there; more than a program
    /// may have do not. ENOMEM. Process context.
    ///
    /// `import_iovec()` would not charge what it allocates to the cgroup.
    pub(in crate::sys) fn room(&mut self, nr: usize) -> Result<(*mut bindings::iovec, usize)> {
        if nr <= FEW || nr > bindings::UIO_MAXIOV as usize {
            return Ok((self.few.as_mut_ptr(), FEW));
        }
        let room = KVec::<bindings::iovec>::with_capacity(nr, GFP_KERNEL_ACCOUNT)?;
        self.free();
        (self.allocated, _, _) = room.into_raw_parts();
        Ok((self.allocated, nr))
    }

    /// Replaces what there is by parts of registered memory, and returns where they are now.
    pub(in crate::sys) fn replace(
        &mut self,
        parts: KVec<bindings::bio_vec>,
    ) -> *const bindings::bio_vec {
        self.free();
        let (parts, _, _) = parts.into_raw_parts();
        // Both are from kmalloc().
        self.allocated = parts.cast();
        parts
    }

    /// Frees what was allocated.
    fn free(&mut self) {
        let allocated = core::mem::replace(&mut self.allocated, ptr::null_mut());
        if !allocated.is_null() {
            // SAFETY: A `KVec` allocated it, by kmalloc(), and nobody uses it any more: the pointer
            // was just taken out, and no driver has the transfer. kfree() may be called in any
            // context but an NMI.
            unsafe { bindings::kfree(allocated.cast()) };
        }
    }
}

impl Drop for Segments {
    fn drop(&mut self) {
        self.free();
    }
}

impl Transfer {
    /// Forgets what was prepared. The rest is of no meaning then, and is left as it is.
    #[inline(always)]
    pub(in crate::sys) fn forget(&mut self) {
        self.direction = None;
        self.done = 0;
        if self.holds {
            self.release();
        }
    }

    #[inline(never)]
    fn release(&mut self) {
        self.holds = false;
        self.segments.free();
        if let Some(pinned) = self.pinned.take() {
            pinned::put(pinned);
        }
    }

    /// Which way data goes, if it was prepared.
    pub(crate) fn direction(&self) -> Option<Direction> {
        self.direction
    }

    /// What [`set_range`](crate::sys::request::Owned::set_range) has set.
    pub(crate) fn range(&self) -> Range {
        Range {
            first: self.pos,
            last: self.pos.saturating_add_unsigned(self.len as u64),
        }
    }

    /// Makes `iter` one over what is left of it.
    ///
    /// # Safety
    ///
    /// The transfer was prepared, `iter` is valid for writes, and not in use any more when the
    /// transfer is prepared anew, forgotten or moved.
    pub(in crate::sys) unsafe fn iterate(&self, iter: *mut bindings::iov_iter) {
        let (rw, len) = (self.direction.unwrap_or(Direction::Write).rw(), self.len);
        // SAFETY: By the requirements `iter` may be written, and what was prepared is there for as
        // long as it is used: `memory` says where, of which an import has checked `len` bytes. No
        // more than those is advanced. Segments are read, the program's memory is not: any context.
        unsafe {
            match self.memory {
                Memory::Buffer(at) => {
                    bindings::raio_helper_iter_ubuf(iter, rw, at as *mut c_void, len);
                }
                Memory::Segments(at, nr) => {
                    bindings::iov_iter_init(iter, rw as c_uint, at, nr, len);
                }
                Memory::Parts(at, nr, offset) => {
                    bindings::raio_helper_import_bvec(iter, rw, at, nr, offset, len);
                }
            }
            if self.done > 0 {
                bindings::iov_iter_advance(iter, self.done);
            }
        }
    }

    /// Bytes that were moved.
    pub(crate) fn done(&self) -> usize {
        self.done
    }

    /// Notes that `n` bytes more were moved.
    pub(in crate::sys) fn advance(&mut self, n: usize) {
        self.done = self.done.saturating_add(n).min(self.len);
    }

    /// Bytes that are left.
    pub(crate) fn left(&self) -> usize {
        self.len.saturating_sub(self.done)
    }

    /// Whether that result of its first try says that all of it was moved.
    #[inline]
    pub(crate) fn is_all(&self, result: isize) -> bool {
        usize::try_from(result) == Ok(self.len)
    }

    /// Where in the file the rest is. A stream has no places: sockets refuse any but the first.
    pub(crate) fn pos(&self) -> i64 {
        let done = if self.has_places { self.done as u64 } else { 0 };
        self.pos.saturating_add_unsigned(done)
    }

    /// A pipe or socket that nobody reads is an error from here on, and no signal.
    pub(in crate::sys) fn raise_no_signal(&mut self) {
        self.flags |= bindings::IOCB_NOSIGNAL;
    }

    /// Whether it is to or from a regular file or block device.
    pub(crate) fn has_places(&self) -> bool {
        self.has_places
    }

    /// Whether it is at the position of its file, and moves that.
    #[inline(always)]
    pub(crate) fn is_at_position(&self) -> bool {
        self.at_position
    }

    /// Whether it goes past the page cache.
    pub(crate) fn is_direct(&self) -> bool {
        self.flags & bindings::IOCB_DIRECT != 0
    }

    /// Whether it goes from or to a device at once. (O_DIRECT of a pipe is something else.)
    pub(crate) fn is_direct_io(&self) -> bool {
        self.is_direct() && self.has_places
    }

    /// Whether it goes to the end of the file, wherever that is.
    pub(in crate::sys) fn appends(&self) -> bool {
        self.flags & bindings::IOCB_APPEND != 0
    }

    /// Whether it is written as one, or not at all.
    pub(crate) fn is_atomic(&self) -> bool {
        self.flags & bindings::IOCB_ATOMIC != 0
    }

    /// Whether the rest can't be written as one with what was written: an append, since others
    /// may have appended, or an atomic write.
    pub(crate) fn is_indivisible(&self) -> bool {
        self.appends() || self.is_atomic()
    }
}
