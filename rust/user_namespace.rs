// SPDX-License-Identifier: GPL-2.0

//! User namespaces.
//!
//! C header: [`include/linux/user_namespace.h`](srctree/include/linux/user_namespace.h)

use super::bindings;
use core::marker::PhantomData;
use kernel::cred::Credential;

/// The users who own the user namespaces of somebody.
///
/// # Invariants
///
/// `next` is the user namespace of credentials that are borrowed for `'a`, or one above it.
pub(crate) struct Owners<'a> {
    next: *const bindings::user_namespace,
    _cred: PhantomData<&'a Credential>,
}

/// The owner, by the kernel's number of the user, of each user namespace that `cred` are in: from
/// their own up to the initial one, which is nobody's.
pub(crate) fn owners(cred: &Credential) -> Owners<'_> {
    // SAFETY: The credentials are borrowed, so valid; their namespace never changes once they are
    // somebody's. A read of memory alone: any context.
    let next = unsafe { (*cred.as_ptr()).user_ns };
    // INVARIANT: It is theirs.
    Owners {
        next,
        _cred: PhantomData,
    }
}

impl Iterator for Owners<'_> {
    type Item = u32;

    fn next(&mut self) -> Option<u32> {
        // SAFETY: By the invariants it is held: credentials hold their namespace, and each
        // namespace the one above it. Owner and parent never change, so no lock is needed.
        let (parent, owner) = unsafe { ((*self.next).parent, (*self.next).owner.val) };
        if parent.is_null() {
            return None;
        }
        // INVARIANT: It is above the last.
        self.next = parent;
        Some(owner)
    }
}
