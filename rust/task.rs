// SPDX-License-Identifier: GPL-2.0

//! What the current task is, where a call depends on it.
//!
//! C headers: [`include/linux/sched.h`](srctree/include/linux/sched.h),
//! [`include/linux/file.h`](srctree/include/linux/file.h)

use core::marker::PhantomData;
use kernel::types::NotThreadSafe;

/// The current task is an ordinary task of a program inside an ioctl: it has files, fs, namespaces,
/// signals; it may fault and block.
///
/// So it is no kernel thread and no thread that the kernel made in a process, which have nothing, or
/// not all, of that. The ioctl's own file was looked up without the lock of its position. A call that
/// asks for this can't be made from a work item or an interrupt, nor be left to another task.
#[derive(Clone, Copy)]
pub(crate) struct FullTask<'a>(PhantomData<&'a ()>, NotThreadSafe);

impl FullTask<'_> {
    /// Calls `f`, which can keep nothing of it.
    ///
    /// # Safety
    ///
    /// The current task is such a task, in process context with no locks held, and inside an ioctl
    /// until `f` has returned.
    #[inline(always)]
    pub(super) unsafe fn with<R>(f: impl for<'a> FnOnce(FullTask<'a>) -> R) -> R {
        f(FullTask(PhantomData, NotThreadSafe))
    }
}
