// SPDX-License-Identifier: GPL-2.0

//! What the policy knows of a file.

/// The properties of a file that decide how its requests are handled. The flags are a snapshot,
/// which the caller may cache.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Facts {
    /// The kind of the file.
    pub(crate) class: Class,
    /// The file is a character device.
    pub(crate) device: bool,
    /// The file is a socket.
    pub(crate) socket: bool,
    /// The file honours IOCB_NOWAIT (FMODE_NOWAIT).
    pub(crate) nowait: bool,
    /// O_NONBLOCK is set.
    pub(crate) nonblock: bool,
    /// Buffered reads can wait for pages asynchronously (FOP_BUFFER_RASYNC).
    pub(crate) page_wait: bool,
}

/// The kind of a file.
///
/// There is a kind for each type of file whose code was reviewed; all others are [`Class::Other`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Class {
    /// A pipe or FIFO.
    Pipe,
    /// A pipe into which splice(2) has put pages. A read may wait for these pages.
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
    /// All others: files of procfs, sysfs, cgroups, netlink and other sockets, other devices, ...
    Other,
}

impl Class {
    /// Whether a worker may read and write such a file. A worker has no files, and signals have no
    /// effect on it. The reasons are in `src/pure/policy.rs`.
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
