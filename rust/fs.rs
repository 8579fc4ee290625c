// SPDX-License-Identifier: GPL-2.0

//! Files, and asynchronous calls into them.
//!
//! C headers: [`include/linux/fs.h`](srctree/include/linux/fs.h),
//! [`include/linux/uio.h`](srctree/include/linux/uio.h)

use super::{
    bindings,
    request::{
        self,
        Client,
        Owned,
        Slot, //
    }, //
};
use crate::state::{
    Step,
    Then, //
};
use kernel::{
    error::to_result,
    fs::{
        File,
        LocalFile, //
    },
    prelude::*,
    sync::{
        aref::ARef,
        atomic::ordering::Relaxed, //
    }, //
};

/// Which way data goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Direction {
    /// From the file.
    Read,
    /// To the file.
    Write,
}

impl Direction {
    /// READ or WRITE, which are also ITER_DEST and ITER_SOURCE.
    fn rw(self) -> c_int {
        match self {
            Direction::Read => bindings::READ as c_int,
            Direction::Write => bindings::WRITE as c_int,
        }
    }
}

/// What an issue call came to.
pub(crate) enum Issued<C: Client> {
    /// It is over with this result, an errno if negative.
    Over(Owned<C>, isize),
    /// A driver has it, and completes it.
    InFlight,
}

/// The file behind `fd` of the current task. EBADF if there is none.
///
/// Process context, in an ioctl.
pub(crate) fn fget(fd: u32) -> Result<ARef<File>> {
    let file = LocalFile::fget(fd).map_err(|_| EBADF)?;
    // SAFETY: ioctl(2) uses `fdget()`: there is no `fdget_pos()` on this thread.
    Ok(unsafe { LocalFile::assume_no_fdget_pos(file) })
}

fn operations(file: &File) -> &bindings::file_operations {
    // SAFETY: A file that is open has operations. A hang-up may replace them by another table,
    // but all of them live for as long as the file holds their module.
    unsafe { &*(&raw const (*file.as_ptr()).f_op).read_volatile() }
}

/// Whether `file` is open for `direction`. Any context.
fn is_open_for(file: &File, direction: Direction) -> bool {
    let bit = match direction {
        Direction::Read => bindings::FMODE_READ,
        Direction::Write => bindings::FMODE_WRITE,
    };
    // SAFETY: The file is valid. Other bits of the word may change, not these.
    unsafe { (&raw const (*file.as_ptr()).f_mode).read_volatile() & bit != 0 }
}

/// Whether `file` can transfer in `direction` asynchronously. Any context.
fn has_iter(file: &File, direction: Direction) -> bool {
    match direction {
        Direction::Read => operations(file).read_iter.is_some(),
        Direction::Write => operations(file).write_iter.is_some(),
    }
}

/// Whether `file` has fsync. Any context.
pub(crate) fn has_fsync(file: &File) -> bool {
    operations(file).fsync.is_some()
}

/// Writes back `file`, its data alone or all of it. Process context, sleeps.
pub(crate) fn fsync(file: &File, datasync: bool) -> Result {
    // SAFETY: The file is valid and has the operation, or the call says EINVAL.
    to_result(unsafe {
        bindings::vfs_fsync_range(file.as_ptr(), 0, i64::MAX, c_int::from(datasync))
    })
}

impl<C: Client> Owned<C> {
    /// Prepares a transfer of `direction` at `pos` with the flags RWF_*, of the `len` bytes at
    /// `buf` in the address space of the current task.
    ///
    /// Errors are those of the submission: EBADF, EINVAL, EOPNOTSUPP, EFAULT, and what
    /// `rw_verify_area()` says. The order of checks is native aio's. Process context, may sleep.
    pub(crate) fn prep_rw(
        &mut self,
        direction: Direction,
        pos: i64,
        rw_flags: i32,
        buf: u64,
        len: usize,
    ) -> Result {
        let file = self.file().ok_or(EBADF)?.as_ptr();
        let kiocb = self.slot().kiocb.get();
        // SAFETY: We own the request.
        unsafe { *self.slot().prepared.get() = None };
        // SAFETY: We own the request, so kiocb and iterator are ours, and `file` is a reference
        // that the request holds for longer than any peer holds the kiocb. The remaining fields
        // of the kiocb are of no meaning without their flags. fcntl(2) may change the file's
        // flags meanwhile.
        unsafe {
            *kiocb = bindings::kiocb {
                ki_filp: file,
                ki_pos: pos,
                ki_complete: Some(request::ki_complete::<C>),
                ki_flags: (&raw const (*file).f_iocb_flags).read_volatile() as c_int,
                ki_ioprio: bindings::raio_helper_get_current_ioprio(),
                ..pin_init::zeroed()
            };
            to_result(bindings::raio_helper_kiocb_set_rw_flags(
                kiocb,
                rw_flags,
                direction.rw(),
            ))?;
            // Nobody polls for it.
            (*kiocb).ki_flags &= !bindings::IOCB_HIPRI;
        }

        let file = self.file().ok_or(EBADF)?;
        if !is_open_for(file, direction) {
            return Err(EBADF);
        }
        if !has_iter(file, direction) {
            return Err(EINVAL);
        }

        let iter = self.slot().iter.get();
        // SAFETY: As above. `import_ubuf()` checks the address, and may shorten the length.
        unsafe {
            to_result(bindings::import_ubuf(
                direction.rw(),
                buf as *mut c_void,
                len,
                iter,
            ))?;
            let len = (*iter).__bindgen_anon_1.__bindgen_anon_1.as_ref().count;
            to_result(bindings::rw_verify_area(
                direction.rw(),
                file.as_ptr(),
                &raw const (*kiocb).ki_pos,
                len,
            ))?;
            *self.slot().prepared.get() = Some(direction);
        }
        Ok(())
    }

