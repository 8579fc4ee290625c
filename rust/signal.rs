// SPDX-License-Identifier: GPL-2.0

//! A signal mask for the time of a call, as ppoll(2) and io_pgetevents(2) have it.
//!
//! `set_user_sigmask()` is not exported, so this does the same with what is.
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

/// Signals that a program wants to be blocked.
#[derive(Clone, Copy)]
pub(crate) struct SigSet(bindings::sigset_t);

impl SigSet {
    /// Reads the set of `size` bytes at `address` in the program's memory; none if that is 0.
    ///
    /// EINVAL if sets have another size, EFAULT. Process context.
    pub(crate) fn read(address: u64, size: u64) -> Result<Option<Self>> {
        if address == 0 {
            return Ok(None);
        }
        let mut set = bindings::sigset_t::default();
        if size != size_of_val(&set) as u64 {
            return Err(EINVAL);
        }
        // On little endian the set of a 32-bit program is the same.
        let mut reader =
            UserSlice::new(UserPtr::from_addr(address as usize), size as usize).reader();
        for word in &mut set.sig {
            *word = reader.read()?;
        }
        // SAFETY: Changes the set that it is given, which is ours: no other memory, any context.
        unsafe { bindings::raio_helper_unblock_unblockable(&raw mut set) };
        Ok(Some(SigSet(set)))
    }

    /// Blocks these signals and no others, until the result is dropped.
    #[must_use = "the old mask is back when this is dropped"]
    pub(crate) fn block<'a>(mut self, _task: FullTask<'a>) -> Blocked<'a> {
        let task = Task::current_raw();
        // SAFETY: It is the current task, and nobody else writes its masks. What was saved before
        // is of no use: it is only while a system call is under way, and this is it, as `_task`
        // says. `sigprocmask()` takes the lock of its signals, with interrupts off: none is held.
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

/// Who gets a signal.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Whom {
    /// The current task.
    Task,
    /// Its process: any thread of it that wants the signal.
    Process,
}

/// Sends SIGXFSZ, as the kernel does for a write beyond RLIMIT_FSIZE. Process context.
pub(crate) fn raise_file_size(whom: Whom) {
    // SAFETY: The current task has a thread group as long as it runs. It sends the signal to
    // itself, or to its own group: the locks of its signals are taken with interrupts off, and as
    // callers are in process context and hold none of a task's, not twice.
    unsafe { bindings::raio_helper_raise_xfsz(whom == Whom::Process) };
}

/// The current task has a mask for the time of the call; dropped, it gets back its own.
///
/// If a signal is pending then, that happens when its handler was started, on the way back to the
/// program: with the old mask it might not be.
pub(crate) struct Blocked<'a>(PhantomData<FullTask<'a>>, NotThreadSafe);

impl Drop for Blocked<'_> {
    fn drop(&mut self) {
        if current!().signal_pending() {
            return;
        }
        // SAFETY: This is the task that `block` was called in, in the same system call, as it is
        // not `Send` and lives no longer than the token. Its saved mask, which nobody else writes,
        // is what `block` saved, unless the flag says that it was restored. The lock of its
        // signals, which is taken with interrupts off, is not held.
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

/// Whether the current task has work to do before it goes back to its program, and no signal. Process
/// context.
pub(crate) fn is_only_notified() -> bool {
    // SAFETY: Reads flags of the current task, which is there. Any context; in an interrupt they
    // would be those of whom it interrupted.
    unsafe { bindings::raio_helper_is_only_notified() }
}
