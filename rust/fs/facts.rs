// SPDX-License-Identifier: GPL-2.0

//! The properties of a file that decide how its requests are handled.
//!
//! C header: [`include/linux/fs.h`](srctree/include/linux/fs.h)

use super::{
    can_page_wait,
    Transfer, //
};
use crate::{
    pure::class::{
        Class,
        Facts, //
    },
    sys::{
        bindings,
        uio::Direction, //
    }, //
};
use kernel::{
    fs::File,
    prelude::*, //
};

/// S_IF*; 0 for anonymous files.
pub(in crate::sys) fn file_type(file: &File) -> u32 {
    // SAFETY: The file is valid, as it is borrowed, and so is its inode, whose type does not
    // change. This only reads memory: any context.
    u32::from(unsafe { (*(*file.as_ptr()).f_inode).i_mode }) & bindings::S_IFMT
}

/// The facts about `file`. Any context.
pub(crate) fn facts(file: &File) -> Facts {
    // SAFETY: The file is valid, as it is borrowed. fcntl(2) and splice(2) may change the words, so
    // each is read once. Any context.
    let (f_mode, f_flags) = unsafe {
        let file = file.as_ptr();
        (
            (&raw const (*file).f_mode).read_volatile(),
            (&raw const (*file).f_flags).read_volatile(),
        )
    };
    let is_inet = || {
        // SAFETY: The file is valid, as it is borrowed. The helper checks that it is a socket,
        // whose family and protocol do not change. It takes no lock: any context.
        unsafe { bindings::raio_helper_is_tcp_or_udp(file.as_ptr()) }
    };
    let nowait = f_mode & bindings::FMODE_NOWAIT != 0;
    // SAFETY: The file is valid, as it is borrowed. The helpers below check its kind, which is
    // fixed while it is open, and take no lock: any context.
    let is = |helper: unsafe extern "C" fn(*const bindings::file) -> bool| unsafe {
        helper(file.as_ptr())
    };
    let class = match file_type(file) {
        bindings::S_IFIFO if !nowait && is_pipefs(file) => Class::Spliced,
        bindings::S_IFIFO => Class::Pipe,
        bindings::S_IFSOCK if is_inet() => Class::Inet,
        bindings::S_IFSOCK if is(bindings::raio_helper_is_unix) => Class::Unix,
        // SAFETY: The file is valid, as it is borrowed, and so are its inode, super block and
        // mapping. A count of tmpfs, which may change, is read once. No lock: any context.
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

/// Whether `file` is a pipe without a name.
fn is_pipefs(file: &File) -> bool {
    // SAFETY: The file is valid, as it is borrowed, and so are its inode and super block, whose
    // magic number does not change. This only reads memory: any context.
    unsafe { bindings::raio_helper_super_magic(file.as_ptr()) == bindings::PIPEFS_MAGIC as c_ulong }
}

/// Whether another task holds the lock of `file`, a pipe or socket, which a transfer in this
/// direction needs. That task may hold it while it waits for a page of its own. Any context.
pub(crate) fn is_stream_locked(file: &File, direction: Direction) -> bool {
    let write = direction == Direction::Write;
    // SAFETY: The file is valid, as it is borrowed. The helper checks its kind and reads whether
    // its lock is held, a word that may change. It takes no lock: any context.
    unsafe { bindings::raio_helper_is_stream_locked(file.as_ptr(), write) }
}

/// Whether a read or write of `file`, of kind `class`, waits by rules that poll does not report: a
/// timeout, a number of bytes. Any context.
pub(crate) fn has_own_rules(file: &File, class: Class, direction: Direction) -> bool {
    let write = direction == Direction::Write;
    match class {
        // SAFETY: The file is valid, as it is borrowed. The helper checks that it is a socket, and
        // reads words that may change, each once. No lock: any context.
        Class::Inet | Class::Unix | Class::Other => unsafe {
            bindings::raio_helper_has_socket_rules(file.as_ptr(), write)
        },
        _ => false,
    }
}

/// Whether job control stops the current process at a transfer of `file`, if it is a tty. Process
/// context.
pub(crate) fn tty_stops(file: &File, direction: Direction) -> bool {
    // SAFETY: The file is valid, as it is borrowed. The tty is accessed only if the file is one of
    // a tty, and the file refers to it until it is released. The current task has a process while
    // it runs. The lock of the tty is taken with interrupts off; this is process context, and no
    // such lock is held.
    unsafe {
        bindings::raio_helper_is_tty(file.as_ptr())
            && bindings::raio_helper_tty_stops(file.as_ptr(), direction == Direction::Write)
    }
}

/// Whether `file` is a pipe in which a read left data, and not at the end of a packet. False if
/// another task holds the pipe's lock. Process context.
pub(crate) fn is_pipe_unread(file: &File) -> bool {
    // SAFETY: The file is valid, and the helper checks that it is a pipe. It tries the mutex of the
    // pipe, without waiting, and holds it for a moment, in process context.
    unsafe { bindings::raio_helper_is_pipe_unread(file.as_ptr()) }
}

/// Whether `file` is a pipe, or a TCP, UDP or AF_UNIX socket, of which a read would wait until poll
/// reports it as ready. Any context.
pub(crate) fn is_stream_idle(file: &File) -> bool {
    // SAFETY: The file is valid, as it is borrowed. The helper checks its kind, and reads words
    // that may change, each once. No lock: any context.
    unsafe { bindings::raio_helper_is_stream_idle(file.as_ptr()) }
}

/// Whether `file` is a full pipe, to which a write would sleep. Any context.
pub(in crate::sys) fn is_pipe_full(file: &File) -> bool {
    // SAFETY: The file is valid, as it is borrowed. The helper checks that it is a pipe, and reads
    // words that may change, each once. It takes no lock, so it may be called in a wake function of
    // the pipe's queue.
    unsafe { bindings::raio_helper_is_pipe_full(file.as_ptr()) }
}

/// Whether `file` is an eventfd or timerfd. Their operations are not exported, so a module must
/// compare names.
fn is_counter(file: &File) -> bool {
    // SAFETY: The file is valid, as it is borrowed, and so is its dentry, whose name ends in NUL.
    // The file has no type, so it is anonymous, and its name does not change. This only reads
    // memory: any context.
    let (magic, name) = unsafe {
        (
            bindings::raio_helper_super_magic(file.as_ptr()),
            CStr::from_char_ptr(bindings::raio_helper_dentry_name(file.as_ptr())),
        )
    };
    magic == bindings::ANON_INODE_FS_MAGIC as c_ulong
        && (name == c"[eventfd]" || name == c"[timerfd]")
}

/// A number that identifies the file, or its inode, among all others while it is open.
pub(crate) fn identity(file: &File, inode: bool) -> usize {
    if inode {
        // SAFETY: The file is valid, as it is borrowed, and its inode stays the same. The pointer
        // is read, not followed. Any context.
        unsafe { (*file.as_ptr()).f_inode }.addr()
    } else {
        file.as_ptr().addr()
    }
}

/// Whether `file` is of FUSE, whose `poll` asks the server and waits for the answer.
pub(crate) fn is_fuse(file: &File) -> bool {
    // SAFETY: The file is valid, as it is borrowed, and so are its inode and super block, whose
    // magic number does not change. This only reads memory: any context.
    unsafe {
        bindings::raio_helper_super_magic(file.as_ptr()) == bindings::FUSE_SUPER_MAGIC as c_ulong
    }
}

/// Whether a read of `file` will have to update the access time, which may wait for the device. Any
/// context.
pub(crate) fn notes_access(file: &File) -> bool {
    // SAFETY: The file is valid, as it is borrowed, and so are its inode and mount. The helper
    // reads a clock, and words that may change, so its answer may be wrong. No lock: any context.
    unsafe { bindings::raio_helper_atime_needs_update(file.as_ptr()) }
}

/// Whether the file system of `file` has not had an asynchronous direct transfer yet. Any context.
pub(crate) fn is_first_direct(file: &File) -> bool {
    // SAFETY: The file is valid, as it is borrowed, and so are its inode and super block. The
    // pointer is set once, atomically. It is read once, and not followed. Any context.
    unsafe {
        let sb = (*(*file.as_ptr()).f_inode).i_sb;
        (&raw const (*sb).s_dio_done_wq).read_volatile().is_null()
    }
}

/// Whether `transfer` is a write to `file` whose rest can't be written, as it is beyond
/// RLIMIT_FSIZE of the current task's process. Process context.
pub(crate) fn is_beyond_limit(file: &File, transfer: &Transfer) -> bool {
    transfer.direction() == Some(Direction::Write)
        && transfer.left() > 0
        // SAFETY: The file is valid, as it is borrowed, and so are its inode and mapping. The
        // current task has limits while it runs. Limits and size may be read while they change. No
        // lock, no sleep.
        && unsafe {
            bindings::raio_helper_exceeds_fsize(
                file.as_ptr(),
                transfer.pos(),
                transfer.appends(),
            )
        }
}

/// The size of the file's data, or of the device. Any context.
pub(crate) fn size(file: &File) -> i64 {
    // SAFETY: The file is valid, as it is borrowed, and so are its mapping and the mapping's inode.
    // The size may change, and is read as a whole, with preemption off where that needs it. Any
    // context.
    unsafe { bindings::raio_helper_mapping_size(file.as_ptr()) }
}

/// Whether `file` is a block device that was removed: it has no data and no size any more. Any
/// context.
pub(crate) fn is_removed(file: &File) -> bool {
    // SAFETY: The file is valid, as it is borrowed, and keeps its block device and the disk of
    // that. Only a bit of the disk's state is read: any context.
    unsafe { bindings::raio_helper_is_disk_dead(file.as_ptr()) }
}

/// The position of `file`. Regular files, block devices and seekable character devices have one;
/// `None` for all others. Any context.
pub(crate) fn position(file: &File) -> Option<i64> {
    // SAFETY: The file is valid, as it is borrowed. Others may change its position, just as they
    // can between two calls, so it is read once. The mode is set at open. Any context.
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

/// Whether a listener to permission events decides about each range of `file` that is read or
/// written. That may take arbitrarily long. Any context.
pub(crate) fn has_permission_events(file: &File) -> bool {
    // SAFETY: The file is valid, as it is borrowed. Only mode bits are read, which are set at open:
    // any context.
    unsafe { bindings::raio_helper_has_permission_events(file.as_ptr()) }
}
