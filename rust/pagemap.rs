// SPDX-License-Identifier: GPL-2.0

//! Asynchronous waits for a page of a file: reads with IOCB_WAITQ.
//!
//! `filemap_read()` queues the entry on the page's wait queue and returns -EIOCBQUEUED; unlocking
//! the page wakes the entry. The entry can't be taken off before, so the reader has to stay until
//! then.
//!
//! C header: [`include/linux/pagemap.h`](srctree/include/linux/pagemap.h)

use super::bindings;
use kernel::{
    container_of,
    prelude::*, //
};

/// A wake function of a wait queue.
pub(super) type Wake =
    unsafe extern "C" fn(*mut bindings::wait_queue_entry, c_uint, c_int, *mut c_void) -> c_int;

/// Prepares an entry for a read of `kiocb` with IOCB_WAITQ. When the page is unlocked, `wake` is
/// called, and gets `private` by [`take_off_if_match`]. Any context.
///
/// # Safety
///
/// The caller may write entry and kiocb. The entry is on no queue, and does not move while it is on
/// one.
pub(super) unsafe fn prepare(
    queue: *mut bindings::wait_page_queue,
    private: *mut c_void,
    wake: Wake,
    kiocb: *mut bindings::kiocb,
) {
    // SAFETY: By this function's requirements entry and kiocb may be written. Any context.
    unsafe {
        let wait = &raw mut (*queue).wait;
        (*wait).flags = 0;
        (*wait).private = private;
        (*wait).func = Some(wake);
        bindings::raio_helper_init_list_head(&raw mut (*wait).entry);
        (*kiocb).ki_waitq = queue.cast();
    }
}

/// Takes the entry off its queue and returns its `private` if its page is that of `key`.
///
/// # Safety
///
/// `wait` is a field of an entry that [`prepare`] prepared, on the wait queue of a page, whose lock
/// is held, with interrupts off; `key` is a `struct wait_page_key`.
pub(super) unsafe fn take_off_if_match(
    wait: *mut bindings::wait_queue_entry,
    key: *mut c_void,
) -> Option<*mut c_void> {
    // SAFETY: By this function's requirements entry and key are valid, and the lock that guards the
    // list is held. Nothing here sleeps.
    unsafe {
        let queue = container_of!(wait, bindings::wait_page_queue, wait);
        // Page wait queues are hashed: other pages wake this one too. The helper records a match in
        // the key.
        if !bindings::raio_helper_wake_page_match(queue, key.cast()) {
            return None;
        }
        let private = (*wait).private;
        bindings::raio_helper_list_del_init(&raw mut (*wait).entry);
        Some(private)
    }
}
