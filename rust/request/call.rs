// SPDX-License-Identifier: GPL-2.0

//! Calling the file.
//!
//! C header: [`include/linux/fs.h`](srctree/include/linux/fs.h)

use super::{
    page,
    Client,
    Owned,
    PageRun,
    Run,
    Slot, //
};
use crate::{
    pure::state::{
        Step,
        Then, //
    },
    sys::{
        bindings,
        fs::{
            can_page_wait,
            facts,
            operations,
            Faults,
            Mode, //
        },
        task::{
            Caller,
            FullTask, //
        },
        uio::Direction, //
    }, //
};
use core::ptr;
use kernel::{
    prelude::*,
    sync::atomic::ordering::Relaxed, //
};

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
            unsafe { page::prepare(self.slot()) };
        }

        let slot_ptr = self.into_slot();
        // SAFETY: `prep_rw` initialised kiocb and iterator, for the file that the request still has
        // and for this direction. `call` is an operation of that file. Both live until both owners
        // are done with the request. Callers have a token of a task in process context, which may
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
            // A driver that called `ki_complete` as well is broken, and still gives up the
            // request only once.
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
