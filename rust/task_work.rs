// SPDX-License-Identifier: GPL-2.0

//! Work that a task does on its way back to user space, or at the end of its exit.
//!
//! C header: [`include/linux/task_work.h`](srctree/include/linux/task_work.h)

use super::{
    bindings,
    compat,
    task::FullTask, //
};
use core::{
    cell::UnsafeCell,
    ptr, //
};
use kernel::{
    container_of,
    mm::Mm,
    prelude::*,
    sync::{
        aref::ARef,
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

/// Has the current task call `run` after its other pending task work, above all the release of
/// files whose last reference it has dropped. Calls `run` at once if there is no memory.
///
/// Process context, in a task of a program. The caller is itself task work, such as the release of
/// a file, so `run` comes after the current batch. A kernel thread would call `run` at its own end,
/// if ever.
pub(crate) fn after_others<F: FnOnce() + 'static>(run: F) {
    let Ok(place) = KBox::<Work<F>>::new_uninit(GFP_KERNEL) else {
        return run();
    };
    let head = Opaque::new(bindings::callback_head {
        func: Some(call::<F>),
        ..Default::default()
    });
    let work = KBox::into_raw(place.write(Work { head, run }));
    // SAFETY: `work` is valid. If it was added it is no longer ours, and the current task calls
    // `call` once; otherwise we do. `task_work_add()` may be called in any context of a task but an
    // NMI. The module is in use here, so one more reference may be taken; `call` gives it back.
    unsafe {
        bindings::__module_get(compat::this_module());
        let head = Opaque::cast_into(&raw const (*work).head);
        let mode = bindings::task_work_notify_mode_TWA_RESUME;
        if bindings::task_work_add(Task::current_raw(), head, mode) != 0 {
            // The task has already done its last task work.
            call::<F>(head);
        }
    }
}

/// # Safety
///
/// `head` belongs to a `Work<F>` that was given up for this call, which is the only one.
unsafe extern "C" fn call<F: FnOnce()>(head: *mut bindings::callback_head) {
    // SAFETY: By this function's requirements `head` lies in the `Opaque` of a boxed `Work<F>`,
    // which is ours now. The kernel has taken it off its list. The current task is the one that
    // created the work, so `run` need not be `Send`.
    let work = unsafe {
        KBox::from_raw(container_of!(
            Opaque::cast_from(head).cast_mut(),
            Work<F>,
            head
        ))
    };
    (KBox::into_inner(work).run)();
    // SAFETY: `after_others` took this reference, for this call. `TextInUse` covers the remaining
    // instructions. This is an atomic: any context.
    unsafe { bindings::module_put(compat::this_module()) };
}

/// Work on an object that one task at a time does, without an allocation for each time.
pub(crate) struct TaskWork<T, const ID: u32> {
    head: Opaque<bindings::callback_head>,
    /// The object, from `Arc::into_raw()`, while the work is queued.
    of: UnsafeCell<*const T>,
    /// The task that has the work: NULL for none, and [`SOMEBODY`] if it is unknown which. Whoever
    /// sets it owns the other fields.
    task: Atomic<*mut bindings::task_struct>,
}

/// Some task of the process.
const SOMEBODY: *mut bindings::task_struct = ptr::without_provenance_mut(1);

// SAFETY: The work is bound to no task, and the object that it may refer to may be sent and shared.
unsafe impl<T: Send + Sync, const ID: u32> Send for TaskWork<T, ID> {}
// SAFETY: A shared reference only uses `task`, which is an atomic. `head` and `of` are used only by
// whoever has set `task`, one at a time.
unsafe impl<T: Send + Sync, const ID: u32> Sync for TaskWork<T, ID> {}

/// An object with task work.
pub(crate) trait TaskWorkItem<const ID: u32>: Send + Sync + Sized + 'static {
    /// The work, a field of the object.
    fn task_work(&self) -> &TaskWork<Self, ID>;

    /// The address space whose tasks may do the work.
    fn mm(&self) -> &Mm;

    /// Does the work. Process context. `task` is `None` if the task exits, or has left the process
    /// by exec.
    fn run(this: Arc<Self>, task: Option<FullTask<'_>>);
}

impl<T, const ID: u32> TaskWork<T, ID> {
    /// Creates work that no task has.
    pub(crate) const fn new() -> Self {
        TaskWork {
            head: Opaque::zeroed(),
            of: UnsafeCell::new(ptr::null()),
            task: Atomic::new(ptr::null_mut()),
        }
    }
}

/// Whether the current task is a task of a program in address space `mm` and returns to user space.
/// It may be in any context, such as an interrupt.
pub(crate) fn goes_back_to(mm: &Mm) -> bool {
    // SAFETY: Reads words of the current task that only the task itself changes. `mm` is only
    // compared. Any context.
    unsafe { bindings::raio_helper_goes_back_to(mm.as_raw()) }
}

/// Calls `f`, with a token if the current task is a task of a program that runs in `mm` and is not
/// about to exit.
///
/// # Safety
///
/// If this is the context of a task, it is process context without locks, and not inside a system
/// call that holds a file from `fdget_pos()`: an ioctl, fadvise64, the release of a file, or task
/// work.
pub(super) unsafe fn with_full_task<R>(mm: &Mm, f: impl FnOnce(Option<FullTask<'_>>) -> R) -> R {
    // SAFETY: `mm` is only compared, and the current task's own words are read, in any context. If
    // the helper returns true, this is a task of a program that has files and is not about to exit.
    // The remaining requirements of a `FullTask` are those of this function, until `f` has
    // returned.
    unsafe {
        if bindings::raio_helper_is_full_task_of(mm.as_raw()) {
            FullTask::with(|task| f(Some(task)))
        } else {
            f(None)
        }
    }
}

/// Has the current task do the work of `of` before it returns to user space, or at the end of its
/// exit. Returns false if it will not: another task already has the work, or the current task has
/// done its last task work.
///
/// Any context in which [`goes_back_to`] returned true.
pub(crate) fn enqueue<T: TaskWorkItem<ID>, const ID: u32>(of: Arc<T>) -> bool {
    let task = Task::current_raw();
    // SAFETY: The current task is valid, and `give` guarantees that `head` is initialised and on no
    // list. The call is an atomic and sets a flag of the task: any context of it but an NMI.
    let add = |head| unsafe {
        bindings::task_work_add(task, head, bindings::task_work_notify_mode_TWA_RESUME) == 0
    };
    match give(of, task, add) {
        Ok(()) => true,
        Err(other) => ptr::eq(other, task),
    }
}

/// Has an ordinary task of the process of `task`, or another one that runs in the same memory, do
/// the work of `of`. An interruptible sleep of that task is interrupted. Returns false if there is
/// no such task. Any context.
pub(crate) fn enqueue_signal<T: TaskWorkItem<ID>, const ID: u32>(of: Arc<T>, task: &Task) -> bool {
    let mm = of.mm().as_raw();
    // SAFETY: `task` is valid, as it is borrowed, and the address space is that of `of`, which
    // `give` keeps. `give` guarantees that `head` is initialised and on no list. The helper walks
    // threads under RCU. To interrupt one it takes locks of the scheduler only, with interrupts
    // off: any context in which none of these is held.
    let add = |head| unsafe { bindings::raio_helper_task_work_of(task.as_ptr(), mm, head) };
    match give(of, SOMEBODY, add) {
        Ok(()) => true,
        Err(other) => !other.is_null(),
    }
}

/// Gives the work of `of` to a task by calling `add`. On failure returns the task that already has
/// the work, or NULL if `add` found none.
fn give<T: TaskWorkItem<ID>, const ID: u32>(
    of: Arc<T>,
    whom: *mut bindings::task_struct,
    add: impl FnOnce(*mut bindings::callback_head) -> bool,
) -> Result<(), *mut bindings::task_struct> {
    let work = of.task_work();
    let offset = ptr::from_ref(work)
        .addr()
        .wrapping_sub(Arc::as_ptr(&of).addr());
    if offset >= size_of::<T>() {
        // This work is not in the object, so it might not live as long.
        return Err(ptr::null_mut());
    }
    work.task.cmpxchg(ptr::null_mut(), whom, Acquire)?;
    let work = ptr::from_ref(work);
    // SAFETY: The work lies in the object, which lives until `call_item`, or this function, has got
    // the reference back. The `cmpxchg` set `task`, so the work is ours until `add` returns true;
    // after that this function does not access it. The module is in use here, so one more reference
    // may be taken; `call_item` or this function gives it back. `add` may be called in the context
    // of our callers.
    unsafe {
        *(*work).of.get() = Arc::into_raw(of);
        let head = (*work).head.get();
        (*head).func = Some(call_item::<T, ID>);
        bindings::__module_get(compat::this_module());
        if add(head) {
            return Ok(());
        }
        let of = *(*work).of.get();
        (*work).task.store(ptr::null_mut(), Release);
        // This is not the last reference: the pool of the caller's object has one.
        drop(Arc::from_raw(of));
        bindings::module_put(compat::this_module());
    }
    Err(ptr::null_mut())
}

/// # Safety
///
/// `head` belongs to a [`TaskWork`] that [`give`] gave to the current task, for this call.
unsafe extern "C" fn call_item<T: TaskWorkItem<ID>, const ID: u32>(
    head: *mut bindings::callback_head,
) {
    // SAFETY: By this function's requirements `head` lies in the `Opaque` of a work whose `task`
    // was set for this call. So the work is ours, and holds a reference to the object in which it
    // lies. The kernel has taken it off its list. After the store the work may be given again, and
    // this function does not access it.
    let of = unsafe {
        let work = container_of!(Opaque::cast_from(head).cast_mut(), TaskWork<T, ID>, head);
        let of = *(*work).of.get();
        (*work).task.store(ptr::null_mut(), Release);
        Arc::from_raw(of)
    };
    let mm: ARef<Mm> = of.mm().into();
    // SAFETY: Task work runs in process context without locks: after the system call is over,
    // inside one that holds no file from `fdget_pos()`, or when the task exits.
    unsafe { with_full_task(&mm, |task| T::run(of, task)) };
    drop(mm);
    // SAFETY: `give` took this reference, for this call. `TextInUse` covers the remaining
    // instructions. This is an atomic: any context.
    unsafe { bindings::module_put(compat::this_module()) };
}
