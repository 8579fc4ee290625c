// SPDX-License-Identifier: GPL-2.0

//! Files, and asynchronous calls into them.
//!
//! C headers: [`include/linux/fs.h`](srctree/include/linux/fs.h),
//! [`include/linux/uio.h`](srctree/include/linux/uio.h)

use super::{
    bindings,
    capability,
    pagemap::{
        self,
        PageRun, //
    },
    pinned::{
        self,
        PinnedBuffer, //
    },
    request::{
        self,
        Client,
        Owned,
        Run,
        Slot, //
    }, //
};
use crate::state::{
    Step,
    Then, //
};
use core::ptr;
use kernel::{
    error::to_result,
    fs::{
        File,
        LocalFile, //
    },
    prelude::*,
    sync::{
        aref::ARef,
        atomic::ordering::Relaxed,
        Arc, //
    },
    types::Opaque, //
};

/// Which way data goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Direction {
    /// From the file.
    Read,
    /// To the file.
    Write,
}

impl Direction {
    /// READ or WRITE, which are also ITER_DEST and ITER_SOURCE.
    pub(super) fn rw(self) -> c_int {
        match self {
            Direction::Read => bindings::READ as c_int,
            Direction::Write => bindings::WRITE as c_int,
        }
    }
}

/// How a try may wait.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Mode {
    /// As the file does.
    Block,
    /// IOCB_NOWAIT: not at all.
    Nowait,
    /// IOCB_NOWAIT and IOCB_NOIO: nor does it start a read of the device.
    Cached,
    /// IOCB_WAITQ: for the device's queue, but not for pages.
    PageWait,
    /// As the file does, which does not wait; but not for a frozen file system.
    Inline,
}

impl Mode {
    /// IOCB_*.
    #[inline(always)]
    fn flags(self) -> c_int {
        match self {
            Mode::Block | Mode::Inline => 0,
            Mode::Nowait => bindings::IOCB_NOWAIT,
            Mode::Cached => bindings::IOCB_NOWAIT | bindings::IOCB_NOIO,
            Mode::PageWait => bindings::IOCB_WAITQ,
        }
    }
}

/// Whether a try may wait for the program's memory.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Faults {
    /// As long as it takes.
    Wait,
    /// No: what is not there ends the try.
    Fail,
}

/// What a try came to.
pub(crate) enum Tried<C: Client> {
    /// The call returned this, an errno if negative.
    Returned(Run<C>, isize),
    /// A driver had it, and completed it with this.
    Completed(Owned<C>, isize),
    /// A driver has it, and completes it later.
    InFlight,
    /// It is queued on a page.
    Page(PageRun<C>),
    /// The file system is frozen.
    Frozen(Run<C>),
}

/// A transfer, and how far it is.
///
/// Its iterator lies in the slot, and is made anew for another try.
#[derive(Default)]
pub(crate) struct Transfer {
    /// What it was prepared for, if it was.
    direction: Option<Direction>,
    /// IOCB_* without those of a single try.
    flags: c_int,
    pos: i64,
    /// It is to or from a regular file or block device.
    has_places: bool,
    /// In bytes.
    len: usize,
    done: usize,
    /// No try has used up the iterator that it was prepared with.
    fresh: bool,
    memory: Memory,
    /// It may have segments that were allocated, or a registered buffer.
    holds: bool,
    segments: Segments,
    /// The registered buffer in which the memory lies.
    pinned: Option<Arc<PinnedBuffer>>,
}

/// Where the memory of a transfer is.
#[derive(Clone, Copy)]
enum Memory {
    /// One buffer of the program.
    Buffer(usize),
    /// An array of them, and its length.
    Segments(*const bindings::iovec, usize),
    /// Parts of registered memory, their number, and where in the first of them it begins.
    Parts(*const bindings::bio_vec, usize, usize),
}

impl Default for Memory {
    fn default() -> Self {
        Memory::Buffer(0)
    }
}

/// Segments of a vectored transfer: few are in place, more are allocated.
struct Segments {
    few: [bindings::iovec; FEW],
    allocated: *mut bindings::iovec,
}

/// Segments that need no allocation.
const FEW: usize = 2;

impl Default for Segments {
    fn default() -> Self {
        Segments {
            few: pin_init::zeroed(),
            allocated: ptr::null_mut(),
        }
    }
}

impl Segments {
    /// Replaces what there is by parts of registered memory, and returns where they are now.
    fn replace(&mut self, parts: KVec<bindings::bio_vec>) -> *const bindings::bio_vec {
        self.free();
        let (parts, _, _) = parts.into_raw_parts();
        // Both are from kmalloc().
        self.allocated = parts.cast();
        parts
    }

