// SPDX-License-Identifier: GPL-2.0

//! Transfers: their preparation and progress.
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

/// A transfer and its progress.
///
/// Its iterator lies in the slot, and is initialised again for each further try.
#[derive(Default)]
pub(crate) struct Transfer {
    /// The direction; `None` if the transfer is not prepared.
    pub(in crate::sys) direction: Option<Direction>,
    /// The IOCB_* flags, without those of a single try.
    pub(in crate::sys) flags: c_int,
    pub(in crate::sys) pos: i64,
    /// The file is a regular file or block device, so data has an offset.
    pub(in crate::sys) has_places: bool,
    /// The transfer is at the position of its file, and moves it.
    pub(in crate::sys) at_position: bool,
    /// Length and progress in bytes.
    pub(in crate::sys) len: usize,
    pub(in crate::sys) done: usize,
    /// No try has used the iterator yet since the transfer was prepared.
    pub(in crate::sys) fresh: bool,
    pub(in crate::sys) memory: Memory,
    /// There may be allocated segments or a registered buffer to release.
    pub(in crate::sys) holds: bool,
    pub(in crate::sys) segments: Segments,
    /// The registered buffer that contains the memory.
    pub(in crate::sys) pinned: Option<Arc<PinnedBuffer>>,
}

/// The memory of a transfer.
#[derive(Clone, Copy)]
pub(in crate::sys) enum Memory {
    /// The address of one buffer of the program.
    Buffer(usize),
    /// An array of buffers, and its length.
    Segments(*const bindings::iovec, usize),
    /// Parts of registered memory, their number, and the offset in the first part.
    Parts(*const bindings::bio_vec, usize, usize),
}

impl Default for Memory {
    fn default() -> Self {
        Memory::Buffer(0)
    }
}

/// The segments of a vectored transfer. Up to [`FEW`] are stored in place, more are allocated.
pub(in crate::sys) struct Segments {
    pub(in crate::sys) few: [bindings::iovec; FEW],
    pub(in crate::sys) allocated: *mut bindings::iovec,
}

/// The number of segments that need no allocation.
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
    /// Makes room to import `nr` segments, and returns the array and its length. More than
    /// UIO_MAXIOV do not fit, so that the import refuses them. ENOMEM. Process context.
    ///
    /// `import_iovec()` would not charge its allocation to the cgroup.
    pub(in crate::sys) fn room(&mut self, nr: usize) -> Result<(*mut bindings::iovec, usize)> {
        if nr <= FEW || nr > bindings::UIO_MAXIOV as usize {
            return Ok((self.few.as_mut_ptr(), FEW));
        }
        let room = KVec::<bindings::iovec>::with_capacity(nr, GFP_KERNEL_ACCOUNT)?;
        self.free();
        (self.allocated, _, _) = room.into_raw_parts();
        Ok((self.allocated, nr))
    }

    /// Replaces the segments by parts of registered memory, and returns their new place.
    pub(in crate::sys) fn replace(
        &mut self,
        parts: KVec<bindings::bio_vec>,
    ) -> *const bindings::bio_vec {
        self.free();
        let (parts, _, _) = parts.into_raw_parts();
        // Both are allocated by kmalloc().
        self.allocated = parts.cast();
        parts
    }

    /// Frees the allocation.
    fn free(&mut self) {
        let allocated = core::mem::replace(&mut self.allocated, ptr::null_mut());
        if !allocated.is_null() {
            // SAFETY: A `KVec` allocated it, by kmalloc(). Nobody uses it any more: the pointer was
            // just taken out, and no driver has the transfer. kfree() may be called in any context
            // but an NMI.
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
    /// Marks the transfer as not prepared. The other fields then have no meaning, and stay as they
    /// are.
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

    /// The direction, if the transfer was prepared.
    pub(crate) fn direction(&self) -> Option<Direction> {
        self.direction
    }

    /// The range that [`set_range`](crate::sys::request::Owned::set_range) set.
    pub(crate) fn range(&self) -> Range {
        Range {
            first: self.pos,
            last: self.pos.saturating_add_unsigned(self.len as u64),
        }
    }

    /// Initialises `iter` for the rest of the transfer.
    ///
    /// # Safety
    ///
    /// The transfer was prepared. `iter` is valid for writes, and is out of use before the transfer
    /// is prepared anew, forgotten or moved.
    pub(in crate::sys) unsafe fn iterate(&self, iter: *mut bindings::iov_iter) {
        let (rw, len) = (self.direction.unwrap_or(Direction::Write).rw(), self.len);
        // SAFETY: By this function's requirements `iter` may be written, and the prepared memory
        // stays valid for as long as `iter` is used. `memory` describes it, and an import has
        // checked `len` bytes of it. The iterator is advanced by no more than that. Segments are
        // read, the program's memory is not: any context.
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

    /// The number of bytes moved.
    pub(crate) fn done(&self) -> usize {
        self.done
    }

    /// Adds `n` to the number of bytes moved.
    pub(in crate::sys) fn advance(&mut self, n: usize) {
        self.done = self.done.saturating_add(n).min(self.len);
    }

    /// The number of bytes left.
    pub(crate) fn left(&self) -> usize {
        self.len.saturating_sub(self.done)
    }

    /// Whether `result`, of the first try, says that all bytes were moved.
    #[inline]
    pub(crate) fn is_all(&self, result: isize) -> bool {
        usize::try_from(result) == Ok(self.len)
    }

    /// The file position of the rest. A stream has no offsets: sockets refuse any position but the
    /// first.
    pub(crate) fn pos(&self) -> i64 {
        let done = if self.has_places { self.done as u64 } else { 0 };
        self.pos.saturating_add_unsigned(done)
    }

    /// From now on, writing to a pipe or socket without a reader is an error without SIGPIPE.
    pub(in crate::sys) fn raise_no_signal(&mut self) {
        self.flags |= bindings::IOCB_NOSIGNAL;
    }

    /// Whether the file is a regular file or block device.
    pub(crate) fn has_places(&self) -> bool {
        self.has_places
    }

    /// Whether the transfer is at the position of its file, and moves it.
    #[inline(always)]
    pub(crate) fn is_at_position(&self) -> bool {
        self.at_position
    }

    /// Whether IOCB_DIRECT is set.
    pub(crate) fn is_direct(&self) -> bool {
        self.flags & bindings::IOCB_DIRECT != 0
    }

    /// Whether the transfer is direct I/O of a file or device. (O_DIRECT of a pipe is something
    /// else.)
    pub(crate) fn is_direct_io(&self) -> bool {
        self.is_direct() && self.has_places
    }

    /// Whether the write appends to the file.
    pub(in crate::sys) fn appends(&self) -> bool {
        self.flags & bindings::IOCB_APPEND != 0
    }

    /// Whether the write is atomic: all of it or nothing.
    pub(crate) fn is_atomic(&self) -> bool {
        self.flags & bindings::IOCB_ATOMIC != 0
    }

    /// Whether the rest must not be written separately from what was already written: for an
    /// append, since others may have appended, and for an atomic write.
    pub(crate) fn is_indivisible(&self) -> bool {
        self.appends() || self.is_atomic()
    }
}
