// SPDX-License-Identifier: GPL-2.0

//! What a task does on its way back to user space, or at the end of its exit.
//!
//! C header: [`include/linux/task_work.h`](srctree/include/linux/task_work.h)

use super::{
    bindings,
    task::FullTask, //
};
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

/// Calls `run` in the current task when it has done what it has to do already: the releases of
/// files whose last reference it has dropped, above all. At once if there is no memory.
///
/// Process context, in a task of a program: a kernel thread does it at its own end, if ever.
pub(crate) fn after_others<F: FnOnce() + 'static>(run: F) {
    let Ok(place) = KBox::<Work<F>>::new_uninit(GFP_KERNEL) else {
        return run();
    };
    let head = Opaque::new(bindings::callback_head {
        func: Some(call::<F>),
        ..Default::default()
    });
    let work = KBox::into_raw(place.write(Work { head, run }));
    // SAFETY: `work` is valid, and no longer ours if it was added: then the current task calls
    // `call`, once, or else we do. `task_work_add()` may be called in any context of a task but an
    // NMI. The module is in use here, so that one more reference may be taken; `call` gives it
    // back.
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
    // SAFETY: By the requirement `head` lies in the `Opaque` of a boxed `Work<F>`, which is ours
    // now. The kernel has taken it off its list. It is the task that it was made in, so `run` need
    // not be `Send`.
    let work = unsafe {
        KBox::from_raw(container_of!(
            Opaque::cast_from(head).cast_mut(),
            Work<F>,
            head
        ))
    };
    (KBox::into_inner(work).run)();
    // SAFETY: `after_others` took this reference, for this call. The instructions that are left are
    // covered by `TextInUse`. An atomic: any context.
    unsafe { bindings::module_put(this_module::<crate::LocalModule>().as_ptr()) };
}

/// Work of an object that one task at a time is to do; there is no allocation for each time.
pub(crate) struct TaskWork<T, const ID: u32> {
    head: Opaque<bindings::callback_head>,
    /// The object, as `Arc::into_raw()` gave it, while the work is queued.
    of: UnsafeCell<*const T>,
    /// Who is to do it; NULL if nobody is, and [`SOMEBODY`] if that is not known. Who sets it has
    /// the rest.
    task: Atomic<*mut bindings::task_struct>,
}

/// A task of the process.
const SOMEBODY: *mut bindings::task_struct = ptr::without_provenance_mut(1);

// SAFETY: It is bound to no task, and the object that it may refer to may be sent and shared.
unsafe impl<T: Send + Sync, const ID: u32> Send for TaskWork<T, ID> {}
// SAFETY: By a shared reference only `task` is used, an atomic; `head` and `of` by whoever has set
// that, one at a time.
unsafe impl<T: Send + Sync, const ID: u32> Sync for TaskWork<T, ID> {}

/// An object with such work.
pub(crate) trait TaskWorkItem<const ID: u32>: Send + Sync + Sized + 'static {
    /// The work, a field of the object.
    fn task_work(&self) -> &TaskWork<Self, ID>;

    /// The address space of those who may do it.
    fn mm(&self) -> &Mm;

    /// Does it. Process context; without a token the task exits, or has left the process by exec.
    fn run(this: Arc<Self>, task: Option<FullTask<'_>>);
}

impl<T, const ID: u32> TaskWork<T, ID> {
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
    // SAFETY: Reads words of the current task that only that changes, and compares `mm` alone: any
    // context.
    unsafe { bindings::raio_helper_goes_back_to(mm.as_raw()) }
}

