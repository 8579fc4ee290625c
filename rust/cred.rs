// SPDX-License-Identifier: GPL-2.0

//! Credentials of the current task.
//!
//! C header: [`include/linux/cred.h`](srctree/include/linux/cred.h)

use super::bindings;
use core::ptr::NonNull;
use kernel::{
    cred::Credential,
    sync::aref::ARef, //
};

/// A reference to the subjective credentials of the current task.
pub(crate) fn current() -> ARef<Credential> {
    // SAFETY: Every task has credentials. `get_current_cred()` takes a reference to them for the
    // caller, with an atomic: any context. `Credential` is a transparent wrapper of `struct cred`.
    unsafe {
        let cred = bindings::raio_helper_get_current_cred();
        ARef::from_raw(NonNull::new_unchecked(cred.cast_mut().cast()))
    }
}

/// Whether `cred` are the subjective credentials of the current task.
pub(crate) fn is_current(cred: &Credential) -> bool {
    // SAFETY: Reads a pointer of the current task, which only the task itself writes, and only
    // compares it.
    unsafe { core::ptr::eq(bindings::raio_helper_current_cred(), cred.as_ptr()) }
}

/// Calls `f` with the current task's own credentials, even if they are overridden. Process context.
pub(crate) fn with_own<R>(f: impl FnOnce() -> R) -> R {
    // SAFETY: The task refers to its real credentials. Only the task itself replaces them, in
    // system calls other than this one, so they are valid until `f` has returned.
    let own = unsafe { Credential::from_ptr(bindings::raio_helper_current_real_cred()) };
    with(own, f)
}

/// Calls `f` with `cred` as the subjective credentials of the current task.
///
/// Process context.
pub(crate) fn with<R>(cred: &Credential, f: impl FnOnce() -> R) -> R {
    struct Revert(*const bindings::cred);

    impl Drop for Revert {
        fn drop(&mut self) {
            // SAFETY: This is what `override_creds()` returned in this task, which has kept it.
            // Only the task itself writes that pointer. Overrides nest: `Revert` values are locals,
            // dropped in reverse order. No lock, any context.
            unsafe { bindings::raio_helper_revert_creds(self.0) };
        }
    }

    // SAFETY: `cred` is borrowed for longer than the override lasts, as `_revert` is dropped here.
    // The call exchanges a pointer of the current task, which only that task uses.
    let _revert = Revert(unsafe { bindings::raio_helper_override_creds(cred.as_ptr()) });
    f()
}
