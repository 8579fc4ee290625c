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

/// The subjective credentials of the current task.
pub(crate) fn current() -> ARef<Credential> {
    // SAFETY: Every task has credentials, to which `get_current_cred()` returns a reference of the
    // caller's, by an atomic: any context. `Credential` is transparent over `struct cred`.
    unsafe {
        let cred = bindings::raio_helper_get_current_cred();
        ARef::from_raw(NonNull::new_unchecked(cred.cast_mut().cast()))
    }
}

/// Whether `cred` are the subjective credentials of the current task.
pub(crate) fn is_current(cred: &Credential) -> bool {
    // SAFETY: Reads a pointer of the current task, which only that writes, and compares it alone.
    unsafe { core::ptr::eq(bindings::raio_helper_current_cred(), cred.as_ptr()) }
}

/// Calls `f` with the current task's own credentials, whatever overrides them. Process context.
pub(crate) fn with_own<R>(f: impl FnOnce() -> R) -> R {
    // SAFETY: The task refers to its real credentials, which only it itself replaces, in system
    // calls that this is none of: they are valid until `f` has returned.
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
            // SAFETY: This is what `override_creds()` returned, in this task, which has kept it.
            // Only the task itself writes that pointer; overrides nest, as `Revert` values are
            // locals that are dropped in reverse order. No lock, any context.
            unsafe { bindings::raio_helper_revert_creds(self.0) };
        }
    }

    // SAFETY: `cred` is borrowed for longer than the override lasts, as `_revert` is dropped here.
    // A pointer of the current task is exchanged, which only that uses.
    let _revert = Revert(unsafe { bindings::raio_helper_override_creds(cred.as_ptr()) });
    f()
}
