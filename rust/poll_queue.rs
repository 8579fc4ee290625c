// SPDX-License-Identifier: GPL-2.0

//! Those who wait for an open file by poll, select or epoll.
//!
//! The kernel crate's `PollCondVar` wakes for all events at once, and waits for a grace period
//! when it goes.
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

// SAFETY: A `wait_queue_head` is bound to no task. It is pinned, so that waiters point to it.
unsafe impl Send for PollQueue {}
// SAFETY: All that is done through a shared reference takes the lock that the head has, or reads a
// word once.
unsafe impl Sync for PollQueue {}

impl PollQueue {
    /// Initialises a queue; use [`new_poll_queue!`].
    pub(crate) fn new(name: &'static CStr, key: Pin<&'static LockClassKey>) -> impl PinInit<Self> {
        pin_init!(Self {
            // SAFETY: `slot` is valid for writes, and pinned; `name` and `key` live for ever.
            // Writes memory, and tells lockdep: any context.
            head <- Opaque::ffi_init(|slot| unsafe {
                bindings::__init_waitqueue_head(slot, name.as_char_ptr(), key.as_ptr())
            }),
            _pin: PhantomPinned,
        })
    }

    /// Whether somebody waits. Any context.
    #[inline]
    pub(crate) fn has_pollers(&self) -> bool {
        // SAFETY: `new` initialised the queue, which is valid as `self` is borrowed.
        unsafe { wait::has_entries(self.head.get()) }
    }

    /// Wakes those who wait for input. Any context but a wake function: epoll would recurse.
    ///
    /// What they look at was written before `_shown`.
    #[inline]
    pub(crate) fn wake_readable(&self, _shown: &Shown) {
        // SAFETY: `new` initialised the queue. The key is a mask of events, as those who poll
        // expect, and not followed. Its lock is taken with interrupts off, and by their wake
        // functions those of epoll and the scheduler: any context that has none of them, as this
        // function says.
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

/// Who polls.
pub(super) struct PollTable(*mut bindings::poll_table_struct);

impl PollTable {
    /// # Safety
    ///
    /// `table` is the argument of a `file_operations.poll`, and is used only during it.
    pub(super) unsafe fn from_raw(table: *mut bindings::poll_table_struct) -> Self {
        PollTable(table)
    }

    /// Puts who polls on `queue`.
    ///
    /// # Safety
    ///
    /// `file` is the file that is polled, and `queue` lives until its release.
    pub(super) unsafe fn register(&self, file: *mut bindings::file, queue: &PollQueue) {
        // SAFETY: The table is valid by the requirement of `from_raw`, `file` and the queue by that
        // of this. Who waits has the file, or is taken off the queue before the release. It may
        // allocate, and so sleep, as a `poll` may.
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
