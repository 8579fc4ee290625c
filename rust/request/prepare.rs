// SPDX-License-Identifier: GPL-2.0

//! Preparing a transfer: its kiocb and its memory.
//!
//! C headers: [`include/linux/fs.h`](srctree/include/linux/fs.h),
//! [`include/linux/uio.h`](srctree/include/linux/uio.h)

use super::{
    kick::ki_complete,
    Client,
    Owned,
    Run, //
};
use crate::sys::{
    bindings,
    fs::{
        import_pinned_segments,
        import_segments,
        iter_count,
        memory_of,
        position,
        verify,
        Kind,
        Memory,
        OpenFile,
        Range,
        Transfer, //
    },
    ioprio::{
        self,
        Ioprio, //
    },
    pinned::PinnedBuffer,
    uio::Direction, //
};
use kernel::{
    error::to_result,
    fs::File,
    prelude::*,
    sync::Arc, //
};

/// The buffers of an iocb.
pub(crate) struct Buffers {
    /// The address of the buffer, or of the array of `struct iovec`.
    pub(crate) address: u64,
    /// Its size in bytes, or the number of segments.
    pub(crate) len: usize,
    /// Whether `address` is that of an array of `struct iovec`.
    pub(crate) vectored: bool,
    /// The registered buffer that contains all of the memory.
    pub(crate) pinned: Option<Arc<PinnedBuffer>>,
}

/// The file position at which a transfer begins.
#[derive(Clone, Copy)]
pub(crate) enum Position {
    /// At this offset.
    At(i64),
    /// At the current position of the file.
    Current,
}

/// A transfer that is being prepared: its memory is not imported yet.
#[must_use]
pub(crate) struct Preparing<'r, 'f, C: Client, T> {
    request: &'r mut Owned<C>,
    open: &'f mut OpenFile<T>,
    direction: Direction,
    pos: i64,
}

impl<C: Client> Owned<C> {
    /// Begins to prepare a transfer from or to `open`, which must be the request's file. The result
    /// of `rules` is cached for more transfers of the same kind.
    ///
    /// The errors are those of submission: EBADF, EINVAL, EOPNOTSUPP, EPERM. The order of checks is
    /// that of native aio, here and in what follows. Process context.
    #[inline(always)]
    pub(crate) fn prep_rw<'r, 'f, T>(
        &'r mut self,
        open: &'f mut OpenFile<T>,
        direction: Direction,
        pos: Position,
        rw_flags: i32,
        ioprio: Ioprio,
        rules: impl FnOnce(&File, Kind) -> T,
    ) -> Result<Preparing<'r, 'f, C, T>> {
        let ioprio = match ioprio {
            Ioprio::Chosen(ioprio) => {
                ioprio::check(ioprio)?;
                ioprio
            }
            Ioprio::Current(ioprio) => ioprio,
        };
        let file = open.file.as_ptr();
        if self.file().map(|own| own.as_ptr()) != Some(file) {
            return Err(EBADF);
        }
        let checked = open.check(direction, rw_flags, rules)?;
        let (flags, has_places) = (checked.flags, checked.has_places);

        let kiocb = self.slot().kiocb.get();
        // SAFETY: We own the request, so the kiocb is ours. `file` is a reference that the request
        // holds for longer than any peer holds the kiocb. Each try sets the remaining fields, or
        // their flags are clear and they have no meaning. This only writes memory: any context.
        unsafe {
            (*kiocb).ki_filp = file;
            (*kiocb).ki_complete = Some(ki_complete::<C>);
            (*kiocb).ki_ioprio = ioprio;
            (*kiocb).ki_write_stream = 0;
        }
        let (pos, at_position) = match pos {
            Position::At(pos) => (pos, false),
            Position::Current => begin_at_position(&open.file),
        };
        let transfer = self.transfer_mut();
        // The transfer is not prepared until all is set again: what was prepared before may belong
        // to another file.
        transfer.forget();
        transfer.at_position = at_position;
        transfer.pos = pos;
        transfer.has_places = has_places;
        transfer.flags = flags;
        Ok(Preparing {
            request: self,
            open,
            direction,
            pos,
        })
    }

    /// Sets the range of the file that is written back, see [`Transfer::range`]. Any context.
    pub(crate) fn set_range(&mut self, range: Range) {
        let transfer = self.transfer_mut();
        transfer.forget();
        transfer.at_position = false;
        transfer.pos = range.first;
        transfer.len = range.last.saturating_sub(range.first) as usize;
    }

    /// Sets the position of the file to the end of what was moved, if the transfer was at that
    /// position. Any context.
    #[cold]
    pub(crate) fn move_position(&self) {
        let transfer = self.transfer();
        let Some(file) = self.file().filter(|_| transfer.at_position) else {
            return;
        };
        if transfer.done == 0 {
            return;
        }
        // SAFETY: The file is valid, as it is borrowed. Its position is a number, which others may
        // read and write at any time, as lseek(2) does. We own the request, so the kiocb is ours,
        // and no driver has it any more. Any context.
        unsafe {
            let pos = if transfer.appends() {
                (*self.slot().kiocb.get()).ki_pos
            } else {
                transfer.pos.saturating_add_unsigned(transfer.done as u64)
            };
            let at = &raw mut (*file.as_ptr()).f_pos;
            at.write_volatile(pos);
        }
    }
}

