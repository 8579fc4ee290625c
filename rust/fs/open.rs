// SPDX-License-Identifier: GPL-2.0

//! A file in a call of submit: what was found out about transfers of it, and reads that are over at
//! once.
//!
//! C header: [`include/linux/fs.h`](srctree/include/linux/fs.h)

use super::{
    file_type,
    has_iter,
    has_permission_events,
    is_open_for,
    iter_count,
    operations,
    Mode, //
};
use crate::sys::{
    bindings,
    pinned::PinnedBuffer,
    task::FullTask,
    uio::Direction, //
};
use kernel::{
    error::to_result,
    fs::File,
    prelude::*,
    sync::aref::ARef,
    types::Opaque, //
};

/// Whether its transfers go past the page cache, if they do not say so themselves. Any context.
pub(crate) fn is_direct(file: &File) -> bool {
    iocb_flags(file) & bindings::IOCB_DIRECT != 0
}

/// Reads up to `len` bytes at `pos` of `open` to `address` in the current address space, or in the
/// buffer `pinned`, and says how many; `None` if it is not all in there, if there is no
/// `read_iter`, for any error, and if a page fault would have to be served. `mode` says how it may
/// wait.
pub(crate) fn read_now<T>(
    _task: FullTask<'_>,
    open: &mut OpenFile<T>,
    pos: i64,
    (address, len): (u64, usize),
    pinned: Option<&PinnedBuffer>,
    mode: Mode<'_>,
) -> Option<usize> {
    let file: &File = &open.file;
    let read = operations(file).read_iter?;
    if len == 0 || !is_open_for(file, Direction::Read) {
        return None;
    }
    let flags = match mode {
        Mode::Cached => bindings::IOCB_NOWAIT | bindings::IOCB_NOIO,
        _ => 0,
    };
    let of_file = iocb_flags(file);
    if of_file & bindings::IOCB_DIRECT != 0 {
        // Only since the caller looked. Without a `ki_complete` it would wait for the device.
        return None;
    }
    let rw = Direction::Read.rw();
    let (kiocb, iter) = (Opaque::uninit(), Opaque::uninit());
    let (kiocb, iter): (*mut bindings::kiocb, *mut bindings::iov_iter) = (kiocb.get(), iter.get());
    // SAFETY: The file is valid and open for reading, and the call is its own. Import and check are
    // those of `prep_rw`. The kiocb is synchronous, having no `ki_complete`, so that both it and
    // the iterator are the file's only during the call; so is `pinned`, which is borrowed. `_task`
    // says that the current task has all that a file may look at, and may sleep. Faults are enabled
    // again by the same task.
    let result = unsafe {
        match pinned {
            Some(pinned) => pinned.import(Direction::Read, address, len, iter).ok()?,
            None if bindings::import_ubuf(rw, address as *mut c_void, len, iter) != 0 => {
                return None;
            }
            None => {}
        }
        let len = iter_count(iter);
        verify(file, Direction::Read, pos, len, &mut open.reading).ok()?;
        kiocb.write(bindings::kiocb {
            ki_filp: file.as_ptr(),
            ki_pos: pos,
            ki_flags: of_file | flags,
            ..pin_init::zeroed()
        });
        bindings::raio_helper_pagefault_disable();
        let result = read(kiocb, iter);
        bindings::raio_helper_pagefault_enable();
        result
    };
    usize::try_from(result).ok()
}

/// A file, and what was found out about transfers of it, in a call of submit.
pub(crate) struct OpenFile<T> {
    pub(in crate::sys) file: ARef<File>,
    /// Of the last transfer.
    pub(in crate::sys) checked: Option<Checked<T>>,
    pub(in crate::sys) reading: Verified,
    pub(in crate::sys) writing: Verified,
}

/// That transfers of a kind may be prepared for a file.
pub(in crate::sys) struct Checked<T> {
    pub(in crate::sys) direction: Direction,
    /// RWF_*.
    pub(in crate::sys) rw_flags: i32,
    /// IOCB_*: those of the file, and all.
    pub(in crate::sys) of_file: c_int,
    pub(in crate::sys) flags: c_int,
    /// It is a regular file or block device.
    pub(in crate::sys) has_places: bool,
    /// What the caller has made of it.
    pub(in crate::sys) rules: T,
}

/// What tells kinds of transfers of a file from each other.
#[derive(Clone, Copy)]
pub(crate) struct Kind {
    /// Which way data goes.
    pub(crate) direction: Direction,
    /// Past the page cache.
    pub(crate) direct: bool,
    /// RWF_NOWAIT.
    pub(crate) nowait: bool,
    /// What is written is on the device before the call returns, by O_DSYNC, RWF_DSYNC, or as the
    /// inode or its mount says.
    pub(crate) sync: bool,
}

impl<T> OpenFile<T> {
    /// Nothing was found out about `file` yet.
    pub(crate) fn new(file: ARef<File>) -> Self {
        OpenFile {
            file,
            checked: None,
            reading: Verified(false),
            writing: Verified(false),
        }
    }

