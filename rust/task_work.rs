// SPDX-License-Identifier: GPL-2.0

//! What a task does on its way back to user space, or at the end of its exit.
//!
//! C header: [`include/linux/task_work.h`](srctree/include/linux/task_work.h)

use super::bindings;
use kernel::{
    container_of,
    module::this_module,
    prelude::*,
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
