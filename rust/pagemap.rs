// SPDX-License-Identifier: GPL-2.0

//! Waiting for a page of a file without a task: reads with IOCB_WAITQ.
//!
//! `filemap_read()` queues the entry on the page's wait queue and returns -EIOCBQUEUED; unlocking
//! the page wakes it. It can't be taken back, so whoever reads stays until then.
//!
//! C header: [`include/linux/pagemap.h`](srctree/include/linux/pagemap.h)

use super::bindings;
use kernel::{
    container_of,
    prelude::*, //
};

/// A function that a wait queue calls.
pub(super) type Wake =
    unsafe extern "C" fn(*mut bindings::wait_queue_entry, c_uint, c_int, *mut c_void) -> c_int;

/// Prepares an entry for a read of `kiocb` with IOCB_WAITQ: when the page is unlocked, `wake` is
/// called, and finds `private` by [`take_off_if_match`]. Any context.
///
/// # Safety
///
/// Entry and kiocb are the caller's to write, the entry is on no queue, and stays where it is as
/// long as it is on one.
pub(super) unsafe fn prepare(
    queue: *mut bindings::wait_page_queue,
    private: *mut c_void,
    wake: Wake,
    kiocb: *mut bindings::kiocb,
) {
    // SAFETY: By the requirement both may be written. Any context.
    unsafe {
        let wait = &raw mut (*queue).wait;
        (*wait).flags = 0;
        (*wait).private = private;
        (*wait).func = Some(wake);
        bindings::raio_helper_init_list_head(&raw mut (*wait).entry);
        (*kiocb).ki_waitq = queue.cast();
    }
}

/// Takes the entry off its queue if its page is that of `key`, and says what its `private` is.
///
/// # Safety
///
/// `wait` is a field of an entry that [`prepare`] prepared, on the wait queue of a page, whose
/// lock is held, with interrupts off; `key` is a `struct wait_page_key`.
pub(super) unsafe fn take_off_if_match(
    wait: *mut bindings::wait_queue_entry,
    key: *mut c_void,
) -> Option<*mut c_void> {
    // SAFETY: By the requirement entry and key are valid, and the list is guarded by the lock that
    // is held. Nothing here sleeps.
    unsafe {
        let queue = container_of!(wait, bindings::wait_page_queue, wait);
        // The queue is a hashed one: other pages wake it too. Notes a match in the key.
        if !bindings::raio_helper_wake_page_match(queue, key.cast()) {
            return None;
        }
        let private = (*wait).private;
        bindings::raio_helper_list_del_init(&raw mut (*wait).entry);
        Some(private)
    }
}
