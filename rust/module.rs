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
        // SAFETY: The caller's code is of the module, which is in use.
        unsafe { bindings::__module_get(this_module::<crate::LocalModule>().as_ptr()) };
        ModuleRef(())
    }
}

impl Drop for ModuleRef {
    fn drop(&mut self) {
        // SAFETY: `new` took the reference.
        unsafe { bindings::module_put(this_module::<crate::LocalModule>().as_ptr()) };
    }
}
