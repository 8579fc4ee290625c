// SPDX-License-Identifier: GPL-2.0

//! Numbers under `/proc/sys`.
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
    /// Its name below the directory.
    pub(crate) name: &'static CStr,
    /// Where it is.
    pub(crate) value: &'static Atomic<usize>,
    /// Its file mode, for instance `0o644`.
    pub(crate) mode: u16,
}

/// Registered sysctls; they are gone when this is dropped.
///
/// # Invariants
///
/// `header` was returned by `register_sysctl_sz()` for `_table`, which lives as long.
pub(crate) struct Sysctls {
    header: NonNull<bindings::ctl_table_header>,
    _table: KVec<bindings::ctl_table>,
}

// SAFETY: Header and table are touched by registration and its end alone, which are bound to no
// task; the table's pointers are to statics.
unsafe impl Send for Sysctls {}
// SAFETY: There is no method that takes a shared reference.
unsafe impl Sync for Sysctls {}

impl Sysctls {
    /// Registers `entries` below `/proc/sys/DIRECTORY`. ENOMEM if it can't. Process context.
    pub(crate) fn register(directory: &'static CStr, entries: &[Entry]) -> Result<Self> {
        let mut table = KVec::with_capacity(entries.len(), GFP_KERNEL)?;
        for entry in entries {
            table.push(
                bindings::ctl_table {
                    procname: entry.name.as_char_ptr(),
                    // An `Atomic<usize>` is laid out as the `unsigned long` that the handler
                    // reads and writes by single accesses.
                    data: ptr::from_ref(entry.value).cast_mut().cast(),
                    maxlen: size_of::<usize>() as c_int,
                    mode: entry.mode,
                    proc_handler: Some(bindings::proc_doulongvec_minmax),
                    ..pin_init::zeroed()
                },
                GFP_KERNEL,
            )?;
        }
        // SAFETY: Names and values are static, the handler fits the values, and the length is the
        // table's. The table is kept until it is unregistered, and its memory does not move with
        // the `KVec`. It may sleep, as this function's callers may.
        let header = unsafe {
            bindings::register_sysctl_sz(directory.as_char_ptr(), table.as_ptr(), table.len())
        };
        // INVARIANT: It was just registered.
        Ok(Sysctls {
            header: NonNull::new(header).ok_or(ENOMEM)?,
            _table: table,
        })
    }
}

impl Drop for Sysctls {
    fn drop(&mut self) {
        // SAFETY: By the invariants it is registered, and is not any more from here on. The call
        // waits for readers, so that the table can go after it: this is dropped with the module, in
        // process context without locks.
        unsafe { bindings::unregister_sysctl_table(self.header.as_ptr()) };
    }
}
