// SPDX-License-Identifier: GPL-2.0

//! The wait queue of tasks that poll an open file with poll, select or epoll.
//!
//! The kernel crate's `PollCondVar` wakes for all events at once, and waits for a grace period when
//! it is dropped.
//!
//! C header: [`include/linux/poll.h`](srctree/include/linux/poll.h)

use super::{
    bindings,
    wait::{
        self,
        Shown, //
    }, //
};
use core::{
    marker::PhantomPinned,
    ptr, //
};
use kernel::{
    prelude::*,
    sync::LockClassKey,
    types::Opaque, //
};

/// A wait queue of pollers.
#[pin_data]
pub(crate) struct PollQueue {
    #[pin]
    head: Opaque<bindings::wait_queue_head>,
    #[pin]
    _pin: PhantomPinned,
}

// SAFETY: A `wait_queue_head` is bound to no task. It is pinned, as waiters point to it.
unsafe impl Send for PollQueue {}
// SAFETY: Everything done through a shared reference takes the lock of the head, or reads a word
// once.
unsafe impl Sync for PollQueue {}

impl PollQueue {
    /// Initialises a queue; use [`new_poll_queue!`].
    pub(crate) fn new(name: &'static CStr, key: Pin<&'static LockClassKey>) -> impl PinInit<Self> {
        pin_init!(Self {
            // SAFETY: `slot` is valid for writes, and pinned; `name` and `key` live for ever. The
            // call writes memory, and registers the lock with lockdep: any context.
            head <- Opaque::ffi_init(|slot| unsafe {
                bindings::__init_waitqueue_head(slot, name.as_char_ptr(), key.as_ptr())
            }),
            _pin: PhantomPinned,
        })
    }

    /// Whether there are pollers. Any context.
    #[inline]
    pub(crate) fn has_pollers(&self) -> bool {
        // SAFETY: `new` initialised the queue, which is valid as `self` is borrowed.
        unsafe { wait::has_entries(self.head.get()) }
    }

    /// Wakes the pollers that wait for input. Any context but a wake function: epoll would recurse.
    ///
    /// `_shown` proves that what they check was written before.
    #[inline]
    pub(crate) fn wake_readable(&self, _shown: &Shown) {
        // SAFETY: `new` initialised the queue. The key is a mask of events, as pollers expect, and
        // is not followed. The call takes the queue's lock with interrupts off, and inside it, in
        // wake functions, locks of epoll and the scheduler. By this function's requirements the
        // caller holds none of these; any context.
        unsafe {
            if wait::has_entries(self.head.get()) {
                bindings::__wake_up(
                    self.head.get(),
                    bindings::TASK_NORMAL,
                    1,
                    ptr::without_provenance_mut(
                        (bindings::EPOLLIN | bindings::EPOLLRDNORM) as usize,
                    ),
                );
            }
        }
    }
}

/// The poll table of a poller.
pub(super) struct PollTable(*mut bindings::poll_table_struct);

impl PollTable {
    /// # Safety
    ///
    /// `table` is the argument of a `file_operations.poll`, and the result is used only during that
    /// call.
    pub(super) unsafe fn from_raw(table: *mut bindings::poll_table_struct) -> Self {
        PollTable(table)
    }

    /// Queues the poller on `queue`.
    ///
    /// # Safety
    ///
    /// `file` is the file that is polled, and `queue` lives until its release.
    pub(super) unsafe fn register(&self, file: *mut bindings::file, queue: &PollQueue) {
        // SAFETY: The table is valid by the requirements of `from_raw`, `file` and the queue by
        // those of this function. A poller holds the file, or is taken off the queue before the
        // file's release. The call may allocate, and so sleep, as a `poll` may.
        unsafe { bindings::poll_wait(file, queue.head.get(), self.0) };
    }
}

/// Creates a [`PollQueue`] initialiser with a lock class of its own.
macro_rules! new_poll_queue {
    ($name:literal) => {
        $crate::sys::poll_queue::PollQueue::new(kernel::c_str!($name), kernel::static_lock_class!())
    };
}
pub(crate) use new_poll_queue;