    /// Frees what was allocated.
    fn free(&mut self) {
        let allocated = core::mem::replace(&mut self.allocated, ptr::null_mut());
        if !allocated.is_null() {
            // SAFETY: `import_iovec()` or a `KVec` allocated it, and nobody uses it any more.
            unsafe { bindings::kfree(allocated.cast()) };
        }
    }
}

impl Drop for Segments {
    fn drop(&mut self) {
        self.free();
    }
}

impl Transfer {
    /// Forgets what was prepared. The rest is of no meaning then, and is left as it is.
    #[inline(always)]
    pub(super) fn forget(&mut self) {
        self.direction = None;
        self.done = 0;
        if self.holds {
            self.let_go();
        }
    }

    #[inline(never)]
    fn let_go(&mut self) {
        self.holds = false;
        self.segments.free();
        if let Some(pinned) = self.pinned.take() {
            pinned::put(pinned);
        }
    }

    /// Whether its memory is that of a registered buffer.
    pub(super) fn is_pinned(&self) -> bool {
        self.pinned.is_some()
    }

    /// Which way data goes, if it was prepared.
    pub(crate) fn direction(&self) -> Option<Direction> {
        self.direction
    }

    /// Makes `iter` one over what is left of it.
    ///
    /// # Safety
    ///
    /// The transfer was prepared, `iter` is valid for writes, and not in use any more when the
    /// transfer is prepared anew, forgotten or moved.
    pub(super) unsafe fn iterate(&self, iter: *mut bindings::iov_iter) {
        let (rw, len) = (self.direction.unwrap_or(Direction::Write).rw(), self.len);
        // SAFETY: By the requirements; `import` says where the memory is, of which it has checked
        // so much.
        unsafe {
            match self.memory {
                Memory::Buffer(at) => {
                    bindings::raio_helper_iter_ubuf(iter, rw, at as *mut c_void, len);
                }
                Memory::Segments(at, nr) => {
                    bindings::iov_iter_init(iter, rw as c_uint, at, nr, len);
                }
                Memory::Parts(at, nr, offset) => {
                    bindings::raio_helper_import_bvec(iter, rw, at, nr, offset, len);
                }
            }
            if self.done > 0 {
                bindings::iov_iter_advance(iter, self.done);
            }
        }
    }

    /// Where its memory is, if that is one buffer.
    pub(super) fn address(&self) -> Option<usize> {
        match self.memory {
            Memory::Buffer(address) => Some(address),
            _ => None,
        }
    }

    /// Bytes that were moved.
    pub(crate) fn done(&self) -> usize {
        self.done
    }

    /// Notes that `n` bytes more were moved.
    pub(crate) fn advance(&mut self, n: usize) {
        self.done = self.done.saturating_add(n).min(self.len);
    }

    /// Bytes that are left.
    pub(crate) fn left(&self) -> usize {
        self.len.saturating_sub(self.done)
    }

    /// Whether that result of its first try says that all of it was moved.
    #[inline]
    pub(crate) fn is_all(&self, result: isize) -> bool {
        usize::try_from(result) == Ok(self.len)
    }

    /// Where in the file the rest is. A stream has no places: sockets refuse any but the first.
    pub(crate) fn pos(&self) -> i64 {
        let done = if self.has_places { self.done as u64 } else { 0 };
        self.pos.saturating_add_unsigned(done)
    }

    /// A pipe or socket that nobody reads is an error from here on, and no signal.
    pub(crate) fn raise_no_signal(&mut self) {
        self.flags |= bindings::IOCB_NOSIGNAL;
    }

    /// Whether it goes past the page cache.
    pub(crate) fn is_direct(&self) -> bool {
        self.flags & bindings::IOCB_DIRECT != 0
    }

    /// Whether it goes from or to a device at once. (O_DIRECT of a pipe is something else.)
    pub(crate) fn is_direct_io(&self) -> bool {
        self.is_direct() && self.has_places
    }

    /// Whether the rest can't be written as one with what was written: an append, since others
    /// may have appended, or an atomic write.
    pub(crate) fn is_indivisible(&self) -> bool {
        self.flags & (bindings::IOCB_APPEND | bindings::IOCB_ATOMIC) != 0
    }
}

/// The I/O priority of the current task. Process context.
pub(crate) fn current_ioprio() -> u16 {
    // SAFETY: May be called in any task.
    unsafe { bindings::raio_helper_get_current_ioprio() }
}

