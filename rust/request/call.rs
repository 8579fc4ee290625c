// SPDX-License-Identifier: GPL-2.0

//! The issue call: `read_iter` or `write_iter` of the file.
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
        bug::warn_on,
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

/// The outcome of a try.
pub(crate) enum Tried<C: Client> {
    /// The call returned this result, an errno if negative.
    Returned(Run<C>, isize),
    /// The call returned -EIOCBQUEUED, and a driver has completed the request with this result.
    Completed(Owned<C>, isize),
    /// The call returned -EIOCBQUEUED, and a driver will complete the request later.
    InFlight,
    /// The request's entry is queued on a page.
    Page(PageRun<C>),
    /// The file system is frozen.
    Frozen(Run<C>),
}

impl<C: Client> Run<C> {
    /// Calls the file's `read_iter` or `write_iter` for the rest of a transfer that
    /// [`Owned::prep_rw`] prepared. Without a prepared transfer the result is EINVAL.
    ///
    /// Sleeps as `mode` and `faults` say. A worker, which has no files of its own, gets EINVAL for
    /// a file whose code may look at them.
    #[inline(never)]
    pub(crate) fn call(self, caller: Caller<'_>, mode: Mode<'_>, faults: Faults<'_>) -> Tried<C> {
        if caller.is_worker()
            && !self
                .file()
                .is_some_and(|file| facts(file).class.is_for_workers())
        {
            warn_on(true);
            return Tried::Returned(self, EINVAL.to_errno() as isize);
        }
        self.call_here(mode, faults)
    }

    /// Like [`Self::call`] for the submitting task, but inlined.
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
            // -EIOCBQUEUED of a direct transfer has another meaning: a driver has it.
            let page_wait = self.file().is_some_and(can_page_wait);
            if direction == Direction::Write || !page_wait || self.transfer().is_direct() {
                warn_on(true);
                return Tried::Returned(self, invalid);
            }
        }
        let transfer = self.transfer_mut();
        // SAFETY: This is the run, and no driver has the request, so kiocb and iterator are ours.
        // `direction` says that a transfer was prepared; every try starts from that and from the
        // bytes already moved. To prepare the transfer anew or to forget it takes an `Owned`, so
        // the iterator is out of use before that.
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
            // Code that pins pages ignores pagefault_disable(), so the iterator must say `nofault`.
            // It need not for anonymous memory, where a fault in a task of the process waits for
            // nobody.
            (*iter).nofault = matches!(faults, Faults::Fail)
                && transfer.is_direct_io()
                && !bindings::raio_helper_iter_is_anonymous(iter);
        }
        // SAFETY: This is the run, and `prep_rw` initialised the kiocb for the file that the
        // request holds. Callers have a `Caller` or `FullTask` token, so this is process context.
        // Whether this may wait for a frozen file system is in `mode`, which has a token for that.
        let thawed = direction == Direction::Read || unsafe { start_write(self.slot(), mode) };
        if !thawed {
            return Tried::Frozen(self);
        }
        if let Mode::PageWait(_) = mode {
            // SAFETY: This is the run. The file's entries were disarmed above. The page's entry is
            // on no queue either: if an earlier try queued it, the request runs again only after
            // the wake that took it off.
            unsafe { page::prepare(self.slot()) };
        }

        let slot_ptr = self.into_slot();
        // SAFETY: `prep_rw` initialised kiocb and iterator, for this direction and for the file
        // that the request still holds, and `call` is an operation of that file. Kiocb and iterator
        // live until both run and driver are done with the request. Callers have a token of a task
        // in process context, which may sleep, and `Run::call` has refused files that need what a
        // worker lacks. The same task enables page faults again.
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
        // SAFETY: Until its step below the run has the request, whatever a driver did, so the slot
        // is valid.
        let slot = unsafe { slot_ptr.as_ref() };

        if result != -(bindings::EIOCBQUEUED as isize) {
            // A driver that also called `ki_complete` is broken, but the request is given up only
            // once.
            warn_on(slot.peer_done());
            // SAFETY: The run still has the request, and no driver does, as none has taken it. The
            // page's entry is queued only with -EIOCBQUEUED. The freeze protection may be given
            // back in any context.
            return unsafe {
                end_write(slot);
                Tried::Returned(Run::from_slot(slot_ptr), result)
            };
        }
        if let Mode::PageWait(_) = mode {
            // SAFETY: The run still has the request: the page's waker only kicks it. `page_wait`
            // was checked, so -EIOCBQUEUED comes from the page cache and is about the entry; no
            // driver has the request.
            return Tried::Page(unsafe { PageRun::new(Run::from_slot(slot_ptr)) });
        }
        match slot.step(Step::Leave) {
            Some(Then::Own) => {
                // SAFETY: The step returned `Own`: the driver is done with the request, it is ours,
                // and nobody else made an `Owned` of that step.
                let request = unsafe { Owned::from_slot(slot_ptr) };
                let result = request.slot().result();
                Tried::Completed(request, result)
            }
            _ => Tried::InFlight,
        }
    }
}

/// Marks the kiocb as a write, and takes the file system's freeze protection if the file is a
/// regular one. Returns false if the file system is frozen and `mode` does not allow to wait.
///
/// # Safety
///
/// The caller has the run of the request, whose kiocb is initialised for a file that the request
/// holds.
unsafe fn start_write<C: Client>(slot: &Slot<C>, mode: Mode<'_>) -> bool {
    let kiocb = slot.kiocb.get();
    // SAFETY: By this function's requirements the kiocb is the run's, and its file is valid. Only
    // the first helper may sleep until the file system is thawed, and `mode` allows it; the second
    // does not sleep. Both allow another task to give the protection back.
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

/// Gives back, once, the protection that [`start_write`] took. Any context.
///
/// # Safety
///
/// The caller is an owner of the request, whose kiocb is initialised for a file that the request
/// holds.
#[inline(always)]
pub(super) unsafe fn end_write<C: Client>(slot: &Slot<C>) {
    // SAFETY: The flag is valid and aligned, as `slot` is borrowed, and is always written as a
    // whole. This is `load` with `Relaxed`, but without the call. Any context.
    let protected = unsafe { slot.protected.as_ptr().read_volatile() };
    if protected && slot.protected.xchg(false, Relaxed) {
        // SAFETY: By this function's requirements the kiocb is initialised for a file that the
        // request holds. The `xchg` lets only one owner through, for the protection that was taken.
        // The helper is an atomic and a wake: any context.
        unsafe { bindings::raio_helper_kiocb_end_write(slot.kiocb.get()) };
    }
}
