// SPDX-License-Identifier: GPL-2.0

//! Files, and asynchronous calls into them.
//!
//! C headers: [`include/linux/fs.h`](srctree/include/linux/fs.h),
//! [`include/linux/uio.h`](srctree/include/linux/uio.h)

mod facts;
mod mode;
mod open;
mod prepare;
mod segments;
mod sync;
mod transfer;

use super::{
    bindings,
    pagemap::{
        self,
        PageRun, //
    },
    request::{
        Client,
        Owned,
        Run,
        Slot, //
    },
    sched,
    task::{
        Caller,
        FullTask, //
    }, //
};
use crate::pure::state::{
    Step,
    Then, //
};
use core::ptr;
use facts::file_type;
pub(super) use facts::is_pipe_full;
pub(crate) use facts::{
    facts,
    has_own_rules,
    has_permission_events,
    identity,
    is_beyond_limit,
    is_first_direct,
    is_fuse,
    is_pipe_unread,
    is_removed,
    is_stream_idle,
    is_stream_locked,
    notes_access,
    size,
    tty_stops,
    Class,
    Facts, //
};
use kernel::{
    fs::{
        File,
        LocalFile, //
    },
    mm::Mm,
    prelude::*,
    sync::{
        aref::ARef,
        atomic::ordering::Relaxed, //
    },
    task::Task, //
};
pub(crate) use mode::{
    Direction,
    Faults,
    Mode, //
};
pub(crate) use open::{
    is_direct,
    read_now,
    Kind,
    OpenFile, //
};
pub(crate) use prepare::{
    Buffers,
    Ioprio,
    Position, //
};
use segments::iter_count;
pub(crate) use sync::{
    can_sync_range,
    fsync,
    has_fsync,
    sync_range,
    Range,
    SYNC_FLAGS, //
};
pub(crate) use transfer::Transfer;

/// What a try came to.
pub(crate) enum Tried<C: Client> {
    /// The call returned this, an errno if negative.
    Returned(Run<C>, isize),
    /// A driver had it, and completed it with this.
    Completed(Owned<C>, isize),
    /// A driver has it, and completes it later.
    InFlight,
    /// It is queued on a page.
    Page(PageRun<C>),
    /// The file system is frozen.
    Frozen(Run<C>),
}

/// The I/O priority of the current task. Process context.
pub(crate) fn current_ioprio() -> u16 {
    // SAFETY: Reads what the current task has of its own, which only the task itself changes: its
    // I/O context, or its scheduling class.
    unsafe { bindings::raio_helper_get_current_ioprio() }
}

/// The file behind `fd` of the current task. EBADF if there is none.
pub(crate) fn fget(_task: FullTask<'_>, fd: u32) -> Result<ARef<File>> {
    let file = LocalFile::fget(fd).map_err(|_| EBADF)?;
    // SAFETY: `_task` says that no file is looked up with `fdget_pos()` on this thread: it is
    // inside an ioctl, which uses `fdget()`, or in task work, when the call is over or has no such
    // file.
    Ok(unsafe { LocalFile::assume_no_fdget_pos(file) })
}

/// Gives back a reference to a file. If it was the last, the file is released when this returns,
/// and not just before the task goes back to its program. Process context, sleeps; under no lock.
pub(crate) fn put_now(file: ARef<File>) {
    // SAFETY: The reference that was given up is the one that the call gives back. It may release
    // the file and sleep: process context under no lock, as this function says.
    unsafe { bindings::__fput_sync(ARef::into_raw(file).as_ref().as_ptr()) };
}

/// Gives back a reference to a file that a request of `mm` had, the process of `task`; or returns
/// it, if it may be the last and the current task is not one of the process. So a release is made
/// by a task of the process, before that returns to its program or has exited. Any context.
pub(super) fn put(file: ARef<File>, mm: &Mm, task: &Task) -> Option<ARef<File>> {
    if sched::is_of(mm, task) {
        // The release is its task work.
        drop(file);
        return None;
    }
    let raw = ARef::into_raw(file);
    // SAFETY: The reference that was given up is given back by the helper, or if that says no, is
    // taken again: until then the file is valid. If it turns out to be the last, `fput()` leaves
    // the release to task work or a work queue: any context.
    unsafe {
        if bindings::raio_helper_fput_unless_last(raw.as_ref().as_ptr()) {
            None
        } else {
            Some(ARef::from_raw(raw))
        }
    }
}

