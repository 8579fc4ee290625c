// SPDX-License-Identifier: GPL-2.0

//! What decides how requests for a file are handled.
//!
//! C header: [`include/linux/fs.h`](srctree/include/linux/fs.h)

use super::{
    can_page_wait,
    Transfer, //
};
use crate::sys::{
    bindings,
    uio::Direction, //
};
use kernel::{
    fs::File,
    prelude::*, //
};

/// What of a file decides how its requests are handled. Flags are as of now: the caller remembers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Facts {
    /// What it is.
    pub(crate) class: Class,
    /// It is a character device.
    pub(crate) device: bool,
    /// It is a socket.
    pub(crate) socket: bool,
    /// IOCB_NOWAIT is honoured (FMODE_NOWAIT).
    pub(crate) nowait: bool,
    /// O_NONBLOCK is set.
    pub(crate) nonblock: bool,
    /// Buffered reads can wait for pages without a task (FOP_BUFFER_RASYNC).
    pub(crate) page_wait: bool,
}

/// What a file is.
///
/// The kinds are those that somebody has looked at; all else is [`Class::Other`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Class {
    /// A pipe or FIFO.
    Pipe,
    /// A pipe that splice(2) has put pages to, which may wait for them.
    Spliced,
    /// A TCP or UDP socket.
    Inet,
    /// An AF_UNIX socket.
    Unix,
    /// An eventfd or timerfd.
    Counter,
    /// A tty or pty.
    Tty,
    /// A regular file of tmpfs that has no page in swap.
    Memory,
    /// A regular file of one of the named file systems with a page cache, or of overlayfs.
    Regular,
    /// A regular file of FUSE.
    Fuse,
    /// A block device.
    Block,
    /// `/dev/zero` and the like, which never wait.
    Zero,
    /// All else: files of procfs, sysfs, cgroups, netlink and other sockets, other devices, ...
    Other,
}

impl Class {
    /// Whether reads and writes of such a file may be made by a thread that has no files, and on
    /// which signals have no effect. The reasons are in `src/policy.rs`.
    pub(crate) fn is_for_workers(self) -> bool {
        match self {
            Class::Pipe
            | Class::Spliced
            | Class::Inet
            | Class::Unix
            | Class::Counter
            | Class::Tty
            | Class::Memory
            | Class::Regular
            | Class::Fuse
            | Class::Block => true,
            Class::Zero | Class::Other => false,
        }
    }
}

/// S_IF*; 0 of anonymous files.
pub(in crate::sys) fn file_type(file: &File) -> u32 {
    // SAFETY: The file is valid, as it is borrowed, with its inode, whose type does not change. A
    // read of memory: any context.
    u32::from(unsafe { (*(*file.as_ptr()).f_inode).i_mode }) & bindings::S_IFMT
}

/// The facts about `file`. Any context.
pub(crate) fn facts(file: &File) -> Facts {
    // SAFETY: The file is valid, as it is borrowed. fcntl(2) and splice(2) may change its words,
    // so each is read once. Any context.
    let (f_mode, f_flags) = unsafe {
        let file = file.as_ptr();
        (
            (&raw const (*file).f_mode).read_volatile(),
            (&raw const (*file).f_flags).read_volatile(),
        )
    };
    let is_inet = || {
        // SAFETY: The file is valid, as it is borrowed. The helper looks whether it is a socket,
        // whose family and protocol do not change. It takes no lock: any context.
        unsafe { bindings::raio_helper_is_tcp_or_udp(file.as_ptr()) }
    };
    let nowait = f_mode & bindings::FMODE_NOWAIT != 0;
    // SAFETY: The file is valid, as it is borrowed. The helpers below look at its kind, which is
    // fixed while it is open, and take no lock: any context.
    let is = |helper: unsafe extern "C" fn(*const bindings::file) -> bool| unsafe {
        helper(file.as_ptr())
    };
    let class = match file_type(file) {
        bindings::S_IFIFO if !nowait && is_pipefs(file) => Class::Spliced,
        bindings::S_IFIFO => Class::Pipe,
        bindings::S_IFSOCK if is_inet() => Class::Inet,
        bindings::S_IFSOCK if is(bindings::raio_helper_is_unix) => Class::Unix,
        // SAFETY: The file is valid, as it is borrowed, with its inode, super block and mapping. A
        // count of tmpfs, which may change, is read once. No lock: any context.
        bindings::S_IFREG => match unsafe { bindings::raio_helper_regular_kind(file.as_ptr()) } {
            bindings::raio_regular_RAIO_REGULAR_CACHED => Class::Regular,
            bindings::raio_regular_RAIO_REGULAR_IN_MEMORY => Class::Memory,
            bindings::raio_regular_RAIO_REGULAR_FUSE => Class::Fuse,
            _ => Class::Other,
        },
        bindings::S_IFBLK => Class::Block,
        bindings::S_IFCHR if is(bindings::raio_helper_is_tty) => Class::Tty,
        bindings::S_IFCHR if is(bindings::raio_helper_is_memory_device) => Class::Zero,
        0 if is_counter(file) => Class::Counter,
        _ => Class::Other,
    };
    Facts {
        class,
        device: file_type(file) == bindings::S_IFCHR,
        socket: file_type(file) == bindings::S_IFSOCK,
        nowait,
        nonblock: f_flags & bindings::O_NONBLOCK != 0,
        page_wait: can_page_wait(file),
    }
}

