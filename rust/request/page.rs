// SPDX-License-Identifier: GPL-2.0

//! Waiting for a page of the file without a task.
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

/// A request whose page entry was queued: its run may only [`PageRun::wait`].
/// Dropped, the entry keeps it for ever, which is a leak and no more.
#[must_use]
pub(crate) struct PageRun<C: Client>(ManuallyDrop<Run<C>>);

impl<C: Client> PageRun<C> {
    /// Leaves the request to the page's waker. Any context.
    pub(crate) fn wait(self) -> Armed<C> {
        ManuallyDrop::into_inner(self.0).leave_to_entries(Step::Wait)
    }

    /// What everybody may see.
    pub(crate) fn shared(&self) -> &C::Shared {
        self.0.shared()
    }

    /// What the owner keeps.
    pub(crate) fn private(&mut self) -> &mut C::Private {
        self.0.private()
    }

    /// What was prepared, and how much of it is done.
    pub(crate) fn transfer(&self) -> &Transfer {
        self.0.transfer()
    }

    /// # Safety
    ///
    /// A read with the entry that [`prepare`] prepared returned -EIOCBQUEUED, and no driver has it.
    pub(super) unsafe fn new(run: Run<C>) -> Self {
        PageRun(ManuallyDrop::new(run))
    }
}

/// Prepares the entry for a read with IOCB_WAITQ, and says it to the kiocb.
///
/// # Safety
///
/// The caller has the run of `slot`, no entry of which is on a queue.
pub(super) unsafe fn prepare<C: Client>(slot: &Slot<C>) {
    let queue = slot.entries.of_page();
    // SAFETY: By the requirement the run has both, and no entry is queued: nobody else uses entry
    // and kiocb. The slot does not move. `wake` is as the call wants it. Memory is written, in any
    // context.
    unsafe {
        pagemap::prepare(
            queue,
            ptr::from_ref(slot).cast_mut().cast(),
            wake::<C>,
            slot.kiocb.get(),
        );
    }
}

/// # Safety
///
/// `wait` is a field of an entry that [`prepare`] prepared, on the wait queue of a page, whose
/// lock is held, with interrupts off; `key` is a `struct wait_page_key`.
unsafe extern "C" fn wake<C: Client>(
    wait: *mut bindings::wait_queue_entry,
    _mode: c_uint,
    _flags: c_int,
    key: *mut c_void,
) -> c_int {
    // SAFETY: By the requirement entry and key are valid. While the entry is queued its request is
    // out, Running or PageArmed, from which nobody but this kick takes it: so the slot is valid
    // until the kick is made. Taken off under the lock, it is not woken again. Nothing here sleeps.
    unsafe {
        let Some(slot) = pagemap::take_off_if_match(wait, key) else {
            return 0;
        };
        // The request can't be run, freed or reused before the kick is made.
        kick_page(NonNull::new_unchecked(slot.cast::<Slot<C>>()));
    }
    1
}
