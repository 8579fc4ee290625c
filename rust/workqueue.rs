// SPDX-License-Identifier: GPL-2.0

//! The module's work queue. The kernel crate does not support owned work queues.
//!
//! C header: [`include/linux/workqueue.h`](srctree/include/linux/workqueue.h)

use super::bindings;
use core::ptr;
use kernel::{
    container_of,
    prelude::*,
    sync::{
        atomic::{
            ordering::{
                Full,
                Relaxed, //
            },
            Atomic, //
        },
        Arc, //
    },
    time::Jiffies,
    workqueue::{
        HasDelayedWork,
        Queue,
        Work,
        WorkItem, //
    }, //
};

static QUEUE: Atomic<*mut bindings::workqueue_struct> = Atomic::new(ptr::null_mut());

/// Owner of the module's work queue. Dropping this destroys the queue.
pub(crate) struct WorkQueue(());

impl WorkQueue {
    /// Creates the queue. ENOMEM on failure, EEXIST if there is one already. Process context.
    pub(crate) fn new(name: &'static CStr) -> Result<Self> {
        // SAFETY: The name is static, and printed by the helper's own format. By this function's
        // requirements the task may sleep.
        let queue = unsafe { bindings::raio_helper_alloc_workqueue(name.as_char_ptr()) };
        if queue.is_null() {
            return Err(ENOMEM);
        }
        if QUEUE.cmpxchg(ptr::null_mut(), queue, Full).is_err() {
            // SAFETY: The queue was just created, and nobody else has it. Process context, without
            // work to wait for.
            unsafe { bindings::destroy_workqueue(queue) };
            return Err(EEXIST);
        }
        Ok(WorkQueue(()))
    }
}

impl Drop for WorkQueue {
    /// Waits for queued work. Process context.
    fn drop(&mut self) {
        // SAFETY: `new` created the queue, and there is no other `WorkQueue`. The call sleeps: this
        // is dropped with the module, in process context without locks. Code that could queue work
        // keeps the module loaded, or is itself work that this waits for.
        unsafe { bindings::destroy_workqueue(QUEUE.load(Relaxed)) };
        QUEUE.store(ptr::null_mut(), Relaxed);
    }
}

/// Queues delayed work to run in `ticks`, even if it is already queued for a later time. `of` must
/// not be the last reference. Any context.
pub(crate) fn enqueue_by<T, const ID: u64>(of: Arc<T>, ticks: Jiffies)
where
    T: HasDelayedWork<T, ID> + WorkItem<ID, Pointer = Arc<T>>,
{
    let of = Arc::into_raw(of);
    // SAFETY: The reference keeps the object alive. `raw_get_work` returns the work inside its
    // delayed work, which was initialised with it. Both queues exist for as long as the module
    // runs. The call takes locks with interrupts off, and does not sleep: any context but an NMI.
    let waits = unsafe {
        let work = Work::raw_get(T::raw_get_work(of.cast_mut()));
        let work = container_of!(work, bindings::delayed_work, work);
        let cpu = bindings::wq_misc_consts_WORK_CPU_UNBOUND as c_int;
        bindings::mod_delayed_work_on(cpu, raw(), work, ticks)
    };
    if waits {
        // SAFETY: The work was already queued, with the reference from then, so the one from
        // `into_raw` above is still ours. It is not the last, as there is that other one.
        drop(unsafe { Arc::from_raw(of) });
    }
}

/// Takes delayed work off its timer or off the queue. Returns true if it was there, and will not
/// run.
pub(crate) fn cancel_delayed<T, const ID: u64>(of: &Arc<T>) -> bool
where
    T: HasDelayedWork<T, ID> + WorkItem<ID, Pointer = Arc<T>>,
{
    // SAFETY: `of` keeps the object alive. `raw_get_work` returns the work inside its delayed work,
    // which was initialised with it. The call takes locks with interrupts off, and does not wait
    // for a run.
    let cancelled = unsafe {
        let work = Work::raw_get(T::raw_get_work(Arc::as_ptr(of).cast_mut()));
        bindings::cancel_delayed_work(container_of!(work, bindings::delayed_work, work))
    };
    if cancelled {
        // SAFETY: When the work was queued, `into_raw` gave up a reference for the run that will
        // not happen, so it is taken back once. It is not the last, as there is `of`.
        drop(unsafe { Arc::from_raw(Arc::as_ptr(of)) });
    }
    cancelled
}

/// The module's work queue, or a queue of the kernel's if there is none.
fn raw() -> *mut bindings::workqueue_struct {
    let queue = QUEUE.load(Relaxed);
    if queue.is_null() {
        // SAFETY: The pointer is set when the kernel starts, and never changes: any context.
        unsafe { bindings::system_dfl_wq }
    } else {
        queue
    }
}

/// The module's work queue, as a [`Queue`] of the kernel crate.
pub(crate) fn queue() -> &'static Queue {
    // SAFETY: The kernel's queue exists since boot and is never destroyed. The module's queue
    // exists until the module is unloaded; callers keep the module loaded, or are work that
    // `WorkQueue::drop` waits for. Only a pointer is read, in any context.
    unsafe { Queue::from_raw(raw()) }
}
