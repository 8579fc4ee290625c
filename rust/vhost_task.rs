// SPDX-License-Identifier: GPL-2.0

//! Kernel threads of a process: they share its address space, signals, namespaces, limits and
//! cgroups, and die with it.
//!
//! C header: [`include/linux/sched/vhost_task.h`](srctree/include/linux/sched/vhost_task.h)

use super::bindings;
use core::{
    mem::ManuallyDrop,
    ptr::{
        self,
        NonNull, //
    }, //
};
use kernel::{
    error::from_err_ptr,
    prelude::*,
    sync::{
        atomic::{
            ordering::{
                Acquire,
                Relaxed,
                Release, //
            },
            Atomic,
            AtomicFlag, //
        },
        Arc, //
    },
    task::Task, //
};

/// What a thread does.
pub(crate) trait Worker: Send + Sync + 'static {
    /// Does one piece of work; false if there is none, and the thread sleeps until it is woken.
    ///
    /// In process context, in the state TASK_INTERRUPTIBLE: it must call [`set_running`] before it
    /// does something that may sleep.
    fn run(&self) -> bool;

    /// The thread is killed, and will not run any more. May not sleep.
    fn killed(&self);
}

/// What the thread itself sees.
struct Shell<W> {
    worker: Arc<W>,
    /// The thread, from its first run on.
    task: Atomic<*mut bindings::task_struct>,
}

/// A thread of the process that created it. It must be ended by [`Self::stop`].
///
/// # Invariants
///
/// `task` was made by `vhost_task_create()` for `shell`, and not stopped.
pub(crate) struct Thread<W: Worker> {
    task: NonNull<bindings::vhost_task>,
    // Not freed under the thread, should nobody stop it.
    shell: ManuallyDrop<Pin<KBox<Shell<W>>>>,
    started: AtomicFlag,
}

// SAFETY: A thread may be woken and stopped by any task.
unsafe impl<W: Worker> Send for Thread<W> {}
// SAFETY: As above, waking at the same time.
unsafe impl<W: Worker> Sync for Thread<W> {}

/// Whether this kernel has such threads.
pub(crate) fn supported() -> bool {
    // SAFETY: Reads the configuration.
    unsafe { bindings::raio_helper_has_vhost_tasks() }
}

impl<W: Worker> Thread<W> {
    /// Creates a thread of the current process; it begins with [`Self::start`].
    ///
    /// ERESTARTNOINTR if a signal is pending; EAGAIN beyond RLIMIT_NPROC and the like, EINVAL,
    /// ENOMEM. Process context of an ordinary task.
    #[cfg(CONFIG_VHOST_TASK)]
    pub(crate) fn create(worker: Arc<W>, name: &'static CStr) -> Result<Self> {
        let shell = KBox::pin(
            Shell {
                worker,
                task: Atomic::new(ptr::null_mut()),
            },
            GFP_KERNEL_ACCOUNT,
        )?;
        // SAFETY: The shell lives until `stop` has seen the thread end. The name is static.
        let task = from_err_ptr(unsafe {
            bindings::vhost_task_create(
                Some(run::<W>),
                Some(killed::<W>),
                ptr::from_ref(&*shell).cast_mut().cast(),
                name.as_char_ptr(),
            )
        })?;
        // INVARIANT: It was just created.
        Ok(Thread {
            task: NonNull::new(task).ok_or(ENOMEM)?,
            shell: ManuallyDrop::new(shell),
            started: AtomicFlag::new(false),
        })
    }

    /// This kernel has no such threads.
    #[cfg(not(CONFIG_VHOST_TASK))]
    pub(crate) fn create(_worker: Arc<W>, _name: &'static CStr) -> Result<Self> {
        Err(EINVAL)
    }

    /// Starts it, once. Any context.
    pub(crate) fn start(&self) {
        if self.started.xchg(true, Relaxed) {
            return;
        }
        #[cfg(CONFIG_VHOST_TASK)]
        // SAFETY: By the invariants.
        unsafe {
            bindings::vhost_task_start(self.task.as_ptr())
        };
    }

    /// Wakes it if it sleeps for want of work. Any context.
    pub(crate) fn wake(&self) {
        #[cfg(CONFIG_VHOST_TASK)]
        // SAFETY: By the invariants; the task is kept until it is stopped.
        unsafe {
            bindings::vhost_task_wake(self.task.as_ptr())
        };
    }

    /// Whether it is stopped or frozen, as its process may be: then it ends only after that. Any
    /// context.
    pub(crate) fn is_stopped(&self) -> bool {
        let task = self.shell.task.load(Acquire);
        // SAFETY: The task is kept until it is stopped.
        !task.is_null() && unsafe { bindings::raio_helper_is_stopped(task) }
    }

    /// Whether all others of its process have gone, so that it keeps alive what has no use. Any
    /// context.
    pub(crate) fn is_left_alone(&self) -> bool {
        let task = self.shell.task.load(Acquire);
        // SAFETY: The task is kept until it is stopped.
        !task.is_null() && unsafe { bindings::raio_helper_is_left_alone(task) }
    }

    /// Ends an interruptible sleep of it, inside a call into a file. Any context.
    pub(crate) fn interrupt(&self) {
        let task = self.shell.task.load(Acquire);
        if !task.is_null() {
            // SAFETY: The task is kept until it is stopped.
            unsafe { bindings::raio_helper_notify_signal(task) };
        }
    }

    /// Ends it, and waits for that. Process context; not the thread itself, and a started one.
    pub(crate) fn stop(self) {
        #[cfg(CONFIG_VHOST_TASK)]
        // SAFETY: By the invariants, and it is given up.
        unsafe {
            bindings::vhost_task_stop(self.task.as_ptr())
        };
        // The shell goes after it.
        drop(ManuallyDrop::into_inner(self.shell));
    }
}

/// # Safety
///
/// `shell` is that of the thread, which is the current task.
unsafe extern "C" fn run<W: Worker>(shell: *mut c_void) -> bool {
    // SAFETY: By the requirement.
    let shell = unsafe { &*shell.cast::<Shell<W>>() };
    shell.task.store(Task::current_raw(), Release);
    let worked = shell.worker.run();
    // SAFETY: The current task is a thread that comes back here by way of `get_signal()`, which
    // runs task work, if it is notified. What a request let go of, an fput say, waits there.
    unsafe {
        if bindings::raio_helper_task_work_pending() {
            // It may sleep.
            bindings::raio_helper_set_running();
            bindings::raio_helper_notify_signal(Task::current_raw());
            return true;
        }
    }
    worked
}

/// # Safety
///
/// `shell` is that of the thread.
unsafe extern "C" fn killed<W: Worker>(shell: *mut c_void) {
    // SAFETY: By the requirement.
    unsafe { &*shell.cast::<Shell<W>>() }.worker.killed();
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