/// Whether it is a pipe without a name.
fn is_pipefs(file: &File) -> bool {
    // SAFETY: The file is valid, as it is borrowed, with its inode and super block, whose number
    // does not change. A read of memory: any context.
    unsafe { bindings::raio_helper_super_magic(file.as_ptr()) == bindings::PIPEFS_MAGIC as c_ulong }
}

/// Whether somebody is at work with `file`, a pipe or socket, and keeps out all others who want to
/// transfer in that direction: perhaps while he waits for a page of his own. Any context.
pub(crate) fn is_stream_locked(file: &File, direction: Direction) -> bool {
    let write = direction == Direction::Write;
    // SAFETY: The file is valid, as it is borrowed. The helper looks what it is, and whether
    // somebody has its lock, a word that may change: it takes none, in any context.
    unsafe { bindings::raio_helper_is_stream_locked(file.as_ptr(), write) }
}

/// Whether a read or write of `file`, of that class, waits by rules of its own that poll does not
/// tell: a time, a number of bytes. Any context.
pub(crate) fn has_own_rules(file: &File, class: Class, direction: Direction) -> bool {
    let write = direction == Direction::Write;
    match class {
        // SAFETY: The file is valid, as it is borrowed. The helper looks whether it is a socket,
        // and reads words that may change, each once. No lock: any context.
        Class::Inet | Class::Unix | Class::Other => unsafe {
            bindings::raio_helper_has_socket_rules(file.as_ptr(), write)
        },
        _ => false,
    }
}

/// Whether job control stops the current process at a transfer of `file`, which is a tty's. Process
/// context.
pub(crate) fn tty_stops(file: &File, direction: Direction) -> bool {
    // SAFETY: The file is valid, as it is borrowed. Only if it is a tty's the tty is looked at, to
    // which it refers until it is released. The current task has a process as long as it runs. The
    // lock of the tty is taken with interrupts off; process context, in which no such lock is held.
    unsafe {
        bindings::raio_helper_is_tty(file.as_ptr())
            && bindings::raio_helper_tty_stops(file.as_ptr(), direction == Direction::Write)
    }
}

/// Whether `file` is a pipe of which a read has left data, though no packet of it has ended. Process
/// context; false if somebody is at work with the pipe.
pub(crate) fn is_pipe_unread(file: &File) -> bool {
    // SAFETY: The file is valid, and the helper looks whether it is a pipe. It waits for no lock, and
    // takes the mutex of the pipe in process context, for a moment.
    unsafe { bindings::raio_helper_is_pipe_unread(file.as_ptr()) }
}

/// Whether `file` is a pipe, or a TCP, UDP or AF_UNIX socket, of which a read would have to wait
/// until poll says that it need not. Any context.
pub(crate) fn is_stream_idle(file: &File) -> bool {
    // SAFETY: The file is valid, as it is borrowed. The helper looks what it is, and reads words
    // that may change, each once. No lock: any context.
    unsafe { bindings::raio_helper_is_stream_idle(file.as_ptr()) }
}

/// Whether `file` is a pipe that has no room: who writes to it sleeps. Any context.
pub(in crate::sys) fn is_pipe_full(file: &File) -> bool {
    // SAFETY: The file is valid, as it is borrowed. The helper looks whether it is a pipe, and
    // reads words that may change, each once. No lock: also in a wake function of the pipe's queue.
    unsafe { bindings::raio_helper_is_pipe_full(file.as_ptr()) }
}