/// Calls `f` with a token if the current task is one of a program that works in `mm`, and is not
/// about to exit.
///
/// # Safety
///
/// If this is the context of a task, it is process context without locks, and no call of the
/// program into a file with `fdget_pos()`: an ioctl, the release of a file, or task work.
pub(super) unsafe fn with_full_task<R>(mm: &Mm, f: impl FnOnce(Option<FullTask<'_>>) -> R) -> R {
    // SAFETY: `mm` is only compared, and the current task's own words are read, in any context. If
    // the helper says yes, it is a task of a program that has files and is not about to exit, and
    // the rest of what a `FullTask` says is the requirement, until `f` has returned.
    unsafe {
        if bindings::raio_helper_is_full_task_of(mm.as_raw()) {
            FullTask::with(|task| f(Some(task)))
        } else {
            f(None)
        }
    }
}

/// Has the work of `of` done by the current task before it is back in user space, or at the end of
/// its exit. False if it will not: another task is to do it, or it does no such work any more.
///
/// Any context in which [`goes_back_to`] said yes.
pub(crate) fn enqueue<T: TaskWorkItem<ID>, const ID: u32>(of: Arc<T>) -> bool {
    let task = Task::current_raw();
    // SAFETY: The current task is valid, and `give` says that `head` is initialised and on no list.
    // The call is an atomic and sets a flag of the task: any context of it but an NMI.
    let add = |head| unsafe {
        bindings::task_work_add(task, head, bindings::task_work_notify_mode_TWA_RESUME) == 0
    };
    match give(of, task, add) {
        Ok(()) => true,
        Err(other) => ptr::eq(other, task),
    }
}

/// Has the work of `of` done by an ordinary task of the process of `task`, or another that works in
/// the same memory: a sleep of it is interrupted for that. False if there is none. Any context.
pub(crate) fn enqueue_signal<T: TaskWorkItem<ID>, const ID: u32>(of: Arc<T>, task: &Task) -> bool {
    let mm = of.mm().as_raw();
    // SAFETY: Task and address space are valid, the one borrowed, the other of `of`, which `give`
    // keeps. It says that `head` is initialised and on no list. Threads are walked under RCU; to
    // interrupt one takes locks of the scheduler alone, with interrupts off: any context that has
    // none.
    let add = |head| unsafe { bindings::raio_helper_task_work_of(task.as_ptr(), mm, head) };
    match give(of, SOMEBODY, add) {
        Ok(()) => true,
        Err(other) => !other.is_null(),
    }
}

/// Gives the work of `of` to a task by `add`; or says who has it, NULL if nobody takes it.
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
        // It might not live as long as the object.
        return Err(ptr::null_mut());
    }
    work.task.cmpxchg(ptr::null_mut(), whom, Acquire)?;
    let work = ptr::from_ref(work);
    // SAFETY: The work is in the object, which lives until `call_item` has the reference back, or
    // we. It is ours until `add` says yes, as the `cmpxchg` set `task`; after that it is not
    // touched. The module is in use here, so that one more reference may be taken; `call_item`
    // gives it back, or we do. `add` says in which context it may be called: that of our callers.
    unsafe {
        *(*work).of.get() = Arc::into_raw(of);
        let head = (*work).head.get();
        (*head).func = Some(call_item::<T, ID>);
        bindings::__module_get(this_module::<crate::LocalModule>().as_ptr());
        if add(head) {
            return Ok(());
        }
        let of = *(*work).of.get();
        (*work).task.store(ptr::null_mut(), Release);
        // Not the last reference: the caller's object is referred to by its pool.
        drop(Arc::from_raw(of));
        bindings::module_put(this_module::<crate::LocalModule>().as_ptr());
    }
    Err(ptr::null_mut())
}

/// # Safety
///
/// `head` is that of a [`TaskWork`] which [`give`] gave to the current task, for this call.
unsafe extern "C" fn call_item<T: TaskWorkItem<ID>, const ID: u32>(
    head: *mut bindings::callback_head,
) {
    // SAFETY: By the requirement `head` lies in the `Opaque` of a work whose `task` was set for
    // this call, so that it is ours, and holds a reference to the object that it lies in. The
    // kernel has taken it off its list. From the store on it may be given again, and is not touched
    // here.
    let of = unsafe {
        let work = container_of!(Opaque::cast_from(head).cast_mut(), TaskWork<T, ID>, head);
        let of = *(*work).of.get();
        (*work).task.store(ptr::null_mut(), Release);
        Arc::from_raw(of)
    };
    let mm: ARef<Mm> = of.mm().into();
    // SAFETY: Task work is run in process context without locks, when the call into the kernel is
    // over, or inside one that does not have a file by `fdget_pos()`, or when the task exits.
    unsafe { with_full_task(&mm, |task| T::run(of, task)) };
    drop(mm);
    // SAFETY: `give` took this reference, for this call. The instructions that are left are covered
    // by `TextInUse`. An atomic: any context.
    unsafe { bindings::module_put(this_module::<crate::LocalModule>().as_ptr()) };
}
