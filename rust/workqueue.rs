// SPDX-License-Identifier: GPL-2.0

//! The module's work queue. The kernel crate has no owned ones.
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

/// The module's work queue, while this lives.
pub(crate) struct WorkQueue(());

impl WorkQueue {
    /// Makes the queue. ENOMEM if it can't, EEXIST if there is one. Process context.
    pub(crate) fn new(name: &'static CStr) -> Result<Self> {
        // SAFETY: The name is static, and printed by a format of the helper's own. By this
        // function's terms the task may sleep.
        let queue = unsafe { bindings::raio_helper_alloc_workqueue(name.as_char_ptr()) };
        if queue.is_null() {
            return Err(ENOMEM);
        }
        if QUEUE.cmpxchg(ptr::null_mut(), queue, Full).is_err() {
            // SAFETY: It was just made, and nobody else has it. Process context, no work to wait
            // for.
            unsafe { bindings::destroy_workqueue(queue) };
            return Err(EEXIST);
        }
        Ok(WorkQueue(()))
    }
}

impl Drop for WorkQueue {
    /// Waits for what is queued. Process context.
    fn drop(&mut self) {
        // SAFETY: `new` made it, and there is no other `WorkQueue`. It sleeps: this is dropped with
        // the module, in process context without locks. Whoever could queue work keeps the module,
        // or is work that this waits for.
        unsafe { bindings::destroy_workqueue(QUEUE.load(Relaxed)) };
        QUEUE.store(ptr::null_mut(), Relaxed);
    }
}

/// Queues delayed work for `ticks` from now, also if it waits for later. Any context; the reference
/// is not the last.
pub(crate) fn enqueue_by<T, const ID: u64>(of: Arc<T>, ticks: Jiffies)
where
    T: HasDelayedWork<T, ID> + WorkItem<ID, Pointer = Arc<T>>,
{
    let of = Arc::into_raw(of);
    // SAFETY: The object is alive by the reference, `raw_get_work` gives the work inside its
    // delayed work, which was initialised with it, and both queues are there for as long as the
    // module runs. It takes locks with interrupts off, and does not sleep: any context but an NMI.
    let waits = unsafe {
        let work = Work::raw_get(T::raw_get_work(of.cast_mut()));
        let work = container_of!(work, bindings::delayed_work, work);
        let cpu = bindings::wq_misc_consts_WORK_CPU_UNBOUND as c_int;
        bindings::mod_delayed_work_on(cpu, raw(), work, ticks)
    };
    if waits {
        // SAFETY: It waited, with the reference from when it was queued first, so this one is ours
        // still, by `into_raw` above. It is not the last, as that is there.
        drop(unsafe { Arc::from_raw(of) });
    }
}

/// Takes delayed work off its timer, or off the queue; true if it was there, and will not run.
pub(crate) fn cancel_delayed<T, const ID: u64>(of: &Arc<T>) -> bool
where
    T: HasDelayedWork<T, ID> + WorkItem<ID, Pointer = Arc<T>>,
{
    // SAFETY: The object is alive by `of`, and `raw_get_work` gives the work inside its delayed
    // work, which was initialised with it. It takes locks with interrupts off, and does not wait
    // for a run.
    let cancelled = unsafe {
        let work = Work::raw_get(T::raw_get_work(Arc::as_ptr(of).cast_mut()));
        bindings::cancel_delayed_work(container_of!(work, bindings::delayed_work, work))
    };
    if cancelled {
        // SAFETY: Who queued it gave a reference by `into_raw`, for the run that will not be: so it
        // is taken back once. It is not the last, as there is `of`.
        drop(unsafe { Arc::from_raw(Arc::as_ptr(of)) });
    }
    cancelled
}

/// The module's work queue, or the system's while there is none.
fn raw() -> *mut bindings::workqueue_struct {
    let queue = QUEUE.load(Relaxed);
    if queue.is_null() {
        // SAFETY: A pointer that is set when the kernel starts, and never changes: any context.
        unsafe { bindings::system_dfl_wq }
    } else {
        queue
    }
}

/// As a kernel's own.
pub(crate) fn queue() -> &'static Queue {
    // SAFETY: The system's queue is there since boot and never destroyed. The module's is, when the
    // module goes: callers keep that, or are work that `WorkQueue::drop` waits for. No more than a
    // pointer is read, in any context.
    unsafe { Queue::from_raw(raw()) }
}
