// SPDX-License-Identifier: GPL-2.0

//! fsync(2) and sync_file_range(2) of files.

use super::{
    facts::file_type,
    operations, //
};
use crate::sys::{
    bindings,
    task::MayBlock, //
};
use kernel::{
    error::to_result,
    fs::File,
    prelude::*, //
};

/// A range of bytes of a file.
#[derive(Clone, Copy)]
pub(crate) struct Range {
    pub(in crate::sys) first: i64,
    pub(in crate::sys) last: i64,
}

impl Range {
    /// The whole file.
    pub(crate) const ALL: Range = Range {
        first: 0,
        last: i64::MAX,
    };

    /// The `len` bytes from `first` on; with `len` 0, all bytes from there. EINVAL if there is no
    /// such range.
    pub(crate) fn new(first: i64, len: u64) -> Result<Self> {
        let end = first.checked_add_unsigned(len).ok_or(EINVAL)?;
        if first < 0 {
            return Err(EINVAL);
        }
        let last = if len == 0 { i64::MAX } else { end - 1 };
        Ok(Range { first, last })
    }
}

/// Whether `file` has fsync. Any context.
pub(crate) fn has_fsync(file: &File) -> bool {
    operations(file).fsync.is_some()
}

/// Writes back `range` of `file`: only the data, or metadata too. Process context, sleeps.
pub(crate) fn fsync(file: &File, range: Range, datasync: bool, _may: MayBlock<'_>) -> Result {
    // SAFETY: The file is valid, as it is borrowed. The call returns EINVAL if there is no such
    // operation. It sleeps, for the device: `_may` proves that this task may, in process context
    // without locks.
    to_result(unsafe {
        bindings::vfs_fsync_range(
            file.as_ptr(),
            range.first,
            range.last,
            c_int::from(datasync),
        )
    })
}

/// All SYNC_FILE_RANGE_* flags.
pub(crate) const SYNC_FLAGS: u32 = bindings::SYNC_FILE_RANGE_WAIT_BEFORE
    | bindings::SYNC_FILE_RANGE_WRITE
    | bindings::SYNC_FILE_RANGE_WAIT_AFTER;

/// Whether [`sync_range`] supports the type of `file`. Any context.
pub(crate) fn can_sync_range(file: &File) -> bool {
    matches!(
        file_type(file),
        bindings::S_IFREG | bindings::S_IFBLK | bindings::S_IFDIR
    )
}

/// Same as sync_file_range(2), which is not exported, for a file that [`can_sync_range`]. EIO,
/// ENOSPC and other errors of the file system. Process context, sleeps.
pub(crate) fn sync_range(file: &File, range: Range, flags: u32, _may: MayBlock<'_>) -> Result {
    let Range { first, last } = range;
    let both = bindings::SYNC_FILE_RANGE_WRITE_AND_WAIT;
    // SAFETY: The file is valid, as it is borrowed, and so is its mapping, which such a file has.
    // The calls sleep, for the device: `_may` proves that this task may, in process context without
    // locks.
    unsafe {
        let mapping = (*file.as_ptr()).f_mapping;
        if flags & bindings::SYNC_FILE_RANGE_WAIT_BEFORE != 0 {
            to_result(bindings::file_fdatawait_range(file.as_ptr(), first, last))?;
        }
        if flags & both == both {
            to_result(bindings::filemap_fdatawrite_range(mapping, first, last))?;
        } else if flags & bindings::SYNC_FILE_RANGE_WRITE != 0 {
            to_result(bindings::filemap_flush_range(mapping, first, last))?;
        }
        if flags & bindings::SYNC_FILE_RANGE_WAIT_AFTER != 0 {
            to_result(bindings::file_fdatawait_range(file.as_ptr(), first, last))?;
        }
    }
    Ok(())
}
