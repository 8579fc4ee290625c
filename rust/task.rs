// SPDX-License-Identifier: GPL-2.0

//! Tokens for what the current task is and may do.
//!
//! A call into a file takes such a token, so that it can't be made from a context that lacks
//! something: wake functions, interrupts and work items have no token.
//!
//! C headers: [`include/linux/sched.h`](srctree/include/linux/sched.h),
//! [`include/linux/file.h`](srctree/include/linux/file.h)

use core::marker::PhantomData;
use kernel::types::NotThreadSafe;

/// Proof that the current task is an ordinary task of a program, inside an ioctl or fadvise64, or on
/// its way back to user space. It has files, fs, namespaces and signals, and may fault and block.
///
/// So it is neither a kernel thread nor a thread that the kernel created in a process: those lack
/// some or all of that. The task holds no file with the lock of its position (`fdget_pos()`). A
/// function that takes this token can't be called from a work item or an interrupt, and the token
/// can't be handed to another task.
#[derive(Clone, Copy)]
pub(crate) struct FullTask<'a>(PhantomData<&'a ()>, NotThreadSafe);

impl<'a> FullTask<'a> {
    /// Calls `f`, which can't keep the token.
    ///
    /// # Safety
    ///
    /// The current task is as [`FullTask`] says, in process context with no locks held, until `f`
    /// has returned.
    #[inline(always)]
    pub(super) unsafe fn with<R>(f: impl for<'b> FnOnce(FullTask<'b>) -> R) -> R {
        f(FullTask(PhantomData, NotThreadSafe))
    }
}

/// Proof that the current task is a thread that the kernel created in a process, see
/// [`vhost_task`](super::vhost_task). It has the memory, signals, namespaces and limits of the
/// process, but no files (`current->files` is NULL), and it gets no signals but SIGKILL and stops.
/// It may fault and block.
#[derive(Clone, Copy)]
pub(crate) struct WorkerTask<'a>(PhantomData<&'a ()>, NotThreadSafe);

impl WorkerTask<'_> {
    /// Calls `f`, which can't keep the token.
    ///
    /// # Safety
    ///
    /// The current task is as [`WorkerTask`] says, in process context, until `f` has returned. It
    /// holds no locks, except perhaps a mutex that otherwise only the end of this thread takes.
    pub(super) unsafe fn with<R>(f: impl for<'b> FnOnce(WorkerTask<'b>) -> R) -> R {
        f(WorkerTask(PhantomData, NotThreadSafe))
    }
}

/// Proof that the current task may serve page faults of the program's memory, however long they
/// take: only its own process waits for it.
#[derive(Clone, Copy)]
pub(crate) struct MayFault<'a>(PhantomData<&'a ()>, NotThreadSafe);

/// Proof that the current task may wait for anything that a file waits for.
#[derive(Clone, Copy)]
pub(crate) struct MayBlock<'a>(PhantomData<&'a ()>, NotThreadSafe);

/// A task that may call into files.
#[derive(Clone, Copy)]
pub(crate) enum Caller<'a> {
    /// An ordinary task.
    Full(FullTask<'a>),
    /// A thread that the kernel created.
    Worker(WorkerTask<'a>),
}

impl<'a> Caller<'a> {
    /// The task may fault.
    #[inline(always)]
    pub(crate) fn may_fault(self) -> MayFault<'a> {
        MayFault(PhantomData, NotThreadSafe)
    }

    /// The task may block.
    #[inline(always)]
    pub(crate) fn may_block(self) -> MayBlock<'a> {
        MayBlock(PhantomData, NotThreadSafe)
    }

    /// Whether the task is a worker, which has no files of its own.
    #[inline(always)]
    pub(crate) fn is_worker(self) -> bool {
        matches!(self, Caller::Worker(_))
    }
}
