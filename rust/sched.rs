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
    sync::aref::ARef, //
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

// SAFETY: A `struct pid` may be referred to, and let go of, in any task.
unsafe impl Send for Process {}
// SAFETY: It is only compared.
unsafe impl Sync for Process {}

impl Process {
    /// The process of the current task. EINVAL if that is a kernel thread.
    pub(crate) fn current() -> Result<Self> {
        let mm: ARef<Mm> = current!().mm().ok_or(EINVAL).map(|mm| {
            let mm: &Mm = mm;
            mm.into()
        })?;
        // SAFETY: The current task is alive, so it has a thread group.
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
        // SAFETY: Both are valid by our references.
        unsafe {
            bindings::raio_helper_is_current_tgid(self.tgid.as_ptr())
                && bindings::raio_helper_is_mm_of_current_group(self.mm.as_raw())
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // SAFETY: By the invariants.
        unsafe { bindings::put_pid(self.tgid.as_ptr()) };
    }
}

/// How many files the current task may have open: RLIMIT_NOFILE.
pub(crate) fn max_open_files() -> usize {
    // SAFETY: Reads a limit of the current task.
    unsafe { bindings::raio_helper_max_open_files() }
}

/// Whether the current task is a kernel thread.
pub(crate) fn is_kthread() -> bool {
    // SAFETY: Reads the current task.
    unsafe { bindings::raio_helper_is_kthread() }
}

/// Whether the current task exits, and with it all that its thread group has of user space.
pub(crate) fn is_group_exiting() -> bool {
    // SAFETY: May be called in any task.
    unsafe { bindings::raio_helper_is_group_exiting() }
}

/// When the current task has slept or has had a page fault, this is another than before.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamp(usize);

impl Stamp {
    /// The current task's. Process context.
    #[inline]
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
        // SAFETY: Both are valid for writes.
        unsafe {
            bindings::raio_helper_current_identity(
                &raw mut identity.group,
                &raw mut identity.namespaces,
            )
        };
        identity
    }
}
