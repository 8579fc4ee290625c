// SPDX-License-Identifier: GPL-2.0

//! Processes, and how they end.
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
/// `tgid` is a reference to a `struct pid` that belongs to this.
pub(crate) struct Process {
    tgid: NonNull<bindings::pid>,
    mm: ARef<Mm>,
}

// SAFETY: The reference to the `struct pid` is counted, and may be dropped in any task.
unsafe impl Send for Process {}
// SAFETY: By a shared reference the pointers are only compared.
unsafe impl Sync for Process {}

impl Process {
    /// The process of the current task. EINVAL if that is a kernel thread.
    pub(crate) fn current() -> Result<Self> {
        let mm: ARef<Mm> = current!().mm().ok_or(EINVAL).map(|mm| {
            let mm: &Mm = mm;
            mm.into()
        })?;
        // SAFETY: The current task is alive, as it runs this, so it has a thread group, whose
        // number stays while the reference is taken. An atomic: any context.
        let tgid = unsafe { bindings::raio_helper_get_current_tgid() };
        // INVARIANT: The helper took a reference for us.
        Ok(Process {
            tgid: NonNull::new(tgid).ok_or(EINVAL)?,
            mm,
        })
    }

    /// Whether the current task is of this thread group, and no other runs in its address space.
    ///
    /// Where the kernel does not know that (without memory cgroups), no other is supposed to.
    pub(crate) fn is_current_alone(&self) -> bool {
        // SAFETY: Both are valid by our references. The first is compared with what the current
        // task, which is alive, has; the owner of the second is looked at under RCU. Neither
        // sleeps.
        unsafe {
            bindings::raio_helper_is_current_tgid(self.tgid.as_ptr())
                && bindings::raio_helper_is_mm_of_current_group(self.mm.as_raw())
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // SAFETY: By the invariants the reference is ours, and it is not used any more. The last
        // frees the memory, without a sleep: any context.
        unsafe { bindings::put_pid(self.tgid.as_ptr()) };
    }
}

/// What the current task has of its own that calls into files look at, and copies to and from the
/// program's memory: the rights of protection keys, and whether the system call is one of 32 bits.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct ThreadState(u64);

impl ThreadState {
    /// The current task's.
    #[inline]
    pub(crate) fn current() -> Self {
        // SAFETY: Reads a register and a word of the current task, which only that changes: any
        // context.
        ThreadState(unsafe { bindings::raio_helper_thread_state() })
    }

    /// Calls `f` with this as the current task's. Process context.
    pub(crate) fn with<R>(self, f: impl FnOnce() -> R) -> R {
        struct Revert(ThreadState);

        impl Drop for Revert {
            fn drop(&mut self) {
                // SAFETY: It is as this task, whose stack it is, had it before, so that the
                // register takes the value. Both are the current task's, which is in process
                // context: nobody else changes them.
                unsafe { bindings::raio_helper_set_thread_state(self.0 .0) };
            }
        }

        let own = Self::current();
        if own == self {
            return f();
        }
        let _revert = Revert(own);
        // SAFETY: A `ThreadState` is what a task had, so that the register takes the value: all of
        // them are for memory of programs alone. Register and word are the current task's, which is
        // in process context: nobody else changes them.
        unsafe { bindings::raio_helper_set_thread_state(self.0) };
        f()
    }
}

/// How many files the current task may have open: RLIMIT_NOFILE.
pub(crate) fn max_open_files() -> usize {
    // SAFETY: Reads a limit of the current task, which has limits as long as it runs; it may
    // change.
    unsafe { bindings::raio_helper_max_open_files() }
}

/// Whether the current task is of a program, and works in the address space `mm`, is of the process
/// of `task`, or has just left an address space by exit. False in an interrupt.
pub(crate) fn is_of(mm: &Mm, task: &Task) -> bool {
    // SAFETY: Both are valid, as they are borrowed. Pointers are compared, with those of the
    // current task if this is the context of one. Any context.
    unsafe { bindings::raio_helper_is_of(mm.as_raw(), task.as_ptr()) }
}

/// Whether the current task exits, and with it all that its thread group has of user space.
pub(crate) fn is_group_exiting() -> bool {
    // SAFETY: Reads the current task's own flags, and walks its thread group under RCU, which is
    // there for as long as it runs. Any context.
    unsafe { bindings::raio_helper_is_group_exiting() }
}

/// Whether it is stopped, traced or frozen, or will be when it is next awake: then it does nothing
/// before somebody lets it. Any context.
pub(crate) fn is_stopped(task: &Task) -> bool {
    // SAFETY: The task is valid, as it is borrowed. Words of it that may change are read, each
    // once, and its cgroup under RCU. Any context.
    unsafe { bindings::raio_helper_is_stopped(task.as_ptr()) }
}

/// Whether it is in a sleep that can be interrupted. Any context.
pub(crate) fn is_asleep(task: &Task) -> bool {
    // SAFETY: The task is valid, as it is borrowed. Words of it that may change are read, each
    // once. Any context.
    unsafe { bindings::raio_helper_is_asleep(task.as_ptr()) }
}

/// Whether it is no part of its process any more. Any context.
pub(crate) fn is_gone(task: &Task) -> bool {
    // SAFETY: The task is valid, as it is borrowed, be it dead. Words of it that may change are
    // read, each once. Any context.
    unsafe { bindings::raio_helper_is_dead(task.as_ptr()) }
}

/// When the current task has slept or has had a page fault, this is another than before.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamp(pub(super) usize);

impl Stamp {
    /// The current task's. Process context.
    pub(crate) fn now() -> Self {
        // SAFETY: Reads counts of the current task, which it has for as long as it runs. In an
        // interrupt they are those of whom it interrupted, which harms nobody.
        Stamp(unsafe { bindings::raio_helper_current_stamp() })
    }
}

/// What tells the current task's process and namespaces from all others that there are now.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Identity {
    group: usize,
    namespaces: usize,
}

impl Identity {
    /// Of no task.
    pub(crate) const NONE: Identity = Identity {
        group: 0,
        namespaces: 0,
    };

    /// Of the current task.
    pub(crate) fn current() -> Self {
        let mut identity = Self::NONE;
        // SAFETY: Both are valid for writes. Two pointers of the current task are read as numbers,
        // which only the task itself changes, and not followed. Any context.
        unsafe {
            bindings::raio_helper_current_identity(
                &raw mut identity.group,
                &raw mut identity.namespaces,
            )
        };
        identity
    }
}
