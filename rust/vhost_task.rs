// SPDX-License-Identifier: GPL-2.0

//! Threads that the kernel makes in a process: they share its address space, signals, namespaces,
//! limits and cgroups, and die with it.
//!
//! `vhost_task_stop()` waits for the thread, which a stopped, traced or frozen one keeps from
//! ending for as long as somebody likes. So nobody else calls it: a thread ends by itself, when its
//! [`Worker::run`] says so or when it is killed, and nobody waits for that who is not of its
//! process. One that is killed calls it in its last work, when it does not wait.
//!
//! C headers: [`include/linux/sched/vhost_task.h`](srctree/include/linux/sched/vhost_task.h),
//! [`include/linux/task_work.h`](srctree/include/linux/task_work.h)

mod end;

use super::{
    bindings,
    module::ModuleRef,
    sched,
    task::{
        FullTask,
        WorkerTask, //
    },
    wait::{
        self,
        Deadline, //
    }, //
};
use core::ptr::{
    self,
    NonNull, //
};
use end::{
    end,
    killed, //
};
use kernel::{
    container_of,
    error::from_err_ptr,
    prelude::*,
    sync::{
        atomic::{
            ordering::{
                Acquire,
                Full,
                Relaxed,
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
pub(crate) enum Next<W: Worker> {
    /// More.
    Again,
    /// It sleeps until it is woken, or the deadline is over.
    Sleep(Deadline),
    /// It ends. This is itself: nobody else refers to it any more.
    End(Thread<W>),
}

/// What a thread does.
pub(crate) trait Worker: Send + Sync + Sized + 'static {
    /// Does one piece of work.
    ///
    /// In process context, in the state TASK_INTERRUPTIBLE: it must call [`set_running`] before it
    /// does something that may sleep. A wake from when it looked for work on ends a
    /// [`Next::Sleep`]. Not called any more when it has said [`Next::End`].
    fn run(&self, task: WorkerTask<'_>) -> Next<Self>;

    /// The thread is killed, and will not run any more. Returns itself, so that nobody else refers
    /// to it; without that, what belongs to it is never freed. Not called after [`Next::End`].
    /// Process context, may sleep; a fault or wait here delays the end of the process.
    fn killed(&self, task: WorkerTask<'_>) -> Option<Thread<Self>>;
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
    /// There is no [`Thread`] of it any more. The thread's own.
    ended: AtomicFlag,
    /// The end of a killed one.
    last: Opaque<bindings::callback_head>,
    module: Option<ModuleRef>,
}

/// A thread of the process that created it. There is one for each, which the thread must have to
/// end.
///
/// # Invariants
///
/// It points to the shell of a thread that has been created. Shell and `vhost_task` are freed by
/// the thread alone, after it was given this one value back: they are valid as long as this is
/// there.
pub(crate) struct Thread<W: Worker>(NonNull<Shell<W>>);

// SAFETY: It is bound to no task: each method may be called by any, on what the invariants keep
// valid. The shell is freed by its thread, which must have got this back for that.
unsafe impl<W: Worker> Send for Thread<W> {}
// SAFETY: The methods use atomics of the shell, and C functions that may be called at the same
// time.
unsafe impl<W: Worker> Sync for Thread<W> {}

/// Whether this kernel has such threads.
pub(crate) fn supported() -> bool {
    // SAFETY: The helper returns a constant of the configuration: no demands, any context.
    unsafe { bindings::raio_helper_has_vhost_tasks() }
}

impl<W: Worker> Thread<W> {
    /// Creates a thread of the current process, which waits for [`Self::start`].
    ///
    /// ERESTARTNOINTR if a signal is pending; EAGAIN beyond RLIMIT_NPROC and the like, EINVAL,
    /// ENOMEM.
    #[cfg(CONFIG_VHOST_TASK)]
    pub(crate) fn create(_task: FullTask<'_>, worker: Arc<W>, name: &'static CStr) -> Result<Self> {
        let shell = KBox::new(
            Shell {
                worker,
                vhost: Atomic::new(ptr::null_mut()),
                task: Atomic::new(ptr::null_mut()),
                notice: Opaque::zeroed(),
                noticed: AtomicFlag::new(false),
                started: AtomicFlag::new(false),
                ended: AtomicFlag::new(false),
                last: Opaque::zeroed(),
                module: Some(ModuleRef::new()),
            },
            GFP_KERNEL_ACCOUNT,
        )?;
        let shell = NonNull::from(KBox::leak(shell));
        // SAFETY: The shell is freed by the thread alone, so it outlives its use as data. The name
        // is static. `_task` says that the current task is an ordinary one of a program, which is
        // what is copied, and may sleep.
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
                // SAFETY: The thread, which alone frees the shell, has not started.
                unsafe { shell.as_ref() }.vhost.store(task, Release);
                // INVARIANT: It was just created.
                Ok(Thread(shell))
            }
            Err(e) => {
                // SAFETY: There is no thread, so the box that was leaked above is still ours alone.
                drop(unsafe { KBox::from_raw(shell.as_ptr()) });
                Err(e)
            }
        }
    }

    /// This kernel has no such threads.
    #[cfg(not(CONFIG_VHOST_TASK))]
    pub(crate) fn create(
        _task: FullTask<'_>,
        _worker: Arc<W>,
        _name: &'static CStr,
    ) -> Result<Self> {
        Err(EINVAL)
    }

    /// Starts it, once. Any context.
    pub(crate) fn start(&self) {
        // SAFETY: By the invariants shell and `vhost_task` are valid. `vhost_task_start()` wants a
        // task that is new: `started` lets one caller through. It takes locks of the scheduler
        // alone, with interrupts off, and does not sleep.
        unsafe {
            let shell = self.0.as_ref();
            if !shell.started.xchg(true, Full) {
                #[cfg(CONFIG_VHOST_TASK)]
                bindings::vhost_task_start(shell.vhost.load(Acquire));
            }
        }
    }

    /// Wakes it if it sleeps for want of work. Any context.
    pub(crate) fn wake(&self) {
        #[cfg(CONFIG_VHOST_TASK)]
        // SAFETY: By the invariants shell and `vhost_task` are valid, which has a reference to its
        // task. That is woken by `wake_up_process()`, in any context.
        unsafe {
            bindings::vhost_task_wake(self.0.as_ref().vhost.load(Acquire));
        }
    }

    /// Ends an interruptible sleep of it, inside a call into a file. False if it is in a sleep that
    /// is none.
    ///
    /// Any context.
    pub(crate) fn interrupt(&self) -> bool {
        // SAFETY: By the invariants the shell is valid; all that is used of it is atomic.
        let shell = unsafe { self.0.as_ref() };
        let task = shell.task.load(Acquire);
        if task.is_null() {
            return false;
        }
        // SAFETY: The `vhost_task`, valid by the invariants, has a reference to the task. The state
        // may change, and is read once, before it is woken; any context.
        let interruptible = !unsafe { bindings::raio_helper_is_uninterruptible(task) };
        if !shell.noticed.xchg(true, Full) {
            // SAFETY: The callback is not queued, see `noticed`, and lies in the shell, which the
            // thread does not free while it is. The `vhost_task` has a reference to the task.
            // TWA_SIGNAL wakes it from an interruptible sleep, by locks of the scheduler alone: it
            // may be asked for under a spinlock with interrupts off.
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

    /// The task that it is, once it has run. Any context.
    fn task(&self) -> Option<&Task> {
        // SAFETY: By the invariants the shell is valid; `task` is atomic.
        let task = NonNull::new(unsafe { self.0.as_ref() }.task.load(Acquire))?;
        // SAFETY: The `vhost_task`, valid by the invariants for as long as `self` is borrowed, has a
        // reference to the task. `Task` is transparent over it.
        Some(unsafe { task.cast::<Task>().as_ref() })
    }

    /// See [`sched::is_asleep`]. Any context.
    pub(crate) fn is_asleep(&self) -> bool {
        self.task().is_some_and(sched::is_asleep)
    }

    /// See [`sched::is_stopped`]. Any context.
    pub(crate) fn is_stopped(&self) -> bool {
        self.task().is_some_and(sched::is_stopped)
    }
}

/// # Safety
///
/// `head` is the `notice` of the current task's shell, queued once.
unsafe extern "C" fn notice<W: Worker>(head: *mut bindings::callback_head) {
    // SAFETY: By the requirement `head` lies in the shell, which the thread, the current task,
    // frees only when this has been called: it looks at `noticed`.
    unsafe {
        let shell = container_of!(Opaque::cast_from(head).cast_mut(), Shell<W>, notice);
        (*shell).noticed.store(false, Release);
    }
}

/// Whether the current thread has task work to do before it comes back for its own.
pub(crate) fn has_other_work(_task: WorkerTask<'_>) -> bool {
    // SAFETY: Reads a word of the current task, in any context of it.
    unsafe { bindings::raio_helper_task_work_pending() }
}

/// Whether all others of the current thread's process have gone, so that it keeps alive what has no
/// use.
pub(crate) fn is_left_alone(_task: WorkerTask<'_>) -> bool {
    // SAFETY: The current task is valid, and `_task` says that it is a worker, of a thread group
    // that the helper walks under RCU. It does not sleep.
    unsafe { bindings::raio_helper_is_left_alone(Task::current_raw()) }
}

/// # Safety
///
/// `shell` is that of the thread, which is the current task.
unsafe extern "C" fn run<W: Worker>(data: *mut c_void) -> bool {
    let shell = data.cast::<Shell<W>>();
    // SAFETY: By the requirement it is valid, and this thread alone frees it, in `end`, after which
    // `this` is not used.
    let this = unsafe { &*shell };
    this.task.store(Task::current_raw(), Release);
    let mut pause = None;
    if !this.ended.load(Relaxed) {
        // SAFETY: `vhost_task_fn()` calls this: the current task is a thread that
        // `vhost_task_create()` made, in process context, and holds no lock.
        match unsafe { WorkerTask::with(|task| this.worker.run(task)) } {
            Next::Again => {}
            Next::Sleep(deadline) => pause = Some(deadline),
            // It is itself: there is no other that refers to it.
            Next::End(thread) if ptr::eq(thread.0.as_ptr(), shell) => {
                this.ended.store(true, Relaxed)
            }
            // Another's, which can never end.
            Next::End(_) => {
                kernel::warn_on!(true);
            }
        }
    }
    let ended = this.ended.load(Relaxed);
    // SAFETY: All three are about the current task, in process context. It comes back here by way
    // of `get_signal()`, which runs task work if it is notified. What a request has dropped, an fput
    // say, waits there.
    unsafe {
        if bindings::raio_helper_task_work_pending() {
            // It may sleep.
            bindings::raio_helper_set_running();
            bindings::raio_helper_notify_current();
            if !ended {
                return true;
            }
        }
    }
    if ended {
        // SAFETY: `ended` says that nobody else refers to the shell. It is that of the current
        // task, which was not killed, as it runs this, and is in process context without locks.
        unsafe { end(shell) };
    } else if let Some(deadline) = pause {
        // In the state in which it looked for work: a wake since then ends it at once.
        wait::sleep(deadline);
    }
    set_running();
    true
}

/// Says that the current task is not about to sleep.
pub(crate) fn set_running() {
    // SAFETY: Writes the state of the current task, which only the task itself and who wakes it do.
    // TASK_RUNNING is right for whoever runs.
    unsafe { bindings::raio_helper_set_running() };
}

/// Whether the current task was killed.
pub(crate) fn is_killed() -> bool {
    // SAFETY: Reads pending signals of the current task, which any task has; any context.
    unsafe { bindings::raio_helper_fatal_signal_pending() }
}
