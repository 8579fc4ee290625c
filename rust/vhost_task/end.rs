// SPDX-License-Identifier: GPL-2.0

//! How a thread ends: by itself, or since it is killed.

use super::{
    set_running,
    Shell,
    Worker, //
};
use crate::sys::{
    bindings,
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
/// `shell` is that of the thread, which is the current task and was not killed, in process context
/// without locks; nobody else refers to it.
pub(super) unsafe fn end<W: Worker>(shell: *mut Shell<W>) {
    set_running();
    // SAFETY: By the requirement the shell is valid: it is freed below, by this thread.
    if unsafe { (*shell).noticed.load(Acquire) } {
        // SAFETY: Sets a flag of the current task. The notice is queued to it, and is called when
        // it goes through `get_signal()`; then `run` comes here again, by `ended`.
        return unsafe { bindings::raio_helper_notify_current() };
    }
    // SAFETY: `create` leaked that box. By the requirement nobody else refers to it, no callback in
    // it is queued, and the thread does not come back.
    let mut shell = unsafe { KBox::from_raw(shell) };
    let vhost = shell.vhost.load(Acquire);
    let module = shell.module.take();
    drop(shell);
    // The instructions that are left are covered by `TextInUse`.
    drop(module);
    // SAFETY: `vhost` is what `create` stored; nobody calls `vhost_task_stop()` for it, there is no
    // `Thread`, and `vhost_task_fn()`, who else uses it, is left for good. The reference to the
    // task is the structure's; the current task has its own until it is dead. `do_exit()` wants
    // process context without locks, as the requirement says; what is on the stack needs no drop.
    unsafe { bindings::raio_helper_vhost_task_exit(vhost) }
}

/// # Safety
///
/// `shell` is that of the thread, which is the current task and was killed.
pub(super) unsafe extern "C" fn killed<W: Worker>(data: *mut c_void) {
    let shell = data.cast::<Shell<W>>();
    // SAFETY: By the requirement the shell is valid: `last` frees it, which is queued below.
    let this = unsafe { &*shell };
    this.task.store(Task::current_raw(), Release);
    if !this.ended.load(Relaxed) {
        // SAFETY: `vhost_task_fn()` calls this: the current task is a thread that
        // `vhost_task_create()` made, in process context. What it holds, `exit_mutex`, only
        // `vhost_task_stop()` takes as well, which nobody else calls.
        let thread = unsafe { WorkerTask::with(|task| this.worker.killed(task)) };
        if !thread.is_some_and(|thread| ptr::eq(thread.0.as_ptr(), shell)) {
            // Somebody may still refer to it: shell and `vhost_task` stay.
            kernel::warn_on!(true);
            return;
        }
    }
    // SAFETY: `last` is queued once, here, and lies in the shell, to which nobody else refers now.
    // `vhost_task_fn()` does not look at `data` after this, but at the structure, so that is freed
    // when the task does its last work. The current task has not exited, so it takes the work.
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

/// # Safety
///
/// `head` is the `last` of the current task's shell; the task exits, and was killed.
pub(super) unsafe extern "C" fn last<W: Worker>(head: *mut bindings::callback_head) {
    // SAFETY: By the requirement `head` lies in the shell, to which nobody else refers, see
    // `killed`. Should a notice be queued behind this, it is called before what is queued now. At
    // exit task work is run in process context without locks, so that `vhost_task_stop()` may
    // sleep; it does not wait, since `vhost_task_fn()` has been left, having said that it has
    // exited.
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
        // As in `end`.
        drop(module);
    }
}
