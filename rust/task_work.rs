// SPDX-License-Identifier: GPL-2.0

//! What a task does on its way back to user space, or at the end of its exit.
//!
//! C header: [`include/linux/task_work.h`](srctree/include/linux/task_work.h)

use super::bindings;
use core::{
    cell::UnsafeCell,
    ptr, //
};
use kernel::{
    container_of,
    mm::Mm,
    module::this_module,
    prelude::*,
    sync::{
        atomic::{
            ordering::{
                Acquire,
                Release, //
            },
            Atomic, //
        },
        Arc, //
    },
    task::Task,
    types::Opaque, //
};

struct Work<F> {
    head: Opaque<bindings::callback_head>,
    run: F,
}

/// Calls `run` in the current task when it has done what it has to do already: the releases of
/// files whose last reference it has dropped, above all. At once if there is no memory.
///
/// Process context, in a task of a program.
pub(crate) fn after_others<F: FnOnce() + 'static>(run: F) {
    let Ok(place) = KBox::<Work<F>>::new_uninit(GFP_KERNEL) else {
        return run();
    };
    let head = Opaque::new(bindings::callback_head {
        func: Some(call::<F>),
        ..Default::default()
    });
    let work = KBox::into_raw(place.write(Work { head, run }));
    // SAFETY: `work` is valid, and is no longer ours if it was added. The module's text is in use
    // here, so that one more reference may be taken; `call` gives it back.
    unsafe {
        bindings::__module_get(this_module::<crate::LocalModule>().as_ptr());
        let head = Opaque::cast_into(&raw const (*work).head);
        let mode = bindings::task_work_notify_mode_TWA_RESUME;
        if bindings::task_work_add(Task::current_raw(), head, mode) != 0 {
            // The task does no such work any more.
            call::<F>(head);
        }
    }
}

/// # Safety
///
/// `head` is that of a `Work<F>` which was given up for this call, the only one.
unsafe extern "C" fn call<F: FnOnce()>(head: *mut bindings::callback_head) {
    // SAFETY: By the requirement, `head` lies in the `Opaque` of a boxed `Work<F>`.
    let work = unsafe {
        KBox::from_raw(container_of!(
            Opaque::cast_from(head).cast_mut(),
            Work<F>,
            head
        ))
    };
    (KBox::into_inner(work).run)();
    // SAFETY: `after_others` took this reference. The instructions that are left are covered by
    // `TextInUse`.
    unsafe { bindings::module_put(this_module::<crate::LocalModule>().as_ptr()) };
}

/// Work of an object that one task at a time is to do; there is no allocation for each time.
pub(crate) struct TaskWork<T> {
    head: Opaque<bindings::callback_head>,
    /// The object, as `Arc::into_raw()` gave it, while there is a task.
    of: UnsafeCell<*const T>,
    /// Who is to do it; NULL if nobody is. Who sets it has the rest.
    task: Atomic<*mut bindings::task_struct>,
}

// SAFETY: It refers to an object that may be sent and shared.
unsafe impl<T: Send + Sync> Send for TaskWork<T> {}
// SAFETY: As above; what is not atomic has one user at a time, see `task`.
unsafe impl<T: Send + Sync> Sync for TaskWork<T> {}

/// An object with such work.
pub(crate) trait TaskWorkItem: Send + Sync + Sized + 'static {
    /// The work, a field of the object.
    fn task_work(&self) -> &TaskWork<Self>;

    /// Does it. Process context; the task may exit.
    fn run(this: Arc<Self>);
}

impl<T> TaskWork<T> {
    /// Nobody's.
    pub(crate) const fn new() -> Self {
        TaskWork {
            head: Opaque::zeroed(),
            of: UnsafeCell::new(ptr::null()),
            task: Atomic::new(ptr::null_mut()),
        }
    }
}

/// Whether the current task, in whatever it does, is a program's and goes back to it, in the
/// address space `mm`. Any context.
pub(crate) fn goes_back_to(mm: &Mm) -> bool {
    // SAFETY: Looks at the current task, and compares `mm` alone.
    unsafe { bindings::raio_helper_goes_back_to(mm.as_raw()) }
}

/// Has the work of `of` done by the current task before it is back in user space, or at the end of
/// its exit. False if it will not: another task is to do it, or it does no such work any more.
///
/// Any context in which [`goes_back_to`] said yes.
pub(crate) fn enqueue<T: TaskWorkItem>(of: Arc<T>) -> bool {
    let task = Task::current_raw();
    let work = of.task_work();
    let offset = ptr::from_ref(work)
        .addr()
        .wrapping_sub(Arc::as_ptr(&of).addr());
    if offset >= size_of::<T>() {
        // It might not live as long as the object.
        return false;
    }
    if let Err(other) = work.task.cmpxchg(ptr::null_mut(), task, Acquire) {
        return ptr::eq(other, task);
    }
    let work = ptr::from_ref(work);
    // SAFETY: The work is in the object, which lives until `call_item` has the reference back. It
    // is ours until then, by its `task`. The module's text is in use here, so that one more
    // reference may be taken; `call_item` gives it back.
    unsafe {
        *(*work).of.get() = Arc::into_raw(of);
        let head = (*work).head.get();
        (*head).func = Some(call_item::<T>);
        bindings::__module_get(this_module::<crate::LocalModule>().as_ptr());
        let mode = bindings::task_work_notify_mode_TWA_RESUME;
        if bindings::task_work_add(task, head, mode) == 0 {
            return true;
        }
        let of = *(*work).of.get();
        (*work).task.store(ptr::null_mut(), Release);
        drop(Arc::from_raw(of));
        bindings::module_put(this_module::<crate::LocalModule>().as_ptr());
    }
    false
}

/// # Safety
///
/// `head` is that of a [`TaskWork`] which [`enqueue`] gave to the current task, for this call.
unsafe extern "C" fn call_item<T: TaskWorkItem>(head: *mut bindings::callback_head) {
    // SAFETY: By the requirement, `head` lies in the `Opaque` of a work that is the task's, and
    // holds a reference. The kernel does not look at it any more.
    let of = unsafe {
        let work = container_of!(Opaque::cast_from(head).cast_mut(), TaskWork<T>, head);
        let of = *(*work).of.get();
        (*work).task.store(ptr::null_mut(), Release);
        Arc::from_raw(of)
    };
    T::run(of);
    // SAFETY: `enqueue` took this reference. The instructions that are left are covered by
    // `TextInUse`.
    unsafe { bindings::module_put(this_module::<crate::LocalModule>().as_ptr()) };
}
