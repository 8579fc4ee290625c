// SPDX-License-Identifier: GPL-2.0

//! References to this module.
//!
//! C header: [`include/linux/module.h`](srctree/include/linux/module.h)

use super::{
    bindings,
    compat, //
};

/// A reference to the module, which keeps it loaded.
///
/// Whoever drops the last one may still run in the module for a moment. That is safe in work of the
/// module's queue, as unloading waits for the end of that, or as [`rcupdate`](super::rcupdate)
/// says.
pub(crate) struct ModuleRef(());

impl ModuleRef {
    /// Takes one more reference. Any context, while the module is in use.
    pub(crate) fn new() -> Self {
        // SAFETY: `__module_get()` requires that the module already has a reference. Every caller
        // gets here through a file, a mapping or work that has one. This is an atomic: any context.
        unsafe { bindings::__module_get(compat::this_module()) };
        ModuleRef(())
    }
}

impl Drop for ModuleRef {
    fn drop(&mut self) {
        // SAFETY: `new` took the reference, and this gives it back once. This is an atomic: any
        // context. The text stays for the return, as the type says.
        unsafe { bindings::module_put(compat::this_module()) };
    }
}
