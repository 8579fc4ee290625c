// SPDX-License-Identifier: GPL-2.0

//! Asynchronous waits for a page of the file.
//!
//! C header: [`include/linux/pagemap.h`](srctree/include/linux/pagemap.h)

use super::{
    kick::kick_page,
    Armed,
    Client,
    Run,
    Slot, //
};
use crate::{
    pure::state::Step,
    sys::{
        bindings,
        fs::Transfer,
        pagemap, //
    }, //
};
use core::{
    mem::ManuallyDrop,
    ptr::{
        self,
        NonNull, //
    }, //
};
use kernel::prelude::*;

/// A run whose page entry is queued: all it may do is [`PageRun::wait`]. If this is dropped, the
/// entry keeps the request for ever: a leak, but nothing worse.
#[must_use]
pub(crate) struct PageRun<C: Client>(ManuallyDrop<Run<C>>);

impl<C: Client> PageRun<C> {
    /// Leaves the request to the waker of the page. Any context.
    pub(crate) fn wait(self) -> Armed<C> {
        ManuallyDrop::into_inner(self.0).leave_to_entries(Step::Wait)
    }

    /// The data of the request that anybody may access.
    pub(crate) fn shared(&self) -> &C::Shared {
        self.0.shared()
    }

    /// The data of the request that only its owner accesses.
    pub(crate) fn private(&mut self) -> &mut C::Private {
        self.0.private()
    }

    /// The prepared transfer, and how much of it is done.
    pub(crate) fn transfer(&self) -> &Transfer {
        self.0.transfer()
    }

    /// # Safety
    ///
    /// A read with the entry that [`prepare`] prepared returned -EIOCBQUEUED, and no driver has the
    /// request.
    pub(super) unsafe fn new(run: Run<C>) -> Self {
        PageRun(ManuallyDrop::new(run))
    }
}

/// Prepares the entry for a read with IOCB_WAITQ, and sets it in the kiocb.
///
/// # Safety
///
/// The caller has the run of `slot`, and no entry of the slot is on a queue.
pub(super) unsafe fn prepare<C: Client>(slot: &Slot<C>) {
    let queue = slot.entries.of_page();
    // SAFETY: By this function's requirements the run has the slot, and no entry is queued, so
    // nobody else uses entry and kiocb. The slot does not move. `wake` meets the requirements of
    // the call. This only writes memory: any context.
    unsafe {
        pagemap::prepare(
            queue,
            ptr::from_ref(slot).cast_mut().cast(),
            wake::<C>,
            slot.kiocb.get(),
        );
    }
}

/// The wake function of a page entry.
///
/// # Safety
///
/// `wait` is a field of an entry that [`prepare`] prepared, on the wait queue of a page, whose lock
/// is held, with interrupts off; `key` is a `struct wait_page_key`.
unsafe extern "C" fn wake<C: Client>(
    wait: *mut bindings::wait_queue_entry,
    _mode: c_uint,
    _flags: c_int,
    key: *mut c_void,
) -> c_int {
    // SAFETY: By this function's requirements entry and key are valid. While the entry is queued
    // its request is out, in phase Running or PageArmed, and only this kick takes it from there. So
    // the slot is valid until the kick is made. The entry is taken off under the lock, so it is not
    // woken again. Nothing here sleeps.
    unsafe {
        let Some(slot) = pagemap::take_off_if_match(wait, key) else {
            return 0;
        };
        // Nobody can run, free or reuse the request before the kick is made.
        kick_page(NonNull::new_unchecked(slot.cast::<Slot<C>>()));
    }
    1
}