    /// The file.
    pub(crate) fn file(&self) -> &File {
        &self.file
    }

    /// What was found out about such transfers. EBADF, EINVAL, EOPNOTSUPP, EPERM.
    #[inline(always)]
    pub(in crate::sys) fn check(
        &mut self,
        direction: Direction,
        rw_flags: i32,
        rules: impl FnOnce(&File, Kind) -> T,
    ) -> Result<&Checked<T>> {
        let of_file = iocb_flags(&self.file);
        let cached = self.checked.as_ref().is_some_and(|checked| {
            checked.direction == direction
                && checked.rw_flags == rw_flags
                && checked.of_file == of_file
        });
        if !cached {
            self.check_now(direction, rw_flags, of_file, rules)?;
        }
        self.checked.as_ref().ok_or(EINVAL)
    }

    #[cold]
    #[inline(never)]
    fn check_now(
        &mut self,
        direction: Direction,
        rw_flags: i32,
        of_file: c_int,
        rules: impl FnOnce(&File, Kind) -> T,
    ) -> Result {
        self.checked = Some(check(&self.file, direction, rw_flags, of_file, rules)?);
        Ok(())
    }
}

/// IOCB_* of all transfers of `file`; fcntl(2) may change them.
pub(in crate::sys) fn iocb_flags(file: &File) -> c_int {
    // SAFETY: The file is valid, as it is borrowed. fcntl(2) may change the word, so it is read
    // once. Any context.
    unsafe { (&raw const (*file.as_ptr()).f_iocb_flags).read_volatile() as c_int }
}

/// Whether all writes to `file` are. Any context.
fn is_sync(file: &File) -> bool {
    // SAFETY: The file is valid, as it is borrowed, with its mapping and the inode of that. The
    // flags that are read of inode and super block may change: either answer is right then. Any
    // context.
    unsafe { bindings::raio_helper_is_sync(file.as_ptr()) }
}

fn check<T>(
    file: &File,
    direction: Direction,
    rw_flags: i32,
    of_file: c_int,
    rules: impl FnOnce(&File, Kind) -> T,
) -> Result<Checked<T>> {
    let mut flags = of_file;
    if rw_flags != 0 {
        let kiocb = Opaque::uninit();
        let kiocb: *mut bindings::kiocb = kiocb.get();
        // SAFETY: The kiocb is ours, on the stack, and all of it is written. The helper only looks
        // at the file, which is valid as it is borrowed, and the flags, and writes the flags. No
        // sleep.
        unsafe {
            kiocb.write(bindings::kiocb {
                ki_filp: file.as_ptr(),
                ki_flags: of_file,
                ..pin_init::zeroed()
            });
            to_result(bindings::raio_helper_kiocb_set_rw_flags(
                kiocb,
                rw_flags,
                direction.rw(),
            ))?;
            flags = (*kiocb).ki_flags;
        }
    }
    if !is_open_for(file, direction) {
        return Err(EBADF);
    }
    if !has_iter(file, direction) {
        return Err(EINVAL);
    }
    let kind = Kind {
        direction,
        direct: flags & bindings::IOCB_DIRECT != 0,
        nowait: flags & bindings::IOCB_NOWAIT != 0,
        // As `iocb_is_dsync()`.
        sync: flags & bindings::IOCB_DSYNC != 0 || is_sync(file),
    };
    Ok(Checked {
        direction,
        rw_flags,
        of_file,
        // Nobody polls for it.
        flags: flags & !bindings::IOCB_HIPRI,
        has_places: matches!(file_type(file), bindings::S_IFREG | bindings::S_IFBLK),
        rules: rules(file, kind),
    })
}

/// Whether the security modules have agreed to transfers of one direction of a file.
pub(in crate::sys) struct Verified(bool);

/// rw_verify_area(): whether `len` bytes at `pos` may be transferred, by the file's kind of
/// offsets, the security modules and who listens to permission events. Process context, may sleep.
///
/// The security modules are told of the file and the direction only, so that it is enough to ask
/// them once in a call.
#[inline(always)]
pub(in crate::sys) fn verify(
    file: &File,
    direction: Direction,
    pos: i64,
    len: usize,
    verified: &mut Verified,
) -> Result {
    if verified.0 && pos >= 0 && pos.checked_add_unsigned(len as u64).is_some() {
        return Ok(());
    }
    verify_area(file, direction, pos, len, verified)
}

#[cold]
#[inline(never)]
fn verify_area(
    file: &File,
    direction: Direction,
    pos: i64,
    len: usize,
    verified: &mut Verified,
) -> Result {
    // SAFETY: The file is valid, as it is borrowed, and `pos`, which is only read, on the stack. It
    // asks security modules and perhaps a listener, and may sleep: callers are in process context,
    // with no lock.
    unsafe {
        let at = (&raw const pos).cast_mut();
        to_result(bindings::rw_verify_area(
            direction.rw(),
            file.as_ptr(),
            at,
            len,
        ))?;
    }
    verified.0 = !has_permission_events(file);
    Ok(())
}
