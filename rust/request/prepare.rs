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

/// The buffers that a program names.
pub(crate) struct Buffers {
    /// The address of the buffer, or of the array of `struct iovec`.
    pub(crate) address: u64,
    /// Its size in bytes, or the number of segments.
    pub(crate) len: usize,
    /// Whether it is an array.
    pub(crate) vectored: bool,
    /// The registered buffer in which all of it lies.
    pub(crate) pinned: Option<Arc<PinnedBuffer>>,
}

/// Where in its file a transfer begins.
#[derive(Clone, Copy)]
pub(crate) enum Position {
    /// There.
    At(i64),
    /// At the position of the file.
    Current,
}

/// A transfer that is being prepared: its memory is missing.
#[must_use]
pub(crate) struct Preparing<'r, 'f, C: Client, T> {
    request: &'r mut Owned<C>,
    open: &'f mut OpenFile<T>,
    direction: Direction,
    pos: i64,
}

impl<C: Client> Owned<C> {
    /// Begins to prepare a transfer from or to `open`, which is the request's file. What `rules`
    /// says of the file is remembered for more transfers of the same kind.
    ///
    /// Errors are those of the submission: EBADF, EINVAL, EOPNOTSUPP, EPERM. The order of checks
    /// is native aio's, here and in what follows. Process context.
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
        // SAFETY: We own the request, so the kiocb is ours, and `file` is a reference that the
        // request holds for longer than any peer holds the kiocb. The remaining fields are each
        // try's, or of no meaning without their flags. Memory is written: any context.
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
        // Until all is there again: what was prepared before may be of another file.
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

    /// Notes what of its file is written back, see [`Transfer::range`]. Any context.
    pub(crate) fn set_range(&mut self, range: Range) {
        let transfer = self.transfer_mut();
        transfer.forget();
        transfer.at_position = false;
        transfer.pos = range.first;
        transfer.len = range.last.saturating_sub(range.first) as usize;
    }

    /// Moves the position of its file behind what was moved, if it is there that it was. Any context.
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
        // read and write at any time, as lseek(2) does. The kiocb is ours, as the request is, and no
        // driver has it any more. Any context.
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
    /// Has a transfer that has not moved anything begin at the position of its file, if it is there
    /// that it is to be. EOVERFLOW if it would end beyond what can be told. Any context.
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
    /// EFAULT, and what `rw_verify_area()` says. Process context, may sleep.
    #[inline(always)]
    pub(crate) fn buffer(self, address: u64, len: usize) -> Result<&'f T> {
        let iter = self.request.slot().iter.get();
        // SAFETY: We own the request, so the iterator is ours. The import checks that the address
        // is the program's, does not touch what is there, and may shorten the length. It does not
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

    /// The memory is that of an array of buffers, or registered.
    ///
    /// As [`Self::buffer`]; and EINVAL, ENOMEM.
    #[inline(always)]
    pub(crate) fn buffers(self, buffers: Buffers) -> Result<&'f T> {
        let iter = self.request.slot().iter.get();
        let transfer = self.request.transfer_mut();
        // SAFETY: We own the request, so both are ours, and they are of one slot. By this
        // function's terms the current task is in process context and may sleep.
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
        // SAFETY: The iterator was just imported, so it is initialised, and is ours, as the request
        // is.
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

/// Where a transfer at the position of `file` begins, as far as is known, and whether it has one.
#[cold]
fn begin_at_position(file: &File) -> (i64, bool) {
    position(file).map_or((0, false), |at| (at, true))
}

/// Imports `buffers` for a transfer that is not used by anybody yet, and makes `iter` one over
/// them.
///
/// # Safety
///
/// `transfer` and `iter` are of one slot, which the caller owns; process context, may sleep.
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
    // SAFETY: By the requirement `iter` is ours to write, and the current task may sleep. The
    // transfer keeps buffer and segments for as long as it is prepared: it takes over `pinned`
    // below, and if there is an error, no transfer was prepared. The imports check the addresses.
    // `memory_of` is asked when all of them have succeeded, and nothing was advanced.
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
