// SPDX-License-Identifier: GPL-2.0

//! The policy: which code of a file may run in which place. It depends on the kind and flags of the file
//! and on the operation alone.
//!
//! | file | in submit | then | a thread of the process | why |
//! |---|---|---|---|---|
//! | pipe, FIFO | NOWAIT | its wait queues | yes | copies between memory and the pipe's pages |
//! | pipe with pages from splice(2) | | | yes, and it blocks there | a read may have to wait for such a page |
//! | TCP, UDP, AF_UNIX socket | NOWAIT | its wait queues | yes | only copies; the namespace is that of the socket; the sender's pid is that of the process; a read has no control messages, so it installs no descriptor |
//! | such a socket with SO_RCVTIMEO, SO_SNDTIMEO, SO_RCVLOWAT, or SO_BUSY_POLL and a device that can be polled | | | yes, and it blocks there | only the socket's own wait honours all of these options |
//! | eventfd, timerfd | NOWAIT | its wait queues | yes, but not the waker | a counter |
//! | tty, pty | with O_NONBLOCK, as it is | | yes, and it blocks there | it waits by rules of its own (VMIN, VTIME, the end of a line); job control checks the process, and for one in the background submit issues the request, where the signals take effect |
//! | ext4, xfs, btrfs, f2fs; block device | NOWAIT | the page, or | yes | credentials, limits, cgroups and memory are those of the process |
//! | vfat, exfat, erofs, squashfs, isofs, overlayfs, ramfs, tmpfs with swap | | | yes | as above; they do not support NOWAIT |
//! | tmpfs, nothing swapped | as it is | | yes | as above |
//! | FUSE | | | yes | it waits for its server; requests have no lock owner |
//! | `/dev/zero`, `null`, `full`, `urandom` | as it is | | no | never waits |
//! | another that honours NOWAIT and polls (netlink, AF_PACKET, AF_VSOCK, signalfd, ...), but not a socket with such an option | NOWAIT | its wait queues | no: a task of the process alone | it may use descriptors |
//! | all else: procfs, sysfs, cgroup, configfs, tracefs, other devices, other file systems | it blocks, as with native aio | | no | not audited |
//! | fsync | | | as for its file | |
//! | with RAIO_SETUP_SYNC_WRITES, writes without O_DIRECT of files and block devices | it blocks, as with native aio | | yes, if a barrier held it back | programs rely on it |
//! | POLL | one poll | its wait queues | yes | `poll` uses no descriptors; the wake usually says what is ready, and completes the request |
//!
//! The places are those of [`Place`](crate::engine::Place). No file code runs in an interrupt, in a
//! work item, or in another process. A thread of the process has no file table, so
//! [`Class::is_for_workers`] refuses it every file that the table does not allow.

use super::{
    class::{
        Class,
        Facts, //
    },
    lists::List, //
};
use crate::sys::uio::Direction;

/// How a try that does not wait is issued.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Try {
    /// With IOCB_NOWAIT.
    Nowait,
    /// With IOCB_NOWAIT and IOCB_NOIO: only of what is cached.
    Cached,
    /// As it is: the file does not wait.
    Inline,
}

/// What the submitter does first.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum First {
    /// It issues a try.
    Try(Try),
    /// It arms the request on the file's wait queues.
    Poll,
    /// It punts the request to a thread.
    Punt,
    /// It issues the whole request and blocks as long as that takes.
    Block,
}

/// Which requests keep the order of submission.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Order {
    /// None.
    Free,
    /// Those of the same open file and direction.
    File,
    /// Those that change the data of the inode, and fsyncs of it.
    Inode,
}

/// The policy for a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Policy {
    pub(crate) first: First,
    /// The request can be armed on the file's wait queues.
    pub(crate) arm: bool,
    /// The request can wait for a page (IOCB_WAITQ).
    pub(crate) page_wait: bool,
    /// The list that a kick puts the request on.
    pub(crate) retry: List,
    /// A thread of the process may run the request.
    pub(crate) threads: bool,
    pub(crate) order: Order,
    /// A short transfer is retried until all is moved; else the first data ends the request.
    pub(crate) whole: bool,
    /// The waker is usually about to return to user space, so task work of the waker may run the retry.
    pub(crate) by_waker: bool,
    /// Another task may hold the file's lock over a page fault of its own.
    pub(crate) locks: bool,
    /// Once accepted, the request is carried out whatever becomes of the context.
    pub(crate) accepted: bool,
    /// -EAGAIN is the result of the request, not a reason to retry.
    pub(crate) again_is_final: bool,
}

impl Default for Policy {
    fn default() -> Self {
        Policy {
            first: First::Punt,
            arm: false,
            page_wait: false,
            retry: List::Block,
            threads: true,
            order: Order::Free,
            whole: false,
            by_waker: false,
            locks: false,
            accepted: false,
            again_is_final: false,
        }
    }
}

/// The properties of a transfer that the policy depends on.
#[derive(Clone, Copy)]
pub(crate) struct Traits {
    /// The file has wait queues.
    pub(crate) can_poll: bool,
    /// The file waits by rules of its own, see [`fs::has_own_rules`](crate::sys::fs::has_own_rules).
    pub(crate) own_rules: bool,
    /// Which way data goes.
    pub(crate) direction: Direction,
    /// O_DIRECT: past the page cache.
    pub(crate) direct: bool,
    /// RWF_NOWAIT.
    pub(crate) nowait: bool,
    /// RAIO_SETUP_SYNC_WRITES: submit returns only after a buffered write is in the page cache.
    pub(crate) sync_writes: bool,
}

