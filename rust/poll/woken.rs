// SPDX-License-Identifier: GPL-2.0

//! What is known of a wake, while the lock of its wait queue is held.

use super::{
    Entries,
    Entry,
    Mask, //
};
use crate::sys::bindings;
use core::ptr;
use kernel::{
    prelude::*,
    sync::atomic::ordering::Release, //
};

/// What a wake function was told, and its entry.
#[derive(Clone, Copy)]
pub(in crate::sys) struct Woken {
    /// The events that are there; 0 if that is not known.
    pub(in crate::sys) ready: Mask,
    /// What the queue said, whether it was asked for or not.
    pub(in crate::sys) told: Mask,
    pub(in crate::sys) entry: *mut c_void,
}

/// Takes the entry off its queue, whose lock is held.
///
/// # Safety
///
/// `entry` is on a queue whose lock is held; what it lies in is still the request that was queued.
pub(in crate::sys) unsafe fn take_off(entry: *const Entry) {
    // SAFETY: By the requirement the entry is valid, on its queue, and the lock, which guards the
    // list, is held. The store is the last access: from then on `disarm` does not wait for the
    // lock.
    unsafe {
        bindings::raio_helper_list_del_init(&raw mut (*(*entry).wait.get()).entry);
        (*entry).head.store(ptr::null_mut(), Release);
    }
}

impl Woken {
    /// Takes the entry off its queue.
    ///
    /// # Safety
    ///
    /// The wake function that was told this is running, so the lock is held; the caller owns the
    /// request.
    pub(in crate::sys) unsafe fn take_off(self) {
        // SAFETY: The wake function is running, by the requirement: so `entry` is that of its own,
        // on a queue whose lock is held; and as the caller owns the request, it is still that.
        unsafe { take_off(self.entry.cast()) };
    }
}

impl Entries {
    /// Whether one queue is all that the request waits for. Of one that is armed, as a look with Acquire
    /// has said, under the lock of a queue on which it has an entry. Any context.
    pub(in crate::sys) fn is_sole(&self) -> bool {
        // SAFETY: The run has written it before it left the request to its entries, which the look
        // orders; and whoever takes it from there writes it when the entry is off, for which he waits for
        // the lock.
        unsafe { *self.used.get() == 1 }
    }
}