impl<C: Client> Run<C> {
    /// If the transfer is at the position of its file and has not moved anything, sets it to begin
    /// at the current position. EOVERFLOW if the end would overflow. Any context.
    #[cold]
    pub(crate) fn take_position(&mut self) -> Result {
        let transfer = self.transfer();
        if !transfer.at_position || transfer.done > 0 {
            return Ok(());
        }
        if let Some(at) = self.file().and_then(position) {
            let transfer = self.transfer_mut();
            at.checked_add_unsigned(transfer.len as u64)
                .ok_or(EOVERFLOW)?;
            transfer.pos = at;
        }
        Ok(())
    }
}

impl<'f, C: Client, T> Preparing<'_, 'f, C, T> {
    /// The memory is the `len` bytes at `address` of the current address space.
    ///
    /// EFAULT, and the errors of `rw_verify_area()`. Process context, may sleep.
    #[inline(always)]
    pub(crate) fn buffer(self, address: u64, len: usize) -> Result<&'f T> {
        let iter = self.request.slot().iter.get();
        // SAFETY: We own the request, so the iterator is ours. The import checks that the address
        // is in user space, does not access the memory, and may shorten the length. It does not
        // sleep.
        let error = unsafe {
            bindings::import_ubuf(self.direction.rw(), address as *mut c_void, len, iter)
        };
        if error != 0 {
            return Err(EFAULT);
        }
        self.request.transfer_mut().memory = Memory::Buffer(address as usize);
        self.finish()
    }

    /// The memory is an array of buffers, or lies in a registered buffer.
    ///
    /// Like [`Self::buffer`]; also EINVAL, ENOMEM.
    #[inline(always)]
    pub(crate) fn buffers(self, buffers: Buffers) -> Result<&'f T> {
        let iter = self.request.slot().iter.get();
        let transfer = self.request.transfer_mut();
        // SAFETY: We own the request, so transfer and iterator are ours, and they belong to one
        // slot. By this function's requirements the current task is in process context and may
        // sleep.
        unsafe { import(transfer, iter, self.direction, buffers)? };
        self.finish()
    }

    #[inline(always)]
    fn finish(self) -> Result<&'f T> {
        let Preparing {
            request,
            open,
            direction,
            pos,
        } = self;
        // SAFETY: We own the request, so the iterator is ours. It was just imported, so it is
        // initialised.
        let len = unsafe { iter_count(request.slot().iter.get()) };
        let transfer = request.transfer_mut();
        transfer.len = len;
        transfer.fresh = true;
        let verified = match direction {
            Direction::Read => &mut open.reading,
            Direction::Write => &mut open.writing,
        };
        verify(&open.file, direction, pos, len, verified)?;
        transfer.direction = Some(direction);
        open.checked
            .as_ref()
            .map(|checked| &checked.rules)
            .ok_or(EINVAL)
    }
}

/// The position of `file` for a transfer that begins there, and whether the file has one.
#[cold]
fn begin_at_position(file: &File) -> (i64, bool) {
    position(file).map_or((0, false), |at| (at, true))
}

/// Imports `buffers` for a transfer that nobody uses yet, and initialises `iter` for them.
///
/// # Safety
///
/// `transfer` and `iter` belong to one slot, which the caller owns. Process context, may sleep.
#[inline(never)]
unsafe fn import(
    transfer: &mut Transfer,
    iter: *mut bindings::iov_iter,
    direction: Direction,
    buffers: Buffers,
) -> Result {
    let Buffers {
        address,
        len,
        vectored,
        pinned,
    } = buffers;
    transfer.holds = true;
    // SAFETY: By this function's requirements `iter` may be written, and the current task may
    // sleep. The transfer keeps the registered buffer and the segments for as long as it is
    // prepared: it takes over `pinned` below, and after an error the transfer is not prepared. The
    // imports check the addresses. `memory_of` is called after all of them have succeeded, and
    // nothing has advanced the iterator.
    unsafe {
        match (&pinned, vectored) {
            (Some(pinned), false) => pinned.import(direction, address, len, iter)?,
            (Some(pinned), true) => {
                import_segments(transfer, iter, direction, address, len)?;
                import_pinned_segments(transfer, iter, direction, pinned)?;
            }
            (None, true) => import_segments(transfer, iter, direction, address, len)?,
            (None, false) => to_result(bindings::import_ubuf(
                direction.rw(),
                address as *mut c_void,
                len,
                iter,
            ))?,
        }
        transfer.memory = memory_of(iter);
    }
    transfer.pinned = pinned;
    Ok(())
}
