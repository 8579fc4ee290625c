// SPDX-License-Identifier: GPL-2.0

//! Files: their kinds and abilities, and transfers.
//!
//! C headers: [`include/linux/fs.h`](srctree/include/linux/fs.h),
//! [`include/linux/uio.h`](srctree/include/linux/uio.h)

mod facts;
mod mode;
mod open;
mod segments;
mod sync;
mod transfer;

use super::{
    bindings,
    sched,
    task::FullTask,
    uio::Direction, //
};
use facts::file_type;
pub(crate) use facts::{
    facts,
    has_own_rules,
    has_permission_events,
    identity,
    is_beyond_limit,
    is_first_direct,
    is_fuse,
    is_pipe_unread,
    is_removed,
    is_stream_idle,
    is_stream_locked,
    notes_access,
    size,
    tty_stops, //
};
pub(super) use facts::{
    is_pipe_full,
    position, //
};
use kernel::{
    fs::{
        File,
        LocalFile, //
    },
    mm::Mm,
    prelude::*,
    sync::aref::ARef,
    task::Task, //
};
pub(crate) use mode::{
    Faults,
    Mode, //
};
pub(super) use open::verify;
pub(crate) use open::{
    is_direct,
    read_now,
    Kind,
    OpenFile, //
};
pub(super) use segments::{
    import_pinned_segments,
    import_segments,
    iter_count,
    memory_of, //
};
pub(crate) use sync::{
    can_sync_range,
    fsync,
    has_fsync,
    sync_range,
    Range,
    SYNC_FLAGS, //
};
pub(super) use transfer::Memory;
pub(crate) use transfer::Transfer;

/// Looks up the file behind `fd` of the current task. EBADF if there is none.
pub(crate) fn fget(_task: FullTask<'_>, fd: u32) -> Result<ARef<File>> {
    let file = LocalFile::fget(fd).map_err(|_| EBADF)?;
    // SAFETY: `_task` proves that this thread holds no file from `fdget_pos()`: it is inside an
    // ioctl or fadvise64, which use `fdget()`, or in task work, which runs when the call is over or
    // has no such file.
    Ok(unsafe { LocalFile::assume_no_fdget_pos(file) })
}

/// Gives back a reference to a file. If it was the last, the file is released before this returns,
/// rather than just before the task goes back to user space. Process context, sleeps; under no
/// lock.
pub(crate) fn put_now(file: ARef<File>) {
    // SAFETY: The caller gave up its reference, which this call gives back. The call may release
    // the file and sleep: by this function's requirements this is process context, under no lock.
    unsafe { bindings::__fput_sync(ARef::into_raw(file).as_ref().as_ptr()) };
}

/// Gives back a reference to a file that a request held. `mm` is the address space of the request,
/// and `task` is of its process. Returns the reference if it may be the last and the current task
/// is not one of the process. So a task of the process releases the file, before it returns to user
/// space or has exited. Any context.
pub(super) fn put(file: ARef<File>, mm: &Mm, task: &Task) -> Option<ARef<File>> {
    if sched::is_of(mm, task) {
        // The release is task work of the current task.
        drop(file);
        return None;
    }
    let raw = ARef::into_raw(file);
    // SAFETY: The helper gives back the reference that was given up; if it returns false, this
    // function takes the reference again. Until then the file is valid. If the reference turns out
    // to be the last, `fput()` leaves the release to task work or a work queue: any context.
    unsafe {
        if bindings::raio_helper_fput_unless_last(raw.as_ref().as_ptr()) {
            None
        } else {
            Some(ARef::from_raw(raw))
        }
    }
}

/// The file's operations. Any context.
pub(super) fn operations(file: &File) -> &bindings::file_operations {
    // SAFETY: An open file has operations. A hang-up may replace them by another table, so the
    // pointer is read once. Each table is static, and its module is held for as long as the file
    // is.
    unsafe { &*(&raw const (*file.as_ptr()).f_op).read_volatile() }
}

/// Whether `file` is open for `direction`. Any context.
fn is_open_for(file: &File, direction: Direction) -> bool {
    let bit = match direction {
        Direction::Read => bindings::FMODE_READ,
        Direction::Write => bindings::FMODE_WRITE,
    };
    // SAFETY: The file is valid, as it is borrowed. Other bits of the word may change, so it is
    // read once; these bits do not change. Any context.
    unsafe { (&raw const (*file.as_ptr()).f_mode).read_volatile() & bit != 0 }
}

/// Whether buffered reads of `file` can wait for pages asynchronously. Any context.
pub(super) fn can_page_wait(file: &File) -> bool {
    operations(file).fop_flags & bindings::FOP_BUFFER_RASYNC != 0
}

/// Whether `file` can transfer in `direction` asynchronously. Any context.
fn has_iter(file: &File, direction: Direction) -> bool {
    match direction {
        Direction::Read => operations(file).read_iter.is_some(),
        Direction::Write => operations(file).write_iter.is_some(),
    }
}
