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

// SAFETY: A `wait_queue_head` may be used by all tasks.
unsafe impl Send for PollQueue {}
// SAFETY: As above, and at the same time: it has a lock of its own.
unsafe impl Sync for PollQueue {}

impl PollQueue {
    /// Initialises a queue; use [`new_poll_queue!`].
    pub(crate) fn new(name: &'static CStr, key: Pin<&'static LockClassKey>) -> impl PinInit<Self> {
        pin_init!(Self {
            // SAFETY: `slot` is valid for writes, `name` and `key` live for ever.
            head <- Opaque::ffi_init(|slot| unsafe {
                bindings::__init_waitqueue_head(slot, name.as_char_ptr(), key.as_ptr())
            }),
            _pin: PhantomPinned,
        })
    }

    /// Whether somebody waits. Any context.
    #[inline]
    pub(crate) fn has_pollers(&self) -> bool {
        // SAFETY: The queue is initialised.
        unsafe { wait::has_entries(self.head.get()) }
    }

    /// Wakes those who wait for input. Any context but a wake function: epoll would recurse.
    ///
    /// What they look at was written before `_shown`.
    #[inline]
    pub(crate) fn wake_readable(&self, _shown: &Shown) {
        // SAFETY: The queue is initialised. The key is a mask of events, and not followed.
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
        // SAFETY: By the requirements of this and of `from_raw`. Who waits has the file, or is
        // taken off the queue before the release.
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
