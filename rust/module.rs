// SPDX-License-Identifier: GPL-2.0

//! References to this module.
//!
//! C header: [`include/linux/module.h`](srctree/include/linux/module.h)

use super::bindings;
use kernel::module::this_module;

/// Keeps the module loaded.
///
/// Whoever drops the last one may still run in the module for a moment: in work of the module's
/// queue, whose end unloading waits for, or as [`rcupdate`](super::rcupdate) says.
pub(crate) struct ModuleRef(());

impl ModuleRef {
    /// One more. Any context, while the module is in use.
    pub(crate) fn new() -> Self {
        // SAFETY: `__module_get()` wants a module that has a reference already: whoever comes here
        // came by a file, a mapping or work that has one. An atomic, in any context.
        unsafe { bindings::__module_get(this_module::<crate::LocalModule>().as_ptr()) };
        ModuleRef(())
    }
}

impl Drop for ModuleRef {
    fn drop(&mut self) {
        // SAFETY: `new` took the reference, and this gives it back once. An atomic, in any context;
        // the text is there for the return, as the type says.
        unsafe { bindings::module_put(this_module::<crate::LocalModule>().as_ptr()) };
    }
}
