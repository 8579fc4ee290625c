// SPDX-License-Identifier: GPL-2.0

//! Eventfds that are signalled for events.
//!
//! C header: [`include/linux/eventfd.h`](srctree/include/linux/eventfd.h)

use super::{
    bindings,
    task::FullTask, //
};
use core::ptr::NonNull;
use kernel::{
    error::from_err_ptr,
    prelude::*, //
};

/// A reference to an eventfd.
pub(crate) struct EventFd(NonNull<bindings::eventfd_ctx>);

// SAFETY: The reference is counted, and bound to no task: any task may signal it and drop it.
unsafe impl Send for EventFd {}

impl EventFd {
    /// Looks up the eventfd behind `fd` of the current task. EBADF if there is no such file, EINVAL
    /// if it is not an eventfd.
    pub(crate) fn get(_task: FullTask<'_>, fd: u32) -> Result<Self> {
        // SAFETY: `_task` proves that the current task has a table of files, in which the call
        // looks up any number, and that no file's position is locked. The reference that it returns
        // is ours.
        let context = from_err_ptr(unsafe { bindings::eventfd_ctx_fdget(fd as c_int) })?;
        Ok(EventFd(NonNull::new(context).ok_or(EBADF)?))
    }

    /// Adds one to the counter. Any context, but not under the lock of a wait queue that an epoll
    /// set may be on.
    pub(crate) fn signal(&self) {
        // SAFETY: Our reference keeps the eventfd valid. The call takes the lock of its wait queue
        // with interrupts off, and does not sleep; if it is called recursively, it gives up.
        unsafe { bindings::eventfd_signal_mask(self.0.as_ptr(), 0) };
    }
}

impl Drop for EventFd {
    fn drop(&mut self) {
        // SAFETY: The reference is ours, and not used any more. The last one frees the memory and
        // removes the id, which may be done in any context.
        unsafe { bindings::eventfd_ctx_put(self.0.as_ptr()) };
    }
}
