// SPDX-License-Identifier: GPL-2.0

//! Users, and their locked memory.
//!
//! C header: [`include/linux/sched/user.h`](srctree/include/linux/sched/user.h)

use super::bindings;
use core::ptr::NonNull;
use kernel::prelude::*;

/// Pages charged as locked memory of a user, like those of io_uring, until this is dropped.
///
/// # Invariants
///
/// This owns the reference `user`, and `pages` are charged to that user.
pub(crate) struct LockedCharge {
    user: NonNull<bindings::user_struct>,
    pages: usize,
}

// SAFETY: The reference is counted and bound to no task; an atomic counts the pages.
unsafe impl Send for LockedCharge {}
// SAFETY: No method changes or reads anything through a shared reference.
unsafe impl Sync for LockedCharge {}

impl LockedCharge {
    /// Creates a charge of no pages to the current task's user.
    pub(crate) fn new() -> Self {
        // SAFETY: Every task has credentials, which refer to a user, so the pointer is not NULL.
        // The helper takes a reference, with an atomic, which is ours.
        let user = unsafe { NonNull::new_unchecked(bindings::raio_helper_get_current_user()) };
        // INVARIANT: The reference is ours, and nothing is charged yet.
        LockedCharge { user, pages: 0 }
    }

    /// Charges `pages` more. ENOMEM if the user would exceed RLIMIT_MEMLOCK of the current task.
    pub(crate) fn add(&mut self, pages: usize) -> Result {
        // SAFETY: By the invariants `user` is valid. The helper uses an atomic of it, and a limit
        // of the current task, which any task has: any context.
        if !unsafe { bindings::raio_helper_charge_locked(self.user.as_ptr(), pages) } {
            return Err(ENOMEM);
        }
        // INVARIANT: The pages were just charged.
        self.pages += pages;
        Ok(())
    }
}

impl Drop for LockedCharge {
    /// May run in any context.
    fn drop(&mut self) {
        // SAFETY: By the invariants `pages` are charged, and the reference is ours. It is not used
        // any more. The first call is an atomic; `free_uid()` takes its lock with interrupts off,
        // and does not sleep.
        unsafe {
            bindings::raio_helper_uncharge_locked(self.user.as_ptr(), self.pages);
            bindings::free_uid(self.user.as_ptr());
        }
    }
}