/// The file's operations. Any context.
pub(super) fn operations(file: &File) -> &bindings::file_operations {
    // SAFETY: A file that is open has operations. A hang-up may replace them by another table, so
    // the pointer is read once; each table is static, and its module held for as long as the file
    // is.
    unsafe { &*(&raw const (*file.as_ptr()).f_op).read_volatile() }
}

/// Whether `file` is open for `direction`. Any context.
fn is_open_for(file: &File, direction: Direction) -> bool {
    let bit = match direction {
        Direction::Read => bindings::FMODE_READ,
        Direction::Write => bindings::FMODE_WRITE,
    };
    // SAFETY: The file is valid, as it is borrowed. Other bits of the word may change, so it is
    // read once; these do not. Any context.
    unsafe { (&raw const (*file.as_ptr()).f_mode).read_volatile() & bit != 0 }
}

/// Whether buffered reads of `file` can wait for pages without a task. Any context.
fn can_page_wait(file: &File) -> bool {
    operations(file).fop_flags & bindings::FOP_BUFFER_RASYNC != 0
}

/// Whether `file` can transfer in `direction` asynchronously. Any context.
fn has_iter(file: &File, direction: Direction) -> bool {
    match direction {
        Direction::Read => operations(file).read_iter.is_some(),
        Direction::Write => operations(file).write_iter.is_some(),
    }
}

impl<C: Client> Run<C> {
    /// Calls the file's `read_iter` or `write_iter` for what is left of a transfer that
    /// [`Owned::prep_rw`] prepared; EINVAL is the result if it did not.
    ///
    /// Sleeps as `mode` and `faults` say. A caller without files of its own gets EINVAL for a file
    /// that may look at them.
    #[inline(never)]
    pub(crate) fn call(self, caller: Caller<'_>, mode: Mode<'_>, faults: Faults<'_>) -> Tried<C> {
        if caller.is_worker()
            && !self
                .file()
                .is_some_and(|file| facts(file).class.is_for_workers())
        {
            kernel::warn_on!(true);
            return Tried::Returned(self, EINVAL.to_errno() as isize);
        }
        self.call_here(mode, faults)
    }

    /// As [`Self::call`] of the task that submits, without a call of its own.
    #[inline(always)]
    pub(crate) fn call_first(
        self,
        _task: FullTask<'_>,
        mode: Mode<'_>,
        faults: Faults<'_>,
    ) -> Tried<C> {
        self.call_here(mode, faults)
    }