impl Policy {
    /// The policy where the submitter issues the request and blocks.
    const HERE: Policy = Policy {
        first: First::Block,
        arm: false,
        page_wait: false,
        retry: List::Block,
        threads: false,
        order: Order::Free,
        whole: false,
        by_waker: false,
        locks: false,
        accepted: false,
        again_is_final: true,
    };

    /// The policy for a transfer.
    pub(crate) fn of_transfer(facts: Facts, traits: Traits) -> Self {
        let policy = Self::of_async_transfer(facts, traits);
        let write = traits.direction == Direction::Write;
        if traits.sync_writes && write && policy.order == Order::Inode && !traits.nowait {
            // A request that a barrier held back is still run by a thread.
            return Policy {
                first: First::Block,
                ..policy
            };
        }
        policy
    }

    fn of_async_transfer(facts: Facts, traits: Traits) -> Self {
        let Traits {
            can_poll,
            own_rules,
            direction,
            direct,
            nowait,
            sync_writes: _,
        } = traits;
        let write = direction == Direction::Write;
        let first_of = |how, honoured| match (nowait, honoured) {
            // One try, with IOCB_NOWAIT from the program itself.
            (true, _) => First::Try(Try::Inline),
            (_, true) => First::Try(how),
            _ => First::Punt,
        };
        let nonblocking = nowait || facts.nonblock;
        let stream = |first| Policy {
            first,
            arm: true,
            retry: List::Run,
            order: Order::File,
            again_is_final: nonblocking,
            ..Policy::default()
        };
        // The try waits in the file, which knows for how long.
        let by_own_rules = Policy {
            order: Order::File,
            ..Policy::default()
        };
        match facts.class {
            // A FIFO honours IOCB_NOWAIT without saying so.
            Class::Pipe => Policy {
                whole: write,
                by_waker: true,
                locks: true,
                ..stream(first_of(Try::Nowait, true))
            },
            // A blocking send moves all of it, or returns why it could not.
            Class::Inet | Class::Unix if own_rules && !nonblocking => Policy {
                locks: true,
                ..by_own_rules
            },
            Class::Inet | Class::Unix => Policy {
                whole: write,
                locks: true,
                ..stream(first_of(Try::Nowait, facts.nowait))
            },
            // Not for the waker: the count is lost if the program's memory is not present.
            Class::Counter if facts.nowait => stream(first_of(Try::Nowait, true)),
            // A tty blocks once it is issued, but may honour O_NONBLOCK.
            Class::Tty if nonblocking => Policy {
                again_is_final: true,
                first: First::Try(Try::Inline),
                ..by_own_rules
            },
            Class::Tty => by_own_rules,
            Class::Spliced if nonblocking => Policy {
                again_is_final: true,
                first: First::Try(Try::Inline),
                locks: true,
                ..by_own_rules
            },
            Class::Spliced => Policy {
                whole: write,
                locks: true,
                ..by_own_rules
            },
            Class::Memory => Policy {
                first: first_of(Try::Inline, true),
                order: if write { Order::Inode } else { Order::Free },
                whole: true,
                accepted: write,
                again_is_final: nowait,
                ..Policy::default()
            },
            Class::Regular | Class::Block | Class::Fuse => {
                let buffered = !direct;
                let how = if buffered && !write {
                    Try::Cached
                } else {
                    Try::Nowait
                };
                let page_wait = facts.page_wait && buffered && !write;
                Policy {
                    first: first_of(how, facts.nowait && facts.class != Class::Fuse),
                    page_wait,
                    retry: if page_wait { List::Run } else { List::Block },
                    order: if write && buffered {
                        Order::Inode
                    } else {
                        Order::Free
                    },
                    // A short read is what the server says: the end.
                    whole: write || facts.class != Class::Fuse,
                    // A server may never answer.
                    accepted: write && facts.class != Class::Fuse,
                    again_is_final: nowait,
                    ..Policy::default()
                }
            }
            Class::Other if facts.nowait && can_poll && (!own_rules || nonblocking) => Policy {
                threads: false,
                retry: List::Task,
                whole: write && facts.socket,
                locks: facts.socket,
                ..stream(first_of(Try::Nowait, true))
            },
            Class::Counter | Class::Zero | Class::Other => Policy::HERE,
        }
    }

    /// The first try of a plain buffered read whose data may be in the page cache, if
    /// [`Self::of_transfer`] makes the same try first. `None` for block devices: other tasks may hold
    /// the inode lock while they wait for the device.
    #[inline]
    pub(crate) fn of_inline_read(facts: Facts) -> Option<Try> {
        match facts.class {
            Class::Memory => Some(Try::Inline),
            Class::Regular if facts.nowait => Some(Try::Cached),
            _ => None,
        }
    }

    /// The policy for an fsync, which runs after the earlier writes to its inode.
    pub(crate) fn of_fsync(facts: Facts) -> Self {
        let supported = matches!(
            facts.class,
            Class::Memory | Class::Regular | Class::Block | Class::Fuse
        );
        if !supported {
            return Policy::HERE;
        }
        Policy {
            order: Order::Inode,
            accepted: facts.class != Class::Fuse,
            ..Policy::default()
        }
    }

    /// The policy for a poll.
    pub(crate) fn of_poll(facts: Facts, is_fuse: bool) -> Self {
        // Polling FUSE asks its server, and polling a tty waits for its buffers.
        let may_block = is_fuse || facts.device && !facts.nowait;
        Policy {
            first: if may_block { First::Punt } else { First::Poll },
            arm: true,
            by_waker: matches!(facts.class, Class::Pipe | Class::Counter),
            retry: if may_block { List::Block } else { List::Run },
            ..Policy::default()
        }
    }
}

#[cfg(CONFIG_KUNIT = "y")]
mod tests;
