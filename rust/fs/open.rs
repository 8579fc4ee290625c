// SPDX-License-Identifier: GPL-2.0

//! The cached state of a file during a call of submit, and reads that complete inline.
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

/// Whether transfers of `file` are direct unless their flags say otherwise. Any context.
pub(crate) fn is_direct(file: &File) -> bool {
    iocb_flags(file) & bindings::IOCB_DIRECT != 0
}

/// Reads up to `len` bytes at `pos` of `open` to `address` in the current address space, or into
/// the buffer `pinned`, and returns how many it read. `mode` says how it may wait.
///
/// Returns `None` if the memory does not all lie in `pinned`, if there is no `read_iter`, if a page
/// fault would have to be served, and for any error.
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
        // The flag was set after the caller's check. A synchronous kiocb would wait for the device.
        return None;
    }
    let rw = Direction::Read.rw();
    let (kiocb, iter) = (Opaque::uninit(), Opaque::uninit());
    let (kiocb, iter): (*mut bindings::kiocb, *mut bindings::iov_iter) = (kiocb.get(), iter.get());
    // SAFETY: The file is valid and open for reading, and `read` is its own operation. Import and
    // check are those of `prep_rw`. The kiocb has no `ki_complete`, so it is synchronous: the file
    // uses it and the iterator only during the call, and thus also `pinned`, which is borrowed.
    // `_task` proves that the current task has all that a file may look at, and may sleep. The same
    // task enables page faults again.
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

/// A file, and the results of checks about its transfers, during a call of submit.
pub(crate) struct OpenFile<T> {
    pub(in crate::sys) file: ARef<File>,
    /// The result for the last kind of transfer.
    pub(in crate::sys) checked: Option<Checked<T>>,
    pub(in crate::sys) reading: Verified,
    pub(in crate::sys) writing: Verified,
}

/// The result of checking a kind of transfers of a file: they may be prepared.
pub(in crate::sys) struct Checked<T> {
    pub(in crate::sys) direction: Direction,
    /// RWF_*.
    pub(in crate::sys) rw_flags: i32,
    /// The IOCB_* flags of the file, and all flags of such a transfer.
    pub(in crate::sys) of_file: c_int,
    pub(in crate::sys) flags: c_int,
    /// The file is a regular file or block device.
    pub(in crate::sys) has_places: bool,
    /// The caller's own result.
    pub(in crate::sys) rules: T,
}

/// The properties that distinguish kinds of transfers of a file.
#[derive(Clone, Copy)]
pub(crate) struct Kind {
    /// The direction of the transfer.
    pub(crate) direction: Direction,
    /// The transfer is direct.
    pub(crate) direct: bool,
    /// RWF_NOWAIT.
    pub(crate) nowait: bool,
    /// Written data is on the device before the call returns, because of O_DSYNC, RWF_DSYNC, or
    /// flags of the inode or its mount.
    pub(crate) sync: bool,
}

impl<T> OpenFile<T> {
    /// Creates the state of `file`, without any result.
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

    /// Checks a kind of transfers, or returns the cached result. EBADF, EINVAL, EOPNOTSUPP, EPERM.
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

/// The IOCB_* flags of all transfers of `file`. fcntl(2) may change them.
pub(in crate::sys) fn iocb_flags(file: &File) -> c_int {
    // SAFETY: The file is valid, as it is borrowed. fcntl(2) may change the word, so it is read
    // once. Any context.
    unsafe { (&raw const (*file.as_ptr()).f_iocb_flags).read_volatile() as c_int }
}

/// Whether all writes to `file` are synchronous. Any context.
fn is_sync(file: &File) -> bool {
    // SAFETY: The file is valid, as it is borrowed, and so are its mapping and the mapping's inode.
    // The flags that are read of inode and super block may change; then either answer is right. Any
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
        // SAFETY: The kiocb is ours, on the stack, and all of it is written. The helper reads the
        // file, which is valid as it is borrowed, and the flags, and writes only the flags of the
        // kiocb. It does not sleep.
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
        // Same as `iocb_is_dsync()`.
        sync: flags & bindings::IOCB_DSYNC != 0 || is_sync(file),
    };
    Ok(Checked {
        direction,
        rw_flags,
        of_file,
        // Nobody polls for completions.
        flags: flags & !bindings::IOCB_HIPRI,
        has_places: matches!(file_type(file), bindings::S_IFREG | bindings::S_IFBLK),
        rules: rules(file, kind),
    })
}

/// Whether the security modules have allowed transfers of one direction of a file.
pub(in crate::sys) struct Verified(bool);

/// rw_verify_area(): checks whether `len` bytes at `pos` may be transferred, by the range of the
/// file's offsets, the security modules, and listeners to permission events. Process context, may
/// sleep.
///
/// The security modules only look at the file and the direction, so one check in a call of submit
/// is enough.
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
    // SAFETY: The file is valid, as it is borrowed. `pos` is on the stack and only read. The call
    // asks security modules and perhaps a listener, and may sleep: callers are in process context,
    // and hold no lock.
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
