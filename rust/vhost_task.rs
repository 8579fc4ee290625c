// SPDX-License-Identifier: GPL-2.0

//! Threads that the kernel creates in a process: they share its address space, signals, namespaces,
//! limits and cgroups, and die with it.
//!
//! `vhost_task_stop()` waits for the thread, which may be stopped, traced or frozen for any length
//! of time. So nobody calls it for another thread. A thread ends by itself, when [`Worker::run`]
//! says so or when it is killed, and only its own process waits for that. A killed thread calls
//! `vhost_task_stop()` for itself, in its last task work, where it does not wait.
//!
//! C headers: [`include/linux/sched/vhost_task.h`](srctree/include/linux/sched/vhost_task.h),
//! [`include/linux/task_work.h`](srctree/include/linux/task_work.h)

mod end;

use super::{
    bindings,
    bug::warn_on,
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

/// What the thread does after [`Worker::run`].
pub(crate) enum Next<W: Worker> {
    /// It calls [`Worker::run`] again.
    Again,
    /// It sleeps until it is woken or the deadline passes.
    Sleep(Deadline),
    /// It ends. The value is the thread's own: nobody else refers to it any more.
    End(Thread<W>),
}

/// The work of a thread.
pub(crate) trait Worker: Send + Sync + Sized + 'static {
    /// Does one piece of work.
    ///
    /// Process context, in state TASK_INTERRUPTIBLE: the implementation must call [`set_running`]
    /// before it does anything that may sleep. A wake after it looked for work ends the
    /// [`Next::Sleep`]. Not called any more after [`Next::End`].
    fn run(&self, task: WorkerTask<'_>) -> Next<Self>;

    /// The thread was killed, and will not run any more. Returns the thread's own [`Thread`], so
    /// that nobody else refers to it; without that, the thread's memory is never freed. Not called
    /// after [`Next::End`]. Process context, may sleep; a fault or wait here delays the end of the
    /// process.
    fn killed(&self, task: WorkerTask<'_>) -> Option<Thread<Self>>;
}

/// The data of a thread, which the thread frees.
struct Shell<W> {
    worker: Arc<W>,
    /// The result of `vhost_task_create()`.
    vhost: Atomic<*mut bindings::vhost_task>,
    /// The task of the thread, from its first run on.
    task: Atomic<*mut bindings::task_struct>,
    /// Task work that ends a sleep of the thread.
    notice: Opaque<bindings::callback_head>,
    /// Whether `notice` is queued.
    noticed: AtomicFlag,
    started: AtomicFlag,
    /// There is no [`Thread`] of it any more. Only the thread uses this flag.
    ended: AtomicFlag,
    /// The last task work of a killed thread.
    last: Opaque<bindings::callback_head>,
    module: Option<ModuleRef>,
}

/// A thread of the process that created it. Each thread has exactly one `Thread`, which it must
/// have got back in order to end.
///
/// # Invariants
///
/// `self.0` points to the shell of a thread that has been created. Only the thread frees shell and
/// `vhost_task`, after it got this one value back. So both are valid as long as this exists.
pub(crate) struct Thread<W: Worker>(NonNull<Shell<W>>);

// SAFETY: A `Thread` is bound to no task: any task may call its methods, and the invariants keep
// valid what they use. Only its own thread frees the shell, and must have got this value back
// before.
unsafe impl<W: Worker> Send for Thread<W> {}
// SAFETY: The methods use atomics of the shell, and C functions that may be called concurrently.
unsafe impl<W: Worker> Sync for Thread<W> {}

/// Whether this kernel supports such threads.
pub(crate) fn supported() -> bool {
    // SAFETY: The helper returns a constant of the configuration. It has no requirements: any
    // context.
    unsafe { bindings::raio_helper_has_vhost_tasks() }
}

impl<W: Worker> Thread<W> {
    /// Creates a thread of the current process, which waits for [`Self::start`].
    ///
    /// ERESTARTNOINTR if a signal is pending; EAGAIN beyond RLIMIT_NPROC and the like; EINVAL,
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
        // SAFETY: Only the thread frees the shell, so it outlives its use as data. The name is
        // static. `_task` proves that the current task, which is copied, is an ordinary one of a
        // program, and may sleep.
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
                // INVARIANT: The thread was just created.
                Ok(Thread(shell))
            }
            Err(e) => {
                // SAFETY: There is no thread, so the box that was leaked above is still ours alone.
                drop(unsafe { KBox::from_raw(shell.as_ptr()) });
                Err(e)
            }
        }
    }

    /// This kernel does not support such threads.
    #[cfg(not(CONFIG_VHOST_TASK))]
    pub(crate) fn create(
        _task: FullTask<'_>,
        _worker: Arc<W>,
        _name: &'static CStr,
    ) -> Result<Self> {
        Err(EINVAL)
    }

    /// Starts the thread, once. Any context.
    pub(crate) fn start(&self) {
        // SAFETY: By the invariants shell and `vhost_task` are valid. `vhost_task_start()` requires
        // a new task: `started` lets only one caller through. It takes locks of the scheduler only,
        // with interrupts off, and does not sleep.
        unsafe {
            let shell = self.0.as_ref();
            if !shell.started.xchg(true, Full) {
                #[cfg(CONFIG_VHOST_TASK)]
                bindings::vhost_task_start(shell.vhost.load(Acquire));
            }
        }
    }

    /// Wakes the thread if it sleeps for lack of work. Any context.
    pub(crate) fn wake(&self) {
        #[cfg(CONFIG_VHOST_TASK)]
        // SAFETY: By the invariants shell and `vhost_task` are valid, and the `vhost_task` has a
        // reference to its task. `wake_up_process()` wakes that, in any context.
        unsafe {
            bindings::vhost_task_wake(self.0.as_ref().vhost.load(Acquire));
        }
    }

    /// Ends an interruptible sleep of the thread inside a call into a file. Returns false if the
    /// thread is in an uninterruptible sleep, or has not run yet.
    ///
    /// Any context.
    pub(crate) fn interrupt(&self) -> bool {
        // SAFETY: By the invariants the shell is valid; only atomics of it are used.
        let shell = unsafe { self.0.as_ref() };
        let task = shell.task.load(Acquire);
        if task.is_null() {
            return false;
        }
        // SAFETY: The `vhost_task`, valid by the invariants, has a reference to the task. The state
        // may change, and is read once, before the wake. Any context.
        let interruptible = !unsafe { bindings::raio_helper_is_uninterruptible(task) };
        if !shell.noticed.xchg(true, Full) {
            // SAFETY: The callback is not queued, see `noticed`. It lies in the shell, which the
            // thread does not free while it is queued. The `vhost_task` has a reference to the
            // task. TWA_SIGNAL wakes the task from an interruptible sleep, and takes locks of the
            // scheduler only, so this may be called under a spinlock with interrupts off.
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

    /// The task of the thread, once it has run. Any context.
    fn task(&self) -> Option<&Task> {
        // SAFETY: By the invariants the shell is valid; `task` is atomic.
        let task = NonNull::new(unsafe { self.0.as_ref() }.task.load(Acquire))?;
        // SAFETY: The `vhost_task`, valid by the invariants while `self` is borrowed, has a
        // reference to the task. `Task` is a transparent wrapper.
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

/// The callback of [`Shell::notice`].
///
/// # Safety
///
/// `head` is the `notice` of the current task's shell, queued once.
unsafe extern "C" fn notice<W: Worker>(head: *mut bindings::callback_head) {
    // SAFETY: By this function's requirements `head` lies in the shell of the current task, which
    // is the thread. The thread checks `noticed`, and frees the shell only after this call.
    unsafe {
        let shell = container_of!(Opaque::cast_from(head).cast_mut(), Shell<W>, notice);
        (*shell).noticed.store(false, Release);
    }
}

/// Whether the current thread has pending task work, which it must do before it returns to its own.
pub(crate) fn has_other_work(_task: WorkerTask<'_>) -> bool {
    // SAFETY: Reads a word of the current task, in any context of it.
    unsafe { bindings::raio_helper_task_work_pending() }
}

/// Whether all other tasks of the current thread's process have gone, so that the thread only keeps
/// alive what nobody uses.
pub(crate) fn is_left_alone(_task: WorkerTask<'_>) -> bool {
    // SAFETY: The current task is valid. `_task` proves that it is a worker, of a thread group that
    // the helper walks under RCU. The helper does not sleep.
    unsafe { bindings::raio_helper_is_left_alone(Task::current_raw()) }
}

/// The function that `vhost_task_fn()` calls in a loop.
///
/// # Safety
///
/// `data` is the shell of the thread, which is the current task.
unsafe extern "C" fn run<W: Worker>(data: *mut c_void) -> bool {
    let shell = data.cast::<Shell<W>>();
    // SAFETY: By this function's requirements the shell is valid. Only this thread frees it, in
    // `end`, after which `this` is not used.
    let this = unsafe { &*shell };
    this.task.store(Task::current_raw(), Release);
    let mut pause = None;
    if !this.ended.load(Relaxed) {
        // SAFETY: `vhost_task_fn()` calls this: the current task is a thread that
        // `vhost_task_create()` created, in process context, and holds no lock.
        match unsafe { WorkerTask::with(|task| this.worker.run(task)) } {
            Next::Again => {}
            Next::Sleep(deadline) => pause = Some(deadline),
            // This is the thread's own: nobody else refers to it any more.
            Next::End(thread) if ptr::eq(thread.0.as_ptr(), shell) => {
                this.ended.store(true, Relaxed)
            }
            // This belongs to another thread, which can now never end.
            Next::End(_) => {
                warn_on(true);
            }
        }
    }
    let ended = this.ended.load(Relaxed);
    // SAFETY: All three helpers act on the current task, in process context. After a notification
    // the task passes `get_signal()`, which runs task work, and comes back here. Releases that a
    // request has caused, such as an fput, wait there.
    unsafe {
        if bindings::raio_helper_task_work_pending() {
            // Task work may sleep.
            bindings::raio_helper_set_running();
            bindings::raio_helper_notify_current();
            if !ended {
                return true;
            }
        }
    }
    if ended {
        // SAFETY: `ended` says that nobody else refers to the shell. It is that of the current
        // task. The task was not killed, as it runs this, and is in process context without locks.
        unsafe { end(shell) };
    } else if let Some(deadline) = pause {
        // The task is still in the state in which it looked for work: a wake since then ends the
        // sleep at once.
        wait::sleep(deadline);
    }
    set_running();
    true
}

/// Sets the state of the current task to running: it is not about to sleep.
pub(crate) fn set_running() {
    // SAFETY: Writes the state of the current task, which only the task itself and its wakers
    // write. TASK_RUNNING is right for a task that runs.
    unsafe { bindings::raio_helper_set_running() };
}

/// Whether the current task was killed.
pub(crate) fn is_killed() -> bool {
    // SAFETY: Reads the pending signals of the current task, which any task has. Any context.
    unsafe { bindings::raio_helper_fatal_signal_pending() }
}
