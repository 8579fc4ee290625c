// SPDX-License-Identifier: GPL-2.0

//! Signal masks that last for one call, like those of ppoll(2) and io_pgetevents(2).
//!
//! `set_user_sigmask()` is not exported, so this does the same with exported functions.
//!
//! C header: [`include/linux/signal.h`](srctree/include/linux/signal.h)

use super::{
    bindings,
    task::FullTask, //
};
use core::{
    marker::PhantomData,
    ptr, //
};
use kernel::{
    current,
    prelude::*,
    task::Task,
    types::NotThreadSafe,
    uaccess::{
        UserPtr,
        UserSlice, //
    }, //
};

/// A set of signals to block.
#[derive(Clone, Copy)]
pub(crate) struct SigSet(bindings::sigset_t);

impl SigSet {
    /// Reads a set of `size` bytes at `address` in user space. `None` if `address` is 0.
    ///
    /// EINVAL if `size` is not that of a set, EFAULT. Process context.
    pub(crate) fn read(address: u64, size: u64) -> Result<Option<Self>> {
        if address == 0 {
            return Ok(None);
        }
        let mut set = bindings::sigset_t::default();
        if size != size_of_val(&set) as u64 {
            return Err(EINVAL);
        }
        // On little endian the set of a 32-bit program has the same layout.
        let mut reader =
            UserSlice::new(UserPtr::from_addr(address as usize), size as usize).reader();
        for word in &mut set.sig {
            *word = reader.read()?;
        }
        // SAFETY: The helper only changes the set that it gets, which is ours. Any context.
        unsafe { bindings::raio_helper_unblock_unblockable(&raw mut set) };
        Ok(Some(SigSet(set)))
    }

    /// Blocks exactly these signals until the result is dropped.
    #[must_use = "the old mask is back when this is dropped"]
    pub(crate) fn block<'a>(mut self, _task: FullTask<'a>) -> Blocked<'a> {
        let task = Task::current_raw();
        // SAFETY: This is the current task, and nobody else writes its masks. The saved mask has a
        // meaning only during a system call, and `_task` proves that this is one, so the old value
        // is unused. `sigprocmask()` takes the lock of the task's signals, with interrupts off; the
        // caller does not hold it.
        unsafe {
            bindings::raio_helper_set_restore_sigmask();
            (*task).saved_sigmask = (*task).blocked;
            bindings::sigprocmask(
                bindings::SIG_SETMASK as c_int,
                &raw mut self.0,
                ptr::null_mut(),
            );
        }
        Blocked(PhantomData, NotThreadSafe)
    }
}

/// The receiver of a signal.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Whom {
    /// The current task.
    Task,
    /// The process of the current task: any thread of it that wants the signal.
    Process,
}

/// Sends SIGXFSZ, like the kernel for a write beyond RLIMIT_FSIZE. Process context.
pub(crate) fn raise_file_size(whom: Whom) {
    // SAFETY: The current task has a thread group while it runs. It sends the signal to itself, or
    // to its own group. The locks of its signals are taken with interrupts off. Callers are in
    // process context and hold no such lock, so they are not taken twice.
    unsafe { bindings::raio_helper_raise_xfsz(whom == Whom::Process) };
}

/// The current task has the mask of a call. Dropping this restores its own mask.
///
/// If a signal is pending at that time, the mask is restored only after its handler was started, on
/// the way back to user space: the old mask might block the signal.
pub(crate) struct Blocked<'a>(PhantomData<FullTask<'a>>, NotThreadSafe);

impl Drop for Blocked<'_> {
    fn drop(&mut self) {
        if current!().signal_pending() {
            return;
        }
        // SAFETY: This is the task that called `block`, in the same system call, as this is not
        // `Send` and does not outlive the token. The saved mask, which nobody else writes, is the
        // one that `block` saved, unless the flag says that it was already restored. The lock of
        // its signals, which is taken with interrupts off, is not held.
        unsafe {
            if bindings::raio_helper_test_and_clear_restore_sigmask() {
                bindings::sigprocmask(
                    bindings::SIG_SETMASK as c_int,
                    &raw mut (*Task::current_raw()).saved_sigmask,
                    ptr::null_mut(),
                );
            }
        }
    }
}

/// Whether the current task has pending work to do before it returns to user space, but no pending
/// signal. Process context.
pub(crate) fn is_only_notified() -> bool {
    // SAFETY: Reads flags of the current task, which exists. Any context; in an interrupt they
    // would be those of the interrupted task.
    unsafe { bindings::raio_helper_is_only_notified() }
}
