// SPDX-License-Identifier: GPL-2.0

//! User namespaces.
//!
//! C header: [`include/linux/user_namespace.h`](srctree/include/linux/user_namespace.h)

use super::bindings;
use core::marker::PhantomData;
use kernel::cred::Credential;

/// An iterator over the owners of user namespaces.
///
/// # Invariants
///
/// `next` is the user namespace of credentials that are borrowed for `'a`, or one of its ancestors.
pub(crate) struct Owners<'a> {
    next: *const bindings::user_namespace,
    _cred: PhantomData<&'a Credential>,
}

/// Returns the owners, as kernel-internal user ids, of the user namespace of `cred` and of its
/// ancestors, except the initial namespace, which has no owner.
pub(crate) fn owners(cred: &Credential) -> Owners<'_> {
    // SAFETY: The credentials are valid, as they are borrowed. Their namespace does not change once
    // they are in use. This only reads memory: any context.
    let next = unsafe { (*cred.as_ptr()).user_ns };
    // INVARIANT: This is the namespace of `cred`.
    Owners {
        next,
        _cred: PhantomData,
    }
}

impl Iterator for Owners<'_> {
    type Item = u32;

    fn next(&mut self) -> Option<u32> {
        // SAFETY: By the invariants the namespace is held: credentials hold their namespace, and
        // each namespace holds its parent. Owner and parent never change, so no lock is needed.
        let (parent, owner) = unsafe { ((*self.next).parent, (*self.next).owner.val) };
        if parent.is_null() {
            return None;
        }
        // INVARIANT: This is the parent of the previous namespace.
        self.next = parent;
        Some(owner)
    }
}