    #[inline(always)]
    fn call_here(mut self, mode: Mode<'_>, faults: Faults<'_>) -> Tried<C> {
        let invalid = EINVAL.to_errno() as isize;
        let slot = self.slot();
        slot.entries.disarm();
        let (kiocb, iter) = (slot.kiocb.get(), slot.iter.get());
        let (direction, call) = match (self.transfer().direction, self.file()) {
            (Some(direction), Some(file)) => (
                direction,
                match direction {
                    Direction::Read => operations(file).read_iter,
                    Direction::Write => operations(file).write_iter,
                },
            ),
            _ => return Tried::Returned(self, invalid),
        };
        let Some(call) = call else {
            return Tried::Returned(self, invalid);
        };
        if let Mode::PageWait(_) = mode {
            // What -EIOCBQUEUED says of a transfer that goes past the page cache is another thing.
            let page_wait = self.file().is_some_and(can_page_wait);
            if direction == Direction::Write || !page_wait || self.transfer().is_direct() {
                kernel::warn_on!(true);
                return Tried::Returned(self, invalid);
            }
        }
        let transfer = self.transfer_mut();
        // SAFETY: No driver has the request and we have the run, so kiocb and iterator are ours.
        // Every try starts from what was prepared, as `direction` says it is, and what is done of
        // it; the iterator is not used when that is prepared anew or forgotten, which takes an
        // `Owned`.
        unsafe {
            (*kiocb).ki_flags = transfer.flags | mode.flags();
            (*kiocb).private = ptr::null_mut();
            if transfer.fresh {
                transfer.fresh = false;
                (*kiocb).ki_pos = transfer.pos;
            } else {
                (*kiocb).ki_pos = transfer.pos();
                transfer.iterate(iter);
            }
            // What pins pages does not look whether page faults are off. Where it is in a task of
            // the process, and so are the pages, none is waited for.
            (*iter).nofault = matches!(faults, Faults::Fail)
                && transfer.is_direct_io()
                && !bindings::raio_helper_iter_is_anonymous(iter);
        }
        // SAFETY: We have the run, and `prep_rw` initialised the kiocb for the file that the
        // request has. Callers have a token of the task or of who calls, so this is process
        // context; that it may wait for a frozen file system, `mode` says, by a token of its own.
        let thawed = direction == Direction::Read || unsafe { start_write(self.slot(), mode) };
        if !thawed {
            return Tried::Frozen(self);
        }
        if let Mode::PageWait(_) = mode {
            // SAFETY: We have the run. The file's entries were disarmed above, and the page's is on
            // no queue: a request whose entry was queued runs again when that woke it, and is off.
            unsafe { pagemap::prepare(self.slot()) };
        }

        let slot_ptr = self.into_slot();
        // SAFETY: `prep_rw` initialised kiocb and iterator, for the file that the request still has
        // and for this direction. `call` is an operation of that file. Both live until both owners
        // have let go of the request. Callers have a token of a task in process context, which may
        // sleep, and `call` has refused what a worker lacks. Faults are enabled again by the same
        // task.
        let result = unsafe {
            if let Faults::Fail = faults {
                bindings::raio_helper_pagefault_disable();
                let result = call(kiocb, iter);
                bindings::raio_helper_pagefault_enable();
                result
            } else {
                call(kiocb, iter)
            }
        };
        // SAFETY: The run has the request until its step below, whatever a driver did: so the slot
        // is valid.
        let slot = unsafe { slot_ptr.as_ref() };

        if result != -(bindings::EIOCBQUEUED as isize) {
            // A driver that called `ki_complete` as well is broken, and still lets go of the
            // request only once more.
            kernel::warn_on!(slot.peer_done());
            // SAFETY: The run still has the request, and no driver has it: it was not taken. A
            // page's entry is queued only with -EIOCBQUEUED. The protection may be given back in
            // any context.
            return unsafe {
                end_write(slot);
                Tried::Returned(Run::from_slot(slot_ptr), result)
            };
        }
        if let Mode::PageWait(_) = mode {
            // SAFETY: The run still has it: a page's waker only kicks it. `page_wait` was checked,
            // so it is the page cache that said so, for the entry, and no driver.
            return Tried::Page(unsafe { PageRun::new(Run::from_slot(slot_ptr)) });
        }
        match slot.step(Step::Leave) {
            Some(Then::Own) => {
                // SAFETY: The step just said that the request is ours: the driver is done with it,
                // and nobody else made an `Owned` of that step.
                let request = unsafe { Owned::from_slot(slot_ptr) };
                let result = request.slot().result();
                Tried::Completed(request, result)
            }
            _ => Tried::InFlight,
        }
    }
}

/// Marks a write, and takes the file system's freeze protection if it is one to a regular file;
/// false if it is frozen and `mode` says not to wait.
///
/// # Safety
///
/// The caller has the run of the request, whose kiocb is initialised for a file that it has.
unsafe fn start_write<C: Client>(slot: &Slot<C>, mode: Mode<'_>) -> bool {
    let kiocb = slot.kiocb.get();
    // SAFETY: By the requirement the kiocb is the run's, and its file valid. That the first may
    // sleep until the file system is thawed, `mode` says; the second does not. Whose task gives
    // back what was taken, they leave open.
    unsafe {
        if bindings::raio_helper_is_reg((*kiocb).ki_filp) {
            if let Mode::Block(_) = mode {
                bindings::raio_helper_kiocb_start_write(kiocb);
            } else if !bindings::raio_helper_kiocb_start_write_trylock(kiocb) {
                return false;
            }
            slot.protected.store(true, Relaxed);
        }
        (*kiocb).ki_flags |= bindings::IOCB_WRITE;
    }
    true
}

/// Gives back the protection that [`start_write`] took, once. Any context.
///
/// # Safety
///
/// The caller is an owner of the request, whose kiocb is initialised for a file that it has.
#[inline(always)]
pub(super) unsafe fn end_write<C: Client>(slot: &Slot<C>) {
    // SAFETY: It is valid and aligned, as `slot` is borrowed, and written as a whole. This is
    // `load` with `Relaxed`, but for the call; any context.
    let protected = unsafe { slot.protected.as_ptr().read_volatile() };
    if protected && slot.protected.xchg(false, Relaxed) {
        // SAFETY: By the requirement the kiocb is that of a file which the request has. The `xchg`
        // lets one owner through, for the protection that was taken. An atomic, and a wake: any
        // context.
        unsafe { bindings::raio_helper_kiocb_end_write(slot.kiocb.get()) };
    }
}
