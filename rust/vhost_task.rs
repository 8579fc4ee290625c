// SPDX-License-Identifier: GPL-2.0

//! Threads that the kernel makes in a process: they share its address space, signals, namespaces,
//! limits and cgroups, and die with it.
//!
//! `vhost_task_stop()` waits for the thread, which a stopped, traced or frozen one keeps from ending
//! for as long as somebody likes. So nobody else calls it: a thread ends by itself, when its
//! [`Worker::run`] says so or when it is killed, and nobody waits for that who is not of its process. One
//! that is killed calls it in its last work, when it does not wait.
//!
//! C headers: [`include/linux/sched/vhost_task.h`](srctree/include/linux/sched/vhost_task.h),
//! [`include/linux/task_work.h`](srctree/include/linux/task_work.h)

use super::{
    bindings,
    module::ModuleRef,
    sched,
    task::WorkerTask,
    wait::{
        self,
        Deadline, //
    }, //
};
use core::ptr::{
    self,
    NonNull, //
};
use kernel::{
    container_of,
    error::from_err_ptr,
    prelude::*,
    sync::{
        aref::ARef,
        atomic::{
            ordering::{
                Acquire,
                Full,
                Release, //
            },
            Atomic,
            AtomicFlag, //
        },
        Arc, //
    },
    task::Task,
    types::Opaque, //
};

/// What a thread does next.
pub(crate) enum Next {
    /// More.
    Again,
    /// It sleeps until it is woken, or the deadline is over.
    Sleep(Deadline),
    /// It ends. Nobody refers to it any more.
    End,
}

