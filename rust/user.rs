// SPDX-License-Identifier: GPL-2.0

//! Users, and the memory that they have locked.
//!
//! C header: [`include/linux/sched/user.h`](srctree/include/linux/sched/user.h)

use super::bindings;
use core::ptr::NonNull;
use kernel::prelude::*;

/// Pages that count as locked memory of a user, as those of io_uring do, until this is dropped.
///
/// # Invariants
///
/// `user` is a reference that is ours, and `pages` are charged to it.
pub(crate) struct LockedCharge {
    user: NonNull<bindings::user_struct>,
    pages: usize,
}

// SAFETY: The reference is counted and bound to no task; the pages are counted by an atomic.
unsafe impl Send for LockedCharge {}
// SAFETY: There is no method by which a shared reference changes or reads anything.
unsafe impl Sync for LockedCharge {}

impl LockedCharge {
    /// No page, of the current task's user.
    pub(crate) fn new() -> Self {
        // SAFETY: Every task has credentials, which refer to a user: it is never NULL. The
        // reference that is taken, by an atomic, is ours.
        let user = unsafe { NonNull::new_unchecked(bindings::raio_helper_get_current_user()) };
        // INVARIANT: As said, and nothing is charged.
        LockedCharge { user, pages: 0 }
    }

    /// Charges `pages` more. ENOMEM if the user had more than RLIMIT_MEMLOCK of the current task.
    pub(crate) fn add(&mut self, pages: usize) -> Result {
        // SAFETY: By the invariants `user` is valid. An atomic of it, and a limit of the current
        // task, which any task has: any context.
        if !unsafe { bindings::raio_helper_charge_locked(self.user.as_ptr(), pages) } {
            return Err(ENOMEM);
        }
        // INVARIANT: They were just charged.
        self.pages += pages;
        Ok(())
    }
}

impl Drop for LockedCharge {
    /// Any context.
    fn drop(&mut self) {
        // SAFETY: By the invariants `pages` are charged, and the reference is ours and not used any
        // more. An atomic; `free_uid()` takes its lock with interrupts off, and does not sleep.
        unsafe {
            bindings::raio_helper_uncharge_locked(self.user.as_ptr(), self.pages);
            bindings::free_uid(self.user.as_ptr());
        }
    }
}
