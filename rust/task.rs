// SPDX-License-Identifier: GPL-2.0

//! What the current task is and may do, where a call depends on it.
//!
//! A call into a file asks for these, so that it can't be made from a place that lacks something:
//! a wake function, an interrupt or a work item has none of them to give.
//!
//! C headers: [`include/linux/sched.h`](srctree/include/linux/sched.h),
//! [`include/linux/file.h`](srctree/include/linux/file.h)

use core::marker::PhantomData;
use kernel::types::NotThreadSafe;

/// The current task is an ordinary task of a program, inside an ioctl or on its way back to the
/// program: it has files, fs, namespaces, signals; it may fault and block.
///
/// So it is no kernel thread and no thread that the kernel made in a process, which have nothing,
/// or not all, of that. No file is looked up with the lock of its position held. A call that asks
/// for this can't be made from a work item or an interrupt, nor be left to another task.
#[derive(Clone, Copy)]
pub(crate) struct FullTask<'a>(PhantomData<&'a ()>, NotThreadSafe);

impl<'a> FullTask<'a> {
    /// Calls `f`, which can keep nothing of it.
    ///
    /// # Safety
    ///
    /// The current task is such a task, in process context with no locks held, until `f` has
    /// returned.
    #[inline(always)]
    pub(super) unsafe fn with<R>(f: impl for<'b> FnOnce(FullTask<'b>) -> R) -> R {
        f(FullTask(PhantomData, NotThreadSafe))
    }
}

/// The current task is a thread that the kernel made in a process, see
/// [`vhost_task`](super::vhost_task): it has the process's memory, signals, namespaces and limits,
/// but no files (`current->files` is NULL), and no signal reaches it but SIGKILL and stops. It may
/// fault and block.
#[derive(Clone, Copy)]
pub(crate) struct WorkerTask<'a>(PhantomData<&'a ()>, NotThreadSafe);

impl WorkerTask<'_> {
    /// Calls `f`, which can keep nothing of it.
    ///
    /// # Safety
    ///
    /// The current task is such a thread, in process context with no locks held, but perhaps a
    /// mutex that only its end takes, until `f` has returned.
    pub(super) unsafe fn with<R>(f: impl for<'b> FnOnce(WorkerTask<'b>) -> R) -> R {
        f(WorkerTask(PhantomData, NotThreadSafe))
    }
}

/// The current task may wait for the program's memory, as long as that takes: nobody but its own
/// process waits for it.
#[derive(Clone, Copy)]
pub(crate) struct MayFault<'a>(PhantomData<&'a ()>, NotThreadSafe);

/// The current task may wait for whatever a file waits for.
#[derive(Clone, Copy)]
pub(crate) struct MayBlock<'a>(PhantomData<&'a ()>, NotThreadSafe);

/// A task that may call into files.
#[derive(Clone, Copy)]
pub(crate) enum Caller<'a> {
    /// An ordinary one.
    Full(FullTask<'a>),
    /// A thread that the kernel made.
    Worker(WorkerTask<'a>),
}

impl<'a> Caller<'a> {
    /// It may fault.
    #[inline(always)]
    pub(crate) fn may_fault(self) -> MayFault<'a> {
        MayFault(PhantomData, NotThreadSafe)
    }

    /// It may block.
    #[inline(always)]
    pub(crate) fn may_block(self) -> MayBlock<'a> {
        MayBlock(PhantomData, NotThreadSafe)
    }

    /// Whether it has no files of its own.
    #[inline(always)]
    pub(crate) fn is_worker(self) -> bool {
        matches!(self, Caller::Worker(_))
    }
}
