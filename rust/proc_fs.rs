// SPDX-License-Identifier: GPL-2.0

//! Files of procfs, and the permissions of their readers.
//!
//! C headers: [`include/linux/proc_fs.h`](srctree/include/linux/proc_fs.h),
//! [`include/linux/seq_file.h`](srctree/include/linux/seq_file.h)

use super::{
    bindings,
    mm, //
};
use kernel::{
    mm::Mm,
    seq_file::SeqFile, //
};

/// Whether the reader of `seq`, an fdinfo of any process, may see addresses in `mm`. It may if `mm`
/// is that of the current task or of the process that the fdinfo belongs to, or if the file was
/// opened with CAP_SYS_PTRACE. Process context.
pub(crate) fn may_know_addresses(seq: &SeqFile, mm: &Mm) -> bool {
    let raw = core::ptr::from_ref(seq).cast::<bindings::seq_file>();
    // SAFETY: A `SeqFile` is a `struct seq_file`, which is valid and refers to the file that it was
    // opened as, which has credentials. The helper checks that the file is one of procfs before it
    // treats it as one, looks up the process under RCU, and only compares `mm`. It does not sleep.
    mm::is_current(mm) || unsafe { bindings::raio_helper_may_know_addresses(raw, mm.as_raw()) }
}