/// Whether it is an eventfd or timerfd, which have no type that a module could compare.
fn is_counter(file: &File) -> bool {
    // SAFETY: The file is valid, as it is borrowed, with its entry, which has a name that ends in
    // NUL. It has no type, so it is anonymous, and its name does not change. A read of memory: any
    // context.
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
        // SAFETY: The file is valid, as it is borrowed, and its inode stays the same. The pointer
        // is read, in any context, and not followed.
        unsafe { (*file.as_ptr()).f_inode }.addr()
    } else {
        file.as_ptr().addr()
    }
}

/// Whether it is a file of FUSE, whose `poll` asks the server and waits for the answer.
pub(crate) fn is_fuse(file: &File) -> bool {
    // SAFETY: The file is valid, as it is borrowed, with its inode and super block, whose number
    // does not change. A read of memory: any context.
    unsafe {
        bindings::raio_helper_super_magic(file.as_ptr()) == bindings::FUSE_SUPER_MAGIC as c_ulong
    }
}

/// Whether a read of `file` will have to note when, which may wait for the device. Any context.
pub(crate) fn notes_access(file: &File) -> bool {
    // SAFETY: The file is valid, as it is borrowed, with its inode and mount. The helper reads
    // words that may change, whereby it may err, and a clock. No lock: any context.
    unsafe { bindings::raio_helper_atime_needs_update(file.as_ptr()) }
}

/// Whether the file system of `file` has had no direct transfer that completes later. Any context.
pub(crate) fn is_first_direct(file: &File) -> bool {
    // SAFETY: The file is valid, as it is borrowed, with its inode and super block. The word is set
    // once, by an atomic: it is read once, in any context, and not followed.
    unsafe {
        let sb = (*(*file.as_ptr()).f_inode).i_sb;
        (&raw const (*sb).s_dio_done_wq).read_volatile().is_null()
    }
}

/// Whether `transfer` is a write to `file`, of which nothing more may be written: the rest is beyond
/// RLIMIT_FSIZE of the current task's process. Process context.
pub(crate) fn is_beyond_limit(file: &File, transfer: &Transfer) -> bool {
    transfer.direction() == Some(Direction::Write)
        && transfer.left() > 0
        // SAFETY: The file is valid, as it is borrowed, with its inode and mapping. The current
        // task has limits as long as it runs, and they and the size may be read while they change.
        // No lock, no sleep.
        && unsafe {
            bindings::raio_helper_exceeds_fsize(
                file.as_ptr(),
                transfer.pos(),
                transfer.appends(),
            )
        }
}

/// The size of the file's data, or device. Any context.
pub(crate) fn size(file: &File) -> i64 {
    // SAFETY: The file is valid, as it is borrowed, with its mapping and the inode of that. The
    // size may change, and is read as a whole; where it can't be, with preemption off. Any context.
    unsafe { bindings::raio_helper_mapping_size(file.as_ptr()) }
}

/// Whether `file` is a block device that was removed: it has no data any more, and no size. Any context.
pub(crate) fn is_removed(file: &File) -> bool {
    // SAFETY: The file is valid, as it is borrowed, and keeps its block device and the disk of that. A
    // bit of it is read: any context.
    unsafe { bindings::raio_helper_is_disk_dead(file.as_ptr()) }
}

/// The position of `file`; `None` if it has none: of regular files, block devices, and those character
/// devices that can seek. Any context.
pub(crate) fn position(file: &File) -> Option<i64> {
    // SAFETY: The file is valid, as it is borrowed. Others may change its position, as they can
    // between two calls: it is read once. The mode is set when it is opened. Any context.
    let (mode, at) = unsafe {
        let at = &raw const (*file.as_ptr()).f_pos;
        ((*file.as_ptr()).f_mode, at.read_volatile())
    };
    match file_type(file) {
        bindings::S_IFREG | bindings::S_IFBLK => Some(at),
        bindings::S_IFCHR if mode & bindings::FMODE_LSEEK != 0 => Some(at),
        _ => None,
    }
}

/// Whether somebody is asked about each range of `file` that is read or written, and may take his
/// time. Any context.
pub(crate) fn has_permission_events(file: &File) -> bool {
    // SAFETY: The file is valid, as it is borrowed. Bits of it that are set when it is opened are
    // read: any context.
    unsafe { bindings::raio_helper_has_permission_events(file.as_ptr()) }
}
