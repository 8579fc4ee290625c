// SPDX-License-Identifier: GPL-2.0

//! The module's work queue. The kernel crate has no owned ones.
//!
//! C header: [`include/linux/workqueue.h`](srctree/include/linux/workqueue.h)

use super::bindings;
use core::ptr;
use kernel::{
    prelude::*,
    sync::atomic::{
        ordering::Relaxed,
        Atomic, //
    },
    workqueue::Queue, //
};

static QUEUE: Atomic<*mut bindings::workqueue_struct> = Atomic::new(ptr::null_mut());

/// The module's work queue, while this lives.
pub(crate) struct WorkQueue(());

impl WorkQueue {
    /// Makes the queue. ENOMEM if it can't, EEXIST if there is one. Process context.
    pub(crate) fn new(name: &'static CStr) -> Result<Self> {
        if !QUEUE.load(Relaxed).is_null() {
            return Err(EEXIST);
        }
        // SAFETY: The name is static.
        let queue = unsafe { bindings::raio_helper_alloc_workqueue(name.as_char_ptr()) };
        if queue.is_null() {
            return Err(ENOMEM);
        }
        QUEUE.store(queue, Relaxed);
        Ok(WorkQueue(()))
    }
}

impl Drop for WorkQueue {
    /// Waits for what is queued. Process context.
    fn drop(&mut self) {
        // SAFETY: `new` made it. It is dropped with the module: whoever could queue work keeps
        // the module, or is work that this waits for.
        unsafe { bindings::destroy_workqueue(QUEUE.load(Relaxed)) };
        QUEUE.store(ptr::null_mut(), Relaxed);
    }
}

/// The module's work queue, or the system's while there is none.
pub(crate) fn queue() -> &'static Queue {
    let queue = QUEUE.load(Relaxed);
    // SAFETY: The system's queue is never destroyed, and the module's is when nobody can call
    // this any more, see `WorkQueue::drop`.
    unsafe {
        Queue::from_raw(if queue.is_null() {
            bindings::system_dfl_wq
        } else {
            queue
        })
    }
}
