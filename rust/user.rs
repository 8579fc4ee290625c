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

// SAFETY: References to users belong to no task, and the count is atomic.
unsafe impl Send for LockedCharge {}
// SAFETY: Nothing changes but through a unique reference.
unsafe impl Sync for LockedCharge {}

impl LockedCharge {
    /// No page, of the current task's user.
    pub(crate) fn new() -> Self {
        // SAFETY: May be called in any task, returns a reference that belongs to the caller, and is
        // never NULL.
        let user = unsafe { NonNull::new_unchecked(bindings::raio_helper_get_current_user()) };
        // INVARIANT: As said, and nothing is charged.
        LockedCharge { user, pages: 0 }
    }

    /// Charges `pages` more. ENOMEM if the user had more than RLIMIT_MEMLOCK of the current task.
    pub(crate) fn add(&mut self, pages: usize) -> Result {
        // SAFETY: By the invariants.
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
        // SAFETY: By the invariants. Both may be called in any context.
        unsafe {
            bindings::raio_helper_uncharge_locked(self.user.as_ptr(), self.pages);
            bindings::free_uid(self.user.as_ptr());
        }
    }
}
