// SPDX-License-Identifier: GPL-2.0

//! A wake, while the lock of its wait queue is held.

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

/// What the wake function of an entry learned from its queue.
#[derive(Clone, Copy)]
pub(in crate::sys) struct Woken {
    /// The requested events that are ready; 0 if unknown.
    pub(in crate::sys) ready: Mask,
    /// The events that the queue reported, requested or not.
    pub(in crate::sys) told: Mask,
    pub(in crate::sys) entry: *mut c_void,
}

/// Takes the entry off its queue, whose lock is held.
///
/// # Safety
///
/// `entry` is on a queue whose lock is held, and still belongs to the request for which it was
/// queued.
pub(in crate::sys) unsafe fn take_off(entry: *const Entry) {
    // SAFETY: By this function's requirements the entry is valid and on its queue, and the lock,
    // which guards the list, is held. The store is the last access: after it `disarm` does not wait
    // for the lock.
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
    /// The wake function that created this is still running, so the lock is held. The caller owns
    /// the request.
    pub(in crate::sys) unsafe fn take_off(self) {
        // SAFETY: By this function's requirements the wake function is running, so `entry` is its
        // own entry, on a queue whose lock is held. The caller owns the request, so the entry still
        // belongs to it.
        unsafe { take_off(self.entry.cast()) };
    }
}

impl Entries {
    /// Whether the request waits on one queue only. It must be armed, as a load with Acquire has
    /// shown, and the caller holds the lock of a queue on which it has an entry. Any context.
    pub(in crate::sys) fn is_sole(&self) -> bool {
        // SAFETY: The run wrote `used` before it left the request to its entries, and the caller's
        // Acquire orders that. Whoever takes the request from there writes `used` only when the
        // entry is off, and has to wait for the lock to take it off.
        unsafe { *self.used.get() == 1 }
    }
}