/// The file behind `fd` of the current task. EBADF if there is none.
///
/// Process context, in an ioctl.
pub(crate) fn fget(fd: u32) -> Result<ARef<File>> {
    let file = LocalFile::fget(fd).map_err(|_| EBADF)?;
    // SAFETY: ioctl(2) uses `fdget()`: there is no `fdget_pos()` on this thread.
    Ok(unsafe { LocalFile::assume_no_fdget_pos(file) })
}

/// Gives back a reference to a file. If it was the last, the file is released when this returns, and
/// not just before the task goes back to its program. Process context, sleeps; under no lock.
pub(crate) fn put_now(file: ARef<File>) {
    // SAFETY: The reference that was given up is the one that the call gives back.
    unsafe { bindings::__fput_sync(ARef::into_raw(file).as_ref().as_ptr()) };
}

/// The file's operations. Any context.
pub(super) fn operations(file: &File) -> &bindings::file_operations {
    // SAFETY: A file that is open has operations. A hang-up may replace them by another table,
    // but all of them live for as long as the file holds their module.
    unsafe { &*(&raw const (*file.as_ptr()).f_op).read_volatile() }
}

/// Whether `file` is open for `direction`. Any context.
fn is_open_for(file: &File, direction: Direction) -> bool {
    let bit = match direction {
        Direction::Read => bindings::FMODE_READ,
        Direction::Write => bindings::FMODE_WRITE,
    };
    // SAFETY: The file is valid. Other bits of the word may change, not these.
    unsafe { (&raw const (*file.as_ptr()).f_mode).read_volatile() & bit != 0 }
}

/// Whether `file` can transfer in `direction` asynchronously. Any context.
fn has_iter(file: &File, direction: Direction) -> bool {
    match direction {
        Direction::Read => operations(file).read_iter.is_some(),
        Direction::Write => operations(file).write_iter.is_some(),
    }
}

/// What of a file tells which way its requests go. Flags are as of now: the caller remembers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Facts {
    /// What it is.
    pub(crate) class: Class,
    /// IOCB_NOWAIT is honoured (FMODE_NOWAIT).
    pub(crate) nowait: bool,
    /// O_NONBLOCK is set.
    pub(crate) nonblock: bool,
    /// Buffered reads can wait for pages without a task (FOP_BUFFER_RASYNC).
    pub(crate) page_wait: bool,
}

/// What a file is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Class {
    /// A pipe or FIFO.
    Pipe,
    /// A TCP or UDP socket.
    Inet,
    /// Another socket.
    Socket,
    /// An eventfd or timerfd.
    Counter,
    /// A regular file of tmpfs that has no page in swap.
    Memory,
    /// A regular file whose data is in the page cache.
    Regular,
    /// Another regular file, as those of procfs and sysfs.
    Pseudo,
    /// A block device.
    Block,
    /// A character device.
    Char,
    /// All else.
    Other,
}

/// S_IF*; 0 of anonymous files.
fn file_type(file: &File) -> u32 {
    // SAFETY: The file is valid, with its inode, whose type does not change.
    u32::from(unsafe { (*(*file.as_ptr()).f_inode).i_mode }) & bindings::S_IFMT
}

/// The facts about `file`. Any context.
pub(crate) fn facts(file: &File) -> Facts {
    // SAFETY: The file is valid, with its inode; fcntl(2) and splice(2) may change its words.
    let (f_mode, f_flags) = unsafe {
        let file = file.as_ptr();
        (
            (&raw const (*file).f_mode).read_volatile(),
            (&raw const (*file).f_flags).read_volatile(),
        )
    };
    let is_inet = || {
        // SAFETY: The file is valid.
        unsafe { bindings::raio_helper_is_tcp_or_udp(file.as_ptr()) }
    };
    let nowait = f_mode & bindings::FMODE_NOWAIT != 0;
    let class = match file_type(file) {
        // A pipe whose pages splice(2) has put there may wait for them.
        bindings::S_IFIFO if !nowait && is_pipefs(file) => Class::Other,
        bindings::S_IFIFO => Class::Pipe,
        bindings::S_IFSOCK if is_inet() => Class::Inet,
        bindings::S_IFSOCK => Class::Socket,
        // SAFETY: The file is valid.
        bindings::S_IFREG => match unsafe { bindings::raio_helper_regular_kind(file.as_ptr()) } {
            bindings::raio_regular_RAIO_REGULAR_CACHED => Class::Regular,
            bindings::raio_regular_RAIO_REGULAR_IN_MEMORY => Class::Memory,
            _ => Class::Pseudo,
        },
        bindings::S_IFBLK => Class::Block,
        bindings::S_IFCHR => Class::Char,
        0 if is_counter(file) => Class::Counter,
        _ => Class::Other,
    };
    Facts {
        class,
        nowait,
        nonblock: f_flags & bindings::O_NONBLOCK != 0,
        page_wait: operations(file).fop_flags & bindings::FOP_BUFFER_RASYNC != 0,
    }
}

