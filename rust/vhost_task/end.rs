// SPDX-License-Identifier: GPL-2.0

//! The end of a thread: by itself, or because it is killed.

use super::{
    set_running,
    Shell,
    Worker, //
};
use crate::sys::{
    bindings,
    bug::warn_on,
    task::WorkerTask, //
};
use core::ptr;
use kernel::{
    container_of,
    prelude::*,
    sync::atomic::ordering::{
        Acquire,
        Relaxed,
        Release, //
    },
    task::Task,
    types::Opaque, //
};

/// Ends the current thread.
///
/// # Safety
///
/// `shell` is that of the thread, which is the current task, was not killed, and is in process
/// context without locks. Nobody else refers to the shell.
pub(super) unsafe fn end<W: Worker>(shell: *mut Shell<W>) {
    set_running();
    // SAFETY: By this function's requirements the shell is valid: only this thread frees it, below.
    if unsafe { (*shell).noticed.load(Acquire) } {
        // SAFETY: Sets a flag of the current task. The notice is queued to it, and called when the
        // task passes `get_signal()`; then `run` comes here again, because of `ended`.
        return unsafe { bindings::raio_helper_notify_current() };
    }
    // SAFETY: `create` leaked that box. By this function's requirements nobody else refers to it.
    // No callback in it is queued, and the thread does not come back.
    let mut shell = unsafe { KBox::from_raw(shell) };
    let vhost = shell.vhost.load(Acquire);
    let module = shell.module.take();
    drop(shell);
    // `TextInUse` covers the remaining instructions.
    drop(module);
    // SAFETY: `vhost` is what `create` stored. Nobody calls `vhost_task_stop()` for it, there is no
    // `Thread`, and its only other user, `vhost_task_fn()`, is left for good. The reference to the
    // task belongs to the structure; the current task has its own until it is dead. `do_exit()`
    // needs process context without locks, which this function requires. Nothing on the stack needs
    // a drop.
    unsafe { bindings::raio_helper_vhost_task_exit(vhost) }
}

/// Called by `vhost_task_fn()` when the thread is killed.
///
/// # Safety
///
/// `data` is the shell of the thread, which is the current task and was killed.
pub(super) unsafe extern "C" fn killed<W: Worker>(data: *mut c_void) {
    let shell = data.cast::<Shell<W>>();
    // SAFETY: By this function's requirements the shell is valid: only `last` frees it, which is
    // queued below.
    let this = unsafe { &*shell };
    this.task.store(Task::current_raw(), Release);
    if !this.ended.load(Relaxed) {
        // SAFETY: `vhost_task_fn()` calls this: the current task is a thread that
        // `vhost_task_create()` created, in process context. It holds `exit_mutex`, which otherwise
        // only `vhost_task_stop()` takes, and nobody else calls that.
        let thread = unsafe { WorkerTask::with(|task| this.worker.killed(task)) };
        if !thread.is_some_and(|thread| ptr::eq(thread.0.as_ptr(), shell)) {
            // Somebody may still refer to the thread, so shell and `vhost_task` are not freed.
            warn_on(true);
            return;
        }
    }
    // SAFETY: `last` is queued only here, once, and lies in the shell, to which nobody else refers
    // now. After this `vhost_task_fn()` does not access `data`, but still the `vhost_task`, so that
    // is freed in the last task work of the task. The current task has not exited, so it accepts
    // the work.
    unsafe {
        let head = (*shell).last.get();
        (*head).func = Some(last::<W>);
        bindings::task_work_add(
            Task::current_raw(),
            head,
            bindings::task_work_notify_mode_TWA_NONE,
        );
    }
}

/// The callback of [`Shell::last`].
///
/// # Safety
///
/// `head` is the `last` of the current task's shell; the task was killed, and exits.
pub(super) unsafe extern "C" fn last<W: Worker>(head: *mut bindings::callback_head) {
    // SAFETY: By this function's requirements `head` lies in the shell, to which nobody else
    // refers, see `killed`. If a notice is still queued behind this, `last` is queued again, and
    // the notice is called first. At exit task work runs in process context without locks, so
    // `vhost_task_stop()` may sleep. It does not wait: the thread has left `vhost_task_fn()`, which
    // completed `exited`.
    unsafe {
        let shell = container_of!(Opaque::cast_from(head).cast_mut(), Shell<W>, last);
        if (*shell).noticed.load(Acquire) {
            let mode = bindings::task_work_notify_mode_TWA_NONE;
            if bindings::task_work_add(Task::current_raw(), head, mode) == 0 {
                return;
            }
        }
        let mut shell = KBox::from_raw(shell);
        #[cfg(CONFIG_VHOST_TASK)]
        bindings::vhost_task_stop(shell.vhost.load(Acquire));
        let module = shell.module.take();
        drop(shell);
        // See `end`.
        drop(module);
    }
}
