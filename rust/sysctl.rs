// SPDX-License-Identifier: GPL-2.0

//! Numeric sysctls under `/proc/sys`.
//!
//! C header: [`include/linux/sysctl.h`](srctree/include/linux/sysctl.h)

use super::bindings;
use core::ptr::{
    self,
    NonNull, //
};
use kernel::{
    prelude::*,
    sync::atomic::Atomic, //
};

/// A number that the administrator may read, and perhaps write.
pub(crate) struct Entry {
    /// The name of the file in the directory.
    pub(crate) name: &'static CStr,
    /// The value.
    pub(crate) value: &'static Atomic<usize>,
    /// The file mode, for instance `0o644`.
    pub(crate) mode: u16,
}

/// Registered sysctls. Dropping this unregisters them.
///
/// # Invariants
///
/// `register_sysctl_sz()` returned `header` for `_table`, which lives as long.
pub(crate) struct Sysctls {
    header: NonNull<bindings::ctl_table_header>,
    _table: KVec<bindings::ctl_table>,
}

// SAFETY: Only registration and unregistration access header and table. These are bound to no task.
// The table's pointers are to statics.
unsafe impl Send for Sysctls {}
// SAFETY: There is no method that takes a shared reference.
unsafe impl Sync for Sysctls {}

impl Sysctls {
    /// Registers `entries` below `/proc/sys/DIRECTORY`. ENOMEM on failure. Process context.
    pub(crate) fn register(directory: &'static CStr, entries: &[Entry]) -> Result<Self> {
        let mut table = KVec::with_capacity(entries.len(), GFP_KERNEL)?;
        for entry in entries {
            table.push(
                bindings::ctl_table {
                    procname: entry.name.as_char_ptr(),
                    // An `Atomic<usize>` has the layout of the `unsigned long` that the handler
                    // reads and writes with single accesses.
                    data: ptr::from_ref(entry.value).cast_mut().cast(),
                    maxlen: size_of::<usize>() as c_int,
                    mode: entry.mode,
                    proc_handler: Some(bindings::proc_doulongvec_minmax),
                    ..pin_init::zeroed()
                },
                GFP_KERNEL,
            )?;
        }
        // SAFETY: Names and values are static, the handler fits the values, and the length is that
        // of the table. The table is kept until it is unregistered, and its memory does not move
        // with the `KVec`. The call may sleep, as this function's callers may.
        let header = unsafe {
            bindings::register_sysctl_sz(directory.as_char_ptr(), table.as_ptr(), table.len())
        };
        // INVARIANT: The table was just registered.
        Ok(Sysctls {
            header: NonNull::new(header).ok_or(ENOMEM)?,
            _table: table,
        })
    }
}

impl Drop for Sysctls {
    fn drop(&mut self) {
        // SAFETY: By the invariants the table is registered; from here on it is not. The call waits
        // for readers, so the table may be freed afterwards. It is dropped with the module, in
        // process context without locks.
        unsafe { bindings::unregister_sysctl_table(self.header.as_ptr()) };
    }
}