/// Whether it is a pipe without a name.
fn is_pipefs(file: &File) -> bool {
    // SAFETY: The file is valid.
    unsafe { bindings::raio_helper_super_magic(file.as_ptr()) == bindings::PIPEFS_MAGIC as c_ulong }
}

/// Whether somebody is at work with `file`, which is a pipe, and keeps all others out. Any context.
pub(crate) fn is_pipe_locked(file: &File) -> bool {
    // SAFETY: The file is valid, and the helper looks whether it is a pipe.
    unsafe { bindings::raio_helper_is_pipe_locked(file.as_ptr()) }
}

/// Whether `file` is a pipe with nothing to read, for which one would have to wait. Any context.
pub(crate) fn is_pipe_idle(file: &File) -> bool {
    // SAFETY: The file is valid, and the helper looks whether it is a pipe.
    unsafe { bindings::raio_helper_is_pipe_idle(file.as_ptr()) }
}

/// Whether `file` is a pipe that has no room: who writes to it sleeps. Any context.
pub(super) fn is_pipe_full(file: &File) -> bool {
    // SAFETY: The file is valid, and the helper looks whether it is a pipe.
    unsafe { bindings::raio_helper_is_pipe_full(file.as_ptr()) }
}

/// Whether it is an eventfd or timerfd, which have no type that a module could compare.
fn is_counter(file: &File) -> bool {
    // SAFETY: The file is valid, and the name of an anonymous file does not change.
    let (magic, name) = unsafe {
        (
            bindings::raio_helper_super_magic(file.as_ptr()),
            CStr::from_char_ptr(bindings::raio_helper_dentry_name(file.as_ptr())),
        )
    };
    magic == bindings::ANON_INODE_FS_MAGIC as c_ulong
        && (name == c"[eventfd]" || name == c"[timerfd]")
}

/// The number of the file, or of its inode, that tells it from all others while it is open.
pub(crate) fn identity(file: &File, inode: bool) -> usize {
    if inode {
        // SAFETY: The file is valid.
        unsafe { (*file.as_ptr()).f_inode }.addr()
    } else {
        file.as_ptr().addr()
    }
}

/// Whether it is a file of FUSE, whose `poll` asks the server and waits for the answer.
pub(crate) fn is_fuse(file: &File) -> bool {
    // SAFETY: The file is valid.
    unsafe {
        bindings::raio_helper_super_magic(file.as_ptr()) == bindings::FUSE_SUPER_MAGIC as c_ulong
    }
}

/// Whether its transfers go past the page cache, if they do not say so themselves. Any context.
pub(crate) fn is_direct(file: &File) -> bool {
    iocb_flags(file) & bindings::IOCB_DIRECT != 0
}