    /// Calls the file's `read_iter` or `write_iter` for a request that [`Self::prep_rw`] prepared;
    /// EINVAL is the result if it did not.
    ///
    /// Process context, in the address space that the buffer is in. Sleeps as the file does.
    pub(crate) fn issue_rw(self) -> Issued<C> {
        let invalid = EINVAL.to_errno() as isize;
        // SAFETY: We own the request.
        let prepared = unsafe { (*self.slot().prepared.get()).take() };
        let (Some(direction), Some(file)) = (prepared, self.file()) else {
            return Issued::Over(self, invalid);
        };
        let Some(call) = (match direction {
            Direction::Read => operations(file).read_iter,
            Direction::Write => operations(file).write_iter,
        }) else {
            return Issued::Over(self, invalid);
        };

        let slot_ptr = match self.pass_on(Step::Issue) {
            Ok(slot) => slot,
            Err(request) => return Issued::Over(request, invalid),
        };
        // SAFETY: The run has the request until its step below, so the slot is valid.
        let slot = unsafe { slot_ptr.as_ref() };
        // SAFETY: `prep_rw` initialised kiocb and iterator, for the file that the request still
        // has and for this direction, or `prepared` would not say so. `call` is an operation of
        // that file. Both live until both owners have let go of the request.
        let result = unsafe {
            if direction == Direction::Write {
                start_write(slot);
            }
            call(slot.kiocb.get(), slot.iter.get())
        };

        if result == -(bindings::EIOCBQUEUED as isize) {
            match slot.step(Step::Leave) {
                Some(Then::Own) => {
                    // SAFETY: The step just said so.
                    let request = unsafe { Owned::from_slot(slot_ptr) };
                    let result = request.slot().result();
                    Issued::Over(request, result)
                }
                _ => Issued::InFlight,
            }
        } else {
            // A driver that called `ki_complete` as well is broken, and still lets go of the
            // request only once more.
            kernel::warn_on!(slot.peer_done());
            // SAFETY: The run still has the request.
            unsafe { end_write(slot) };
            match slot.step(Step::Finish) {
                // SAFETY: The step just said so.
                Some(Then::Own) => Issued::Over(unsafe { Owned::from_slot(slot_ptr) }, result),
                _ => Issued::InFlight,
            }
        }
    }
}

/// Marks a write, and takes the file system's freeze protection if it is one to a regular file.
///
/// # Safety
///
/// The caller owns the request, whose kiocb is initialised for a file that the request has.
unsafe fn start_write<C: Client>(slot: &Slot<C>) {
    let kiocb = slot.kiocb.get();
    // SAFETY: By the requirement.
    unsafe {
        if bindings::raio_helper_is_reg((*kiocb).ki_filp) {
            bindings::raio_helper_kiocb_start_write(kiocb);
            slot.protected.store(true, Relaxed);
        }
        (*kiocb).ki_flags |= bindings::IOCB_WRITE;
    }
}

/// Gives back the protection that [`start_write`] took, once. Any context.
///
/// # Safety
///
/// The caller is an owner of the request, whose kiocb is initialised for a file that it has.
pub(super) unsafe fn end_write<C: Client>(slot: &Slot<C>) {
    if slot.protected.load(Relaxed) && slot.protected.xchg(false, Relaxed) {
        // SAFETY: By the requirement, and nobody else ends it.
        unsafe { bindings::raio_helper_kiocb_end_write(slot.kiocb.get()) };
    }
}