/// What a thread does.
pub(crate) trait Worker: Send + Sync + 'static {
    /// Does one piece of work.
    ///
    /// In process context, in the state TASK_INTERRUPTIBLE: it must call [`set_running`] before it
    /// does something that may sleep. A wake from when it looked for work on ends a [`Next::Sleep`].
    fn run(&self, task: WorkerTask<'_>) -> Next;

    /// The thread is killed, and will not run any more; nobody refers to it when this has returned.
    /// Process context, may sleep; a fault or wait here delays the end of the process.
    fn killed(&self, task: WorkerTask<'_>);
}

/// What belongs to a thread, which frees it.
struct Shell<W> {
    worker: Arc<W>,
    /// What `vhost_task_create()` made.
    vhost: Atomic<*mut bindings::vhost_task>,
    /// The thread, from its first run on.
    task: Atomic<*mut bindings::task_struct>,
    /// Ends a sleep of it.
    notice: Opaque<bindings::callback_head>,
    /// It is queued.
    noticed: AtomicFlag,
    started: AtomicFlag,
    /// The end of a killed one.
    last: Opaque<bindings::callback_head>,
    module: Option<ModuleRef>,
}

/// A thread of the process that created it.
///
/// # Invariants
///
/// `shell` is that of a thread that has been created; it is valid until the thread has returned
/// [`Next::End`] from [`Worker::run`], or has returned from [`Worker::killed`].
pub(crate) struct Thread<W: Worker>(NonNull<Shell<W>>);

// SAFETY: What a thread may be told, any task may tell it, see the methods.
unsafe impl<W: Worker> Send for Thread<W> {}
// SAFETY: As above, at the same time.
unsafe impl<W: Worker> Sync for Thread<W> {}

/// Whether this kernel has such threads.
pub(crate) fn supported() -> bool {
    // SAFETY: Reads the configuration, in any context.
    unsafe { bindings::raio_helper_has_vhost_tasks() }
}

impl<W: Worker> Thread<W> {
    /// Creates a thread of the current process, which waits for [`Self::start`].
    ///
    /// ERESTARTNOINTR if a signal is pending; EAGAIN beyond RLIMIT_NPROC and the like, EINVAL,
    /// ENOMEM. Process context of an ordinary task.
    #[cfg(CONFIG_VHOST_TASK)]
    pub(crate) fn create(worker: Arc<W>, name: &'static CStr) -> Result<Self> {
        let shell = KBox::new(
            Shell {
                worker,
                vhost: Atomic::new(ptr::null_mut()),
                task: Atomic::new(ptr::null_mut()),
                notice: Opaque::zeroed(),
                noticed: AtomicFlag::new(false),
                started: AtomicFlag::new(false),
                last: Opaque::zeroed(),
                module: Some(ModuleRef::new()),
            },
            GFP_KERNEL_ACCOUNT,
        )?;
        let shell = NonNull::from(KBox::leak(shell));
        // SAFETY: The shell is freed by the thread alone. The name is static. The current task is
        // an ordinary one, which is what is copied, in process context.
        let task = from_err_ptr(unsafe {
            bindings::vhost_task_create(
                Some(run::<W>),
                Some(killed::<W>),
                shell.as_ptr().cast(),
                name.as_char_ptr(),
            )
        });
        match task {
            Ok(task) => {
                // SAFETY: The thread is not started: nobody frees the shell.
                unsafe { shell.as_ref() }.vhost.store(task, Release);
                // INVARIANT: It was just created.
                Ok(Thread(shell))
            }
            Err(e) => {
                // SAFETY: There is no thread, so it is ours as it was.
                drop(unsafe { KBox::from_raw(shell.as_ptr()) });
                Err(e)
            }
        }
    }

    /// This kernel has no such threads.
    #[cfg(not(CONFIG_VHOST_TASK))]
    pub(crate) fn create(_worker: Arc<W>, _name: &'static CStr) -> Result<Self> {
        Err(EINVAL)
    }

    /// Starts it, once. Any context; under the lock as for [`Self::wake`].
    pub(crate) fn start(&self) {
        // SAFETY: By the invariants; one that was started is not new any more.
        unsafe {
            let shell = self.0.as_ref();
            if !shell.started.xchg(true, Full) {
                #[cfg(CONFIG_VHOST_TASK)]
                bindings::vhost_task_start(shell.vhost.load(Acquire));
            }
        }
    }

    /// Wakes it if it sleeps for want of work.
    ///
    /// Any context; under the lock under which the thread decides to end, so that it is there.
    pub(crate) fn wake(&self) {
        #[cfg(CONFIG_VHOST_TASK)]
        // SAFETY: By the invariants; the `vhost_task` goes with the shell.
        unsafe {
            bindings::vhost_task_wake(self.0.as_ref().vhost.load(Acquire));
        }
    }

    /// Ends an interruptible sleep of it, inside a call into a file. False if it is in a sleep that
    /// is none.
    ///
    /// Any context; under the lock as for [`Self::wake`].
    pub(crate) fn interrupt(&self) -> bool {
        // SAFETY: By the invariants.
        let shell = unsafe { self.0.as_ref() };
        let task = shell.task.load(Acquire);
        if task.is_null() {
            return false;
        }
        // SAFETY: The thread has not ended, so its task is there; the state may change, and is read
        // once, before it is woken.
        let interruptible = !unsafe { bindings::raio_helper_is_uninterruptible(task) };
        if !shell.noticed.xchg(true, Full) {
            // SAFETY: The callback is not queued, see `noticed`, and lies in the shell, which the
            // thread does not free while it is. The thread has not ended, so its task is there.
            // TWA_SIGNAL wakes interruptible sleepers alone, and takes no lock that may be held
            // under a spinlock with interrupts off.
            unsafe {
                let head = shell.notice.get();
                (*head).func = Some(notice::<W>);
                let mode = bindings::task_work_notify_mode_TWA_SIGNAL;
                if bindings::task_work_add(task, head, mode) != 0 {
                    shell.noticed.store(false, Release);
                }
            }
        }
        interruptible
    }

    /// The task that it is, once it has run. Any context; under the lock as for [`Self::wake`].
    pub(crate) fn task(&self) -> Option<ARef<Task>> {
        // SAFETY: By the invariants.
        let task = NonNull::new(unsafe { self.0.as_ref() }.task.load(Acquire))?;
        // SAFETY: The thread has not ended, so its task is there; `Task` is transparent over it.
        Some(unsafe { task.cast::<Task>().as_ref() }.into())
    }

    /// See [`sched::is_stopped`]. Any context; under the lock as for [`Self::wake`].
    pub(crate) fn is_stopped(&self) -> bool {
        self.task().is_some_and(|task| sched::is_stopped(&task))
    }
}

/// # Safety
///
/// `head` is the `notice` of the current task's shell, queued once.
unsafe extern "C" fn notice<W: Worker>(head: *mut bindings::callback_head) {
    // SAFETY: By the requirement; the thread frees its shell only when this has been called.
    unsafe {
        let shell = container_of!(Opaque::cast_from(head).cast_mut(), Shell<W>, notice);
        (*shell).noticed.store(false, Release);
    }
}

/// Whether all others of the current thread's process have gone, so that it keeps alive what has no
/// use.
pub(crate) fn is_left_alone(_task: WorkerTask<'_>) -> bool {
    // SAFETY: The current task is there.
    unsafe { bindings::raio_helper_is_left_alone(Task::current_raw()) }
}

/// # Safety
///
/// `shell` is that of the thread, which is the current task.
unsafe extern "C" fn run<W: Worker>(data: *mut c_void) -> bool {
    let shell = data.cast::<Shell<W>>();
    // SAFETY: By the requirement: only the thread itself frees it, below.
    let this = unsafe { &*shell };
    this.task.store(Task::current_raw(), Release);
    // SAFETY: The current task is a thread of `vhost_task_create()`, in process context.
    let next = unsafe { WorkerTask::with(|task| this.worker.run(task)) };
    // SAFETY: The current task is a thread that comes back here by way of `get_signal()`, which
    // runs task work, if it is notified. What a request let go of, an fput say, waits there.
    unsafe {
        if bindings::raio_helper_task_work_pending() {
            // It may sleep.
            bindings::raio_helper_set_running();
            bindings::raio_helper_notify_current();
            if !matches!(next, Next::End) {
                return true;
            }
        }
    }
    match next {
        Next::Again => {}
        Next::Sleep(deadline) => {
            // In the state in which it looked for work: a wake since then ends it at once.
            wait::sleep(deadline);
        }
        Next::End => {
            // SAFETY: Nobody refers to it any more, by the contract of `run`, and a notice that is
            // still queued is seen to. It is the current task, in process context without locks.
            unsafe { end(shell) };
        }
    }
    set_running();
    true
}

/// Ends the current thread.
///
/// # Safety
///
/// `shell` is that of the thread, which is the current task and was not killed; nobody else refers to
/// it.
unsafe fn end<W: Worker>(shell: *mut Shell<W>) {
    set_running();
    // SAFETY: By the requirement the shell is there.
    if unsafe { (*shell).noticed.load(Acquire) } {
        // SAFETY: It is on the way: once more through `get_signal()`, and it has been called. The
        // worker says again that it ends.
        return unsafe { bindings::raio_helper_notify_current() };
    }
    // SAFETY: The thread is the only one that has the shell, and does not come back.
    let mut shell = unsafe { KBox::from_raw(shell) };
    let vhost = shell.vhost.load(Acquire);
    let module = shell.module.take();
    drop(shell);
    // The instructions that are left are covered by `TextInUse`.
    drop(module);
    // SAFETY: As `vhost_task_stop()` does when the thread has ended: nobody else calls that, and
    // `vhost_task_fn()`, the only one who uses it, is left for good. So does a kernel thread leave
    // its function. The reference to the task is the one that the structure had; the current task
    // has its own until it is dead.
    unsafe { bindings::raio_helper_vhost_task_exit(vhost) }
}

/// # Safety
///
/// `shell` is that of the thread, which is the current task and was killed.
unsafe extern "C" fn killed<W: Worker>(data: *mut c_void) {
    let shell = data.cast::<Shell<W>>();
    // SAFETY: By the requirement. `vhost_task_fn()` does not look at `data` after this, but at the
    // structure, so that is freed when the task does its last work. There is no other way for the
    // task to exit, so the work is taken.
    unsafe {
        (*shell).task.store(Task::current_raw(), Release);
        WorkerTask::with(|task| (*shell).worker.killed(task));
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
unsafe extern "C" fn last<W: Worker>(head: *mut bindings::callback_head) {
    // SAFETY: By the requirement. Should a notice be queued behind this, it is called before what
    // is queued now. `vhost_task_fn()` has been left, having said that it has exited: so
    // `vhost_task_stop()` does not wait.
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

/// Says that the current task is not about to sleep.
pub(crate) fn set_running() {
    // SAFETY: Writes the state of the current task.
    unsafe { bindings::raio_helper_set_running() };
}

/// Whether the current task was killed.
pub(crate) fn is_killed() -> bool {
    // SAFETY: Reads the current task.
    unsafe { bindings::raio_helper_fatal_signal_pending() }
}
