// SPDX-License-Identifier: GPL-2.0

//! Processes and tasks, and how they end.
//!
//! C header: [`include/linux/sched/signal.h`](srctree/include/linux/sched/signal.h)

use super::bindings;
use core::ptr::NonNull;
use kernel::{
    current,
    mm::Mm,
    prelude::*,
    sync::aref::ARef,
    task::Task, //
};

/// A thread group and its address space.
///
/// # Invariants
///
/// This owns a reference to the `struct pid` in `tgid`.
pub(crate) struct Process {
    tgid: NonNull<bindings::pid>,
    mm: ARef<Mm>,
}

// SAFETY: The reference to the `struct pid` is counted, and any task may drop it.
unsafe impl Send for Process {}
// SAFETY: Through a shared reference the pointers are only compared.
unsafe impl Sync for Process {}

impl Process {
    /// The process of the current task. EINVAL for a kernel thread.
    pub(crate) fn current() -> Result<Self> {
        let mm: ARef<Mm> = current!().mm().ok_or(EINVAL).map(|mm| {
            let mm: &Mm = mm;
            mm.into()
        })?;
        // SAFETY: The current task is alive, as it runs this, so it has a thread group. The id of
        // that stays valid while the reference is taken. This is an atomic: any context.
        let tgid = unsafe { bindings::raio_helper_get_current_tgid() };
        // INVARIANT: The helper took a reference for us.
        Ok(Process {
            tgid: NonNull::new(tgid).ok_or(EINVAL)?,
            mm,
        })
    }

    /// Whether the current task belongs to this thread group, and no other thread group runs in its
    /// address space.
    ///
    /// If the kernel does not know that (without memory cgroups), this assumes that there is no
    /// other.
    pub(crate) fn is_current_alone(&self) -> bool {
        // SAFETY: Our references keep both valid. The first is compared with that of the current
        // task, which is alive. The owner of the second is read under RCU. Neither helper sleeps.
        unsafe {
            bindings::raio_helper_is_current_tgid(self.tgid.as_ptr())
                && bindings::raio_helper_is_mm_of_current_group(self.mm.as_raw())
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // SAFETY: By the invariants the reference is ours. It is not used any more. The last one
        // frees the memory, without sleeping: any context.
        unsafe { bindings::put_pid(self.tgid.as_ptr()) };
    }
}

/// The state of a thread that calls into files and copies to and from user space depend on: the
/// rights of protection keys, and whether the system call is a 32-bit one.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct ThreadState(u64);

impl ThreadState {
    /// The state of the current task.
    #[inline]
    pub(crate) fn current() -> Self {
        // SAFETY: Reads a register and a word of the current task, which only the task itself
        // changes: any context.
        ThreadState(unsafe { bindings::raio_helper_thread_state() })
    }

    /// Calls `f` with this state in the current task. Process context.
    pub(crate) fn with<R>(self, f: impl FnOnce() -> R) -> R {
        struct Revert(ThreadState);

        impl Drop for Revert {
            fn drop(&mut self) {
                // SAFETY: This task had the value before, as the value is on its stack, so the
                // register accepts it. Register and word belong to the current task, which is in
                // process context: nobody else changes them.
                unsafe { bindings::raio_helper_set_thread_state(self.0 .0) };
            }
        }

        let own = Self::current();
        if own == self {
            return f();
        }
        let _revert = Revert(own);
        // SAFETY: A `ThreadState` is the state of some task, so the register accepts it; no value
        // gives access to anything but memory of programs. Register and word belong to the current
        // task, which is in process context: nobody else changes them.
        unsafe { bindings::raio_helper_set_thread_state(self.0) };
        f()
    }
}

/// The maximum number of open files of the current task: RLIMIT_NOFILE.
pub(crate) fn max_open_files() -> usize {
    // SAFETY: Reads a limit of the current task, which has limits while it runs. The limit may
    // change.
    unsafe { bindings::raio_helper_max_open_files() }
}

/// Whether the current task is a task of a program, and runs in the address space `mm`, or belongs
/// to the process of `task`, or has just left an address space in its exit. False in an interrupt.
pub(crate) fn is_of(mm: &Mm, task: &Task) -> bool {
    // SAFETY: Both are valid, as they are borrowed. The helper compares pointers with those of the
    // current task, if this is the context of a task. Any context.
    unsafe { bindings::raio_helper_is_of(mm.as_raw(), task.as_ptr()) }
}

/// Whether the current task exits, together with all tasks of its thread group that can run in user
/// space.
pub(crate) fn is_group_exiting() -> bool {
    // SAFETY: Reads the current task's own flags, and walks its thread group under RCU. The thread
    // group exists while the task runs. Any context.
    unsafe { bindings::raio_helper_is_group_exiting() }
}

/// Whether `task` is stopped, traced or frozen, or will be as soon as it wakes up: then it does
/// nothing until somebody continues it. Any context.
pub(crate) fn is_stopped(task: &Task) -> bool {
    // SAFETY: The task is valid, as it is borrowed. Words of it that may change are read, each
    // once, and its cgroup is read under RCU. Any context.
    unsafe { bindings::raio_helper_is_stopped(task.as_ptr()) }
}

/// Whether `task` is in an interruptible sleep. Any context.
pub(crate) fn is_asleep(task: &Task) -> bool {
    // SAFETY: The task is valid, as it is borrowed. Words of it that may change are read, each
    // once. Any context.
    unsafe { bindings::raio_helper_is_asleep(task.as_ptr()) }
}

/// Whether `task` has left its process. Any context.
pub(crate) fn is_gone(task: &Task) -> bool {
    // SAFETY: The task is valid, as it is borrowed, even if it is dead. Words of it that may change
    // are read, each once. Any context.
    unsafe { bindings::raio_helper_is_dead(task.as_ptr()) }
}

/// A value that changes each time the current task sleeps or has a page fault.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamp(pub(super) usize);

impl Stamp {
    /// The current value of the current task. Process context.
    pub(crate) fn now() -> Self {
        // SAFETY: Reads counters of the current task, which exist while it runs. In an interrupt
        // they are those of the interrupted task, which does no harm.
        Stamp(unsafe { bindings::raio_helper_current_stamp() })
    }
}

/// Identifies the process and namespaces of the current task among all that exist now.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Identity {
    group: usize,
    namespaces: usize,
}

impl Identity {
    /// The identity of no task.
    pub(crate) const NONE: Identity = Identity {
        group: 0,
        namespaces: 0,
    };

    /// The identity of the current task.
    pub(crate) fn current() -> Self {
        let mut identity = Self::NONE;
        // SAFETY: Both fields are valid for writes. The helper reads two pointers of the current
        // task as numbers. Only the task itself changes them, and they are not followed. Any
        // context.
        unsafe {
            bindings::raio_helper_current_identity(
                &raw mut identity.group,
                &raw mut identity.namespaces,
            )
        };
        identity
    }
}