/// Reads up to `len` bytes at `pos` of `open` to `address` in the current address space, or in the
/// buffer `pinned`, and says how many; `None` if it is not all in there, if there is no `read_iter`,
/// for any error, and if a page fault would have to be served. `mode` says how it may wait. Process
/// context.
pub(crate) fn read_now<T>(
    open: &mut OpenFile<T>,
    pos: i64,
    (address, len): (u64, usize),
    pinned: Option<&PinnedBuffer>,
    mode: Mode,
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
    // the iterator are the file's only during the call.
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

/// Whether a read of `file` will have to note when, which may wait for the device. Any context.
pub(crate) fn notes_access(file: &File) -> bool {
    // SAFETY: The file is valid.
    unsafe { bindings::raio_helper_atime_needs_update(file.as_ptr()) }
}

/// Whether the file system of `file` has had no direct transfer that completes later. Any context.
pub(crate) fn is_first_direct(file: &File) -> bool {
    // SAFETY: The file is valid, with its inode and super block; the word is set once.
    unsafe {
        let sb = (*(*file.as_ptr()).f_inode).i_sb;
        (&raw const (*sb).s_dio_done_wq).read_volatile().is_null()
    }
}

/// Whether a write to `file` at `pos` would be beyond RLIMIT_FSIZE of the current task, which is
/// then told by SIGXFSZ. Process context.
pub(crate) fn is_beyond_limit(file: &File, pos: i64) -> bool {
    // SAFETY: Reads a limit of the current task, and sends a signal to it.
    file_type(file) == bindings::S_IFREG && unsafe { bindings::raio_helper_exceeds_fsize(pos) }
}

/// The size of the file's data, or device. Any context.
pub(crate) fn size(file: &File) -> i64 {
    // SAFETY: The file is valid, with its mapping.
    unsafe { bindings::raio_helper_mapping_size(file.as_ptr()) }
}

/// Whether `file` has fsync. Any context.
pub(crate) fn has_fsync(file: &File) -> bool {
    operations(file).fsync.is_some()
}

/// Writes back `file`, its data alone or all of it. Process context, sleeps.
pub(crate) fn fsync(file: &File, datasync: bool) -> Result {
    // SAFETY: The file is valid and has the operation, or the call says EINVAL.
    to_result(unsafe {
        bindings::vfs_fsync_range(file.as_ptr(), 0, i64::MAX, c_int::from(datasync))
    })
}

/// Whether somebody is asked about each range of `file` that is read or written, and may take his
/// time. Any context.
pub(crate) fn has_permission_events(file: &File) -> bool {
    // SAFETY: The file is valid.
    unsafe { bindings::raio_helper_has_permission_events(file.as_ptr()) }
}

/// A file, and what was found out about transfers of it, in a call of submit.
pub(crate) struct OpenFile<T> {
    file: ARef<File>,
    /// Of the last transfer.
    checked: Option<Checked<T>>,
    reading: Verified,
    writing: Verified,
}

/// That transfers of a kind may be prepared for a file.
struct Checked<T> {
    direction: Direction,
    /// RWF_*.
    rw_flags: i32,
    /// IOCB_*: those of the file, and all.
    of_file: c_int,
    flags: c_int,
    /// It is a regular file or block device.
    has_places: bool,
    /// What the caller has made of it.
    rules: T,
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
    fn check(
        &mut self,
        direction: Direction,
        rw_flags: i32,
        rules: impl FnOnce(&File, Kind) -> T,
    ) -> Result<&Checked<T>> {
        let of_file = iocb_flags(&self.file);
        let known = self.checked.as_ref().is_some_and(|checked| {
            checked.direction == direction
                && checked.rw_flags == rw_flags
                && checked.of_file == of_file
        });
        if !known {
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
fn iocb_flags(file: &File) -> c_int {
    // SAFETY: The file is valid.
    unsafe { (&raw const (*file.as_ptr()).f_iocb_flags).read_volatile() as c_int }
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
        // SAFETY: The helper only looks at file and flags, and writes the flags.
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
struct Verified(bool);

/// rw_verify_area(): whether `len` bytes at `pos` may be transferred, by the file's kind of offsets,
/// the security modules and who listens to permission events. Process context, may sleep.
///
/// The security modules are told of the file and the direction only, so that it is enough to ask
/// them once in a call.
#[inline(always)]
fn verify(
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
    // SAFETY: The file is valid, and `pos` is only read.
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

/// An I/O priority, and whose word it is.
#[derive(Clone, Copy)]
pub(crate) enum Ioprio {
    /// The program's.
    Chosen(u16),
    /// The task's, see [`current_ioprio`].
    Current(u16),
}

/// The buffers that a program names.
pub(crate) struct Buffers {
    /// The address of the buffer, or of the array of `struct iovec`.
    pub(crate) address: u64,
    /// Its size in bytes, or the number of segments.
    pub(crate) len: usize,
    /// Whether it is an array.
    pub(crate) vectored: bool,
    /// The registered buffer in which all of it lies.
    pub(crate) pinned: Option<Arc<PinnedBuffer>>,
}

/// A transfer that is being prepared: its memory is missing.
#[must_use]
pub(crate) struct Preparing<'r, 'f, C: Client, T> {
    request: &'r mut Owned<C>,
    open: &'f mut OpenFile<T>,
    direction: Direction,
    pos: i64,
}

impl<C: Client> Owned<C> {
    /// Begins to prepare a transfer from or to `open`, which is the request's file. What `rules`
    /// says of the file is remembered for more transfers of the same kind.
    ///
    /// Errors are those of the submission: EBADF, EINVAL, EOPNOTSUPP, EPERM. The order of checks
    /// is native aio's, here and in what follows. Process context.
    #[inline(always)]
    pub(crate) fn prep_rw<'r, 'f, T>(
        &'r mut self,
        open: &'f mut OpenFile<T>,
        direction: Direction,
        pos: i64,
        rw_flags: i32,
        ioprio: Ioprio,
        rules: impl FnOnce(&File, Kind) -> T,
    ) -> Result<Preparing<'r, 'f, C, T>> {
        let ioprio = match ioprio {
            Ioprio::Chosen(ioprio) => {
                check_ioprio(ioprio)?;
                ioprio
            }
            Ioprio::Current(ioprio) => ioprio,
        };
        let file = open.file.as_ptr();
        if self.file().map(|own| own.as_ptr()) != Some(file) {
            return Err(EBADF);
        }
        let checked = open.check(direction, rw_flags, rules)?;
        let (flags, has_places) = (checked.flags, checked.has_places);

        let kiocb = self.slot().kiocb.get();
        // SAFETY: We own the request, so the kiocb is ours, and `file` is a reference that the
        // request holds for longer than any peer holds the kiocb. The remaining fields are each
        // try's, or of no meaning without their flags.
        unsafe {
            (*kiocb).ki_filp = file;
            (*kiocb).ki_complete = Some(request::ki_complete::<C>);
            (*kiocb).ki_ioprio = ioprio;
            (*kiocb).ki_write_stream = 0;
        }
        let transfer = self.transfer_mut();
        transfer.pos = pos;
        transfer.has_places = has_places;
        transfer.flags = flags;
        Ok(Preparing {
            request: self,
            open,
            direction,
            pos,
        })
    }
}

impl<'f, C: Client, T> Preparing<'_, 'f, C, T> {
    /// The memory is the `len` bytes at `address` of the current address space.
    ///
    /// EFAULT, and what `rw_verify_area()` says. Process context, may sleep.
    #[inline(always)]
    pub(crate) fn buffer(self, address: u64, len: usize) -> Result<&'f T> {
        let iter = self.request.slot().iter.get();
        // SAFETY: We own the request, so the iterator is ours. The import checks the address, and
        // may shorten the length.
        let error = unsafe {
            bindings::import_ubuf(self.direction.rw(), address as *mut c_void, len, iter)
        };
        if error != 0 {
            return Err(EFAULT);
        }
        self.request.transfer_mut().memory = Memory::Buffer(address as usize);
        self.finish()
    }

    /// The memory is that of an array of buffers, or registered.
    ///
    /// As [`Self::buffer`]; and EINVAL, ENOMEM.
    #[inline(always)]
    pub(crate) fn buffers(self, buffers: Buffers) -> Result<&'f T> {
        let iter = self.request.slot().iter.get();
        let transfer = self.request.transfer_mut();
        // SAFETY: We own the request, so both are ours, and they are of one slot.
        unsafe { import(transfer, iter, self.direction, buffers)? };
        self.finish()
    }

    #[inline(always)]
    fn finish(self) -> Result<&'f T> {
        let Preparing {
            request,
            open,
            direction,
            pos,
        } = self;
        // SAFETY: The iterator was just imported, and is ours.
        let len = unsafe { iter_count(request.slot().iter.get()) };
        let transfer = request.transfer_mut();
        transfer.len = len;
        transfer.fresh = true;
        let verified = match direction {
            Direction::Read => &mut open.reading,
            Direction::Write => &mut open.writing,
        };
        verify(&open.file, direction, pos, len, verified)?;
        transfer.direction = Some(direction);
        open.checked
            .as_ref()
            .map(|checked| &checked.rules)
            .ok_or(EINVAL)
    }
}

/// The checks of `ioprio_check_cap()`, which is not exported.
fn check_ioprio(ioprio: u16) -> Result {
    let (class, level) = (
        u32::from(ioprio) >> bindings::IOPRIO_CLASS_SHIFT,
        u32::from(ioprio) & bindings::IOPRIO_LEVEL_MASK,
    );
    match class {
        bindings::IOPRIO_CLASS_NONE if level == 0 => Ok(()),
        bindings::IOPRIO_CLASS_RT if capability::may_set_rt_ioprio() => Ok(()),
        bindings::IOPRIO_CLASS_RT => Err(EPERM),
        bindings::IOPRIO_CLASS_BE | bindings::IOPRIO_CLASS_IDLE => Ok(()),
        _ => Err(EINVAL),
    }
}

/// Imports `buffers` for a transfer that is not used by anybody yet, and makes `iter` one over them.
///
/// # Safety
///
/// `transfer` and `iter` are of one slot, which the caller owns.
#[inline(never)]
unsafe fn import(
    transfer: &mut Transfer,
    iter: *mut bindings::iov_iter,
    direction: Direction,
    buffers: Buffers,
) -> Result {
    let Buffers {
        address,
        len,
        vectored,
        pinned,
    } = buffers;
    transfer.holds = true;
    // SAFETY: By the requirement. The transfer keeps buffer and segments for as long; the imports
    // check the addresses.
    unsafe {
        match (&pinned, vectored) {
            (Some(pinned), false) => pinned.import(direction, address, len, iter)?,
            (Some(pinned), true) => {
                import_segments(transfer, iter, direction, address, len)?;
                import_pinned_segments(transfer, iter, direction, pinned)?;
            }
            (None, true) => import_segments(transfer, iter, direction, address, len)?,
            (None, false) => to_result(bindings::import_ubuf(
                direction.rw(),
                address as *mut c_void,
                len,
                iter,
            ))?,
        }
        transfer.memory = memory_of(iter);
    }
    transfer.pinned = pinned;
    Ok(())
}

/// What `iter` is over.
///
/// # Safety
///
/// It is initialised and was not advanced.
unsafe fn memory_of(iter: *const bindings::iov_iter) -> Memory {
    // SAFETY: By the requirement, and the type says which field of the union it is.
    unsafe {
        let at = (*iter)
            .__bindgen_anon_1
            .__bindgen_anon_1
            .as_ref()
            .__bindgen_anon_1;
        let nr = (*iter).__bindgen_anon_2.nr_segs;
        match u32::from((*iter).iter_type) {
            bindings::iter_type_ITER_BVEC => Memory::Parts(at.bvec, nr, (*iter).iov_offset),
            bindings::iter_type_ITER_IOVEC => Memory::Segments(at.__iov, nr),
            // An array of one is none.
            _ => Memory::Buffer(at.ubuf.addr()),
        }
    }
}

/// The bytes of an iterator.
///
/// # Safety
///
/// `iter` is initialised.
unsafe fn iter_count(iter: *const bindings::iov_iter) -> usize {
    // SAFETY: By the requirement.
    unsafe { (*iter).__bindgen_anon_1.__bindgen_anon_1.as_ref().count }
}

/// Imports the `nr` segments of the array at `address`.
///
/// # Safety
///
/// As of [`import`].
unsafe fn import_segments(
    transfer: &mut Transfer,
    iter: *mut bindings::iov_iter,
    direction: Direction,
    address: u64,
    nr: usize,
) -> Result {
    let mut segments = transfer.segments.few.as_mut_ptr();
    // SAFETY: By the requirement. The import checks the addresses, and may shorten the length.
    // What it allocates, `Segments` frees; what is in place stays there: a slot does
    // not move, and its transfer is replaced only when the request is at home or prepared anew.
    let result = unsafe {
        bindings::import_iovec(
            direction.rw(),
            address as *const bindings::iovec,
            c_uint::try_from(nr).map_err(|_| EINVAL)?,
            FEW as c_uint,
            &raw mut segments,
            iter,
        )
    };
    // NULL says that they are in place.
    transfer.segments.allocated = segments;
    to_result(result.min(0) as c_int)
}

/// Finds the segments that were imported in `pinned`, and replaces them by what is there. EFAULT if
/// they are not all there, ENOMEM.
///
/// # Safety
///
/// As of [`import`]; `iter` is over what was imported.
unsafe fn import_pinned_segments(
    transfer: &mut Transfer,
    iter: *mut bindings::iov_iter,
    direction: Direction,
    pinned: &PinnedBuffer,
) -> Result {
    let mut parts = KVec::new();
    // SAFETY: By the requirement.
    let len = unsafe { iter_count(iter) };
    if len == 0 {
        // It is over no memory as it is.
        return Ok(());
    }
    // SAFETY: As above. Segments without a byte lie nowhere; this goes over those at the start.
    unsafe { bindings::iov_iter_advance(iter, 0) };
    let mut left = len;
    while left > 0 {
        // SAFETY: There is more in the iterator, which is over user memory.
        let (address, len) = unsafe {
            (
                bindings::raio_helper_iter_address(iter),
                bindings::raio_helper_iter_len(iter).min(left),
            )
        };
        pinned.collect(address, len, &mut parts)?;
        // SAFETY: As above, and there are `len` bytes more.
        unsafe { bindings::iov_iter_advance(iter, len) };
        left -= len;
    }
    let nr = parts.len();
    let parts = transfer.segments.replace(parts);
    // SAFETY: `iter` is valid for writes, and the transfer has the parts, which have `len` bytes.
    unsafe { bindings::raio_helper_import_bvec(iter, direction.rw(), parts, nr, 0, len) };
    Ok(())
}

impl<C: Client> Run<C> {
    /// Calls the file's `read_iter` or `write_iter` for what is left of a transfer that
    /// [`Owned::prep_rw`] prepared; EINVAL is the result if it did not.
    ///
    /// Process context, in the address space that the buffers are in. Sleeps as `mode` and `faults`
    /// say.
    #[inline(never)]
    pub(crate) fn call(self, mode: Mode, faults: Faults) -> Tried<C> {
        self.call_here(mode, faults)
    }

    /// As [`Self::call`], without a call of its own.
    #[inline(always)]
    pub(crate) fn call_here(mut self, mode: Mode, faults: Faults) -> Tried<C> {
        let invalid = EINVAL.to_errno() as isize;
        let slot = self.slot();
        slot.entries.disarm();
        let (kiocb, iter) = (slot.kiocb.get(), slot.iter.get());
        let (direction, call) = match (self.transfer().direction, self.file()) {
            (Some(direction), Some(file)) => (
                direction,
                match direction {
                    Direction::Read => operations(file).read_iter,
                    Direction::Write => operations(file).write_iter,
                },
            ),
            _ => return Tried::Returned(self, invalid),
        };
        let Some(call) = call else {
            return Tried::Returned(self, invalid);
        };
        let transfer = self.transfer_mut();
        // SAFETY: No driver has the request and we have the run, so kiocb and iterator are ours.
        // Every try starts from what was prepared, and what is done of it.
        unsafe {
            (*kiocb).ki_flags = transfer.flags | mode.flags();
            (*kiocb).private = ptr::null_mut();
            if transfer.fresh {
                transfer.fresh = false;
                (*kiocb).ki_pos = transfer.pos;
            } else {
                (*kiocb).ki_pos = transfer.pos();
                transfer.iterate(iter);
            }
        }
        // SAFETY: As above; `prep_rw` initialised the kiocb for the file that the request has.
        let thawed = direction == Direction::Read || unsafe { start_write(self.slot(), mode) };
        if !thawed {
            return Tried::Frozen(self);
        }
        if mode == Mode::PageWait {
            // SAFETY: Whoever ends a run with the entry queued comes back when it is off again.
            unsafe { pagemap::prepare(self.slot()) };
        }

        let slot_ptr = self.into_slot();
        // SAFETY: `prep_rw` initialised kiocb and iterator, for the file that the request still
        // has and for this direction. `call` is an operation of that file. Both live until both
        // owners have let go of the request.
        let result = unsafe {
            if faults == Faults::Fail {
                bindings::raio_helper_pagefault_disable();
                let result = call(kiocb, iter);
                bindings::raio_helper_pagefault_enable();
                result
            } else {
                call(kiocb, iter)
            }
        };
        // SAFETY: The run has the request until its step below, so the slot is valid.
        let slot = unsafe { slot_ptr.as_ref() };

        if result != -(bindings::EIOCBQUEUED as isize) {
            // A driver that called `ki_complete` as well is broken, and still lets go of the
            // request only once more.
            kernel::warn_on!(slot.peer_done());
            // SAFETY: The run still has the request, and there is no peer.
            return unsafe {
                end_write(slot);
                Tried::Returned(Run::from_slot(slot_ptr), result)
            };
        }
        if mode == Mode::PageWait {
            // SAFETY: The run still has it: a page's waker only kicks it.
            return Tried::Page(unsafe { PageRun::new(Run::from_slot(slot_ptr)) });
        }
        match slot.step(Step::Leave) {
            Some(Then::Own) => {
                // SAFETY: The step just said so.
                let request = unsafe { Owned::from_slot(slot_ptr) };
                let result = request.slot().result();
                Tried::Completed(request, result)
            }
            _ => Tried::InFlight,
        }
    }
}

/// Marks a write, and takes the file system's freeze protection if it is one to a regular file;
/// false if it is frozen and `mode` says not to wait.
///
/// # Safety
///
/// The caller has the run of the request, whose kiocb is initialised for a file that it has.
unsafe fn start_write<C: Client>(slot: &Slot<C>, mode: Mode) -> bool {
    let kiocb = slot.kiocb.get();
    // SAFETY: By the requirement.
    unsafe {
        if bindings::raio_helper_is_reg((*kiocb).ki_filp) {
            if mode == Mode::Block {
                bindings::raio_helper_kiocb_start_write(kiocb);
            } else if !bindings::raio_helper_kiocb_start_write_trylock(kiocb) {
                return false;
            }
            slot.protected.store(true, Relaxed);
        }
        (*kiocb).ki_flags |= bindings::IOCB_WRITE;
    }
    true
}

/// Gives back the protection that [`start_write`] took, once. Any context.
///
/// # Safety
///
/// The caller is an owner of the request, whose kiocb is initialised for a file that it has.
#[inline(always)]
pub(super) unsafe fn end_write<C: Client>(slot: &Slot<C>) {
    // SAFETY: It is valid and aligned; this is `load` with `Relaxed`, but for the call.
    let protected = unsafe { slot.protected.as_ptr().read_volatile() };
    if protected && slot.protected.xchg(false, Relaxed) {
        // SAFETY: By the requirement, and nobody else ends it.
        unsafe { bindings::raio_helper_kiocb_end_write(slot.kiocb.get()) };
    }
}
