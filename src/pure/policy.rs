// SPDX-License-Identifier: GPL-2.0

//! The policy: what of a file's code may run where.
//!
//! | file | in submit | then | a thread of the process | why |
//! |---|---|---|---|---|
//! | pipe, FIFO | NOWAIT | its wait queues | yes | copies between memory and the pipe's pages |
//! | pipe with pages from splice(2) | | | yes, and it waits there | such a page may have to be waited for |
//! | TCP, UDP, AF_UNIX socket | NOWAIT | its wait queues | yes | copies; the namespace is the socket's; the sender's pid is that of the process; a read has no control messages, so no descriptor is made |
//! | such a socket with SO_RCVTIMEO, SO_SNDTIMEO, SO_RCVLOWAT, or SO_BUSY_POLL and a device that can be polled | | | yes, and it waits there | what the socket's own wait knows and poll does not tell |
//! | eventfd, timerfd | NOWAIT | its wait queues | yes, but not who wakes it | a counter |
//! | tty, pty | with O_NONBLOCK, as it is | | yes, and it waits there | what it waits for is its own (VMIN, VTIME, the end of a line); job control looks at the process, and of one in the background it is submit's, where signals have their effect |
//! | ext4, xfs, btrfs, f2fs; block device | NOWAIT | the page, or | yes | credentials, limits, cgroups and memory are those of the process |
//! | vfat, exfat, erofs, squashfs, isofs, overlayfs, ramfs, tmpfs with swap | | | yes | as above; they do not know NOWAIT |
//! | tmpfs, nothing swapped | as it is | | yes | as above |
//! | FUSE | | | yes | it waits for its server; the lock owner is nobody |
//! | `/dev/zero`, `null`, `full`, `urandom` | as it is | | no | never waits |
//! | another that honours NOWAIT and polls (netlink, AF_PACKET, AF_VSOCK, signalfd, ...), but not a socket with such an option | NOWAIT | its wait queues | no: a task of the process alone | it may look at descriptors |
//! | all else: procfs, sysfs, cgroup, configfs, tracefs, other devices, other file systems | it blocks, as with native aio | | no | nobody has looked at it |
//! | fsync | | | as for its file | |
//! | with RAIO_SETUP_SYNC_WRITES, writes without O_DIRECT of files and block devices | it blocks, as with native aio | | yes, if it was held back | programs rely on it |
//! | POLL | a look | its wait queues | yes | `poll` looks at no descriptor; the wake tells what is ready, as a rule, and that is all |
//!
//! The places are those of [`Place`](crate::engine::Place). No file code runs in an interrupt, in a
//! work item, or in another process. A thread of the process has no files: what is not said to be for
//! it above is refused there ([`Class::is_for_workers`]).

use super::lists::List;
use crate::sys::{
    fs::{
        Class,
        Facts,
        Mode, //
    },
    uio::Direction, //
};

/// How a try that does not wait is made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Try {
    /// See [`Mode::Nowait`].
    Nowait,
    /// See [`Mode::Cached`].
    Cached,
    /// See [`Mode::Inline`].
    Inline,
}

impl Try {
    /// The mode of such a try.
    #[inline(always)]
    pub(crate) fn mode<'a>(self) -> Mode<'a> {
        match self {
            Try::Nowait => Mode::Nowait,
            Try::Cached => Mode::Cached,
            Try::Inline => Mode::Inline,
        }
    }
}

/// What is done first, by who submits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum First {
    /// A try.
    Try(Try),
    /// Waiting for the file to be ready.
    Poll,
    /// Nothing: a thread runs it.
    Punt,
    /// All of it, as long as it takes.
    Block,
}

/// Among which requests the order of submission is kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Order {
    /// None.
    Free,
    /// Those of the open file in the same direction.
    File,
    /// Those that change the inode's data, and fsyncs.
    Inode,
}

/// The policy for a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Policy {
    pub(crate) first: First,
    /// It can be armed on the file's wait queues.
    pub(crate) arm: bool,
    /// It can wait for a page.
    pub(crate) page_wait: bool,
    /// Where a kick puts it.
    pub(crate) retry: List,
    /// A thread of the process may run it.
    pub(crate) threads: bool,
    pub(crate) order: Order,
    /// It goes on until all is moved; else the first data ends it.
    pub(crate) whole: bool,
    /// Who wakes it is about to leave the kernel, as a rule: a retry may be left to it.
    pub(crate) by_waker: bool,
    /// Somebody may keep others out of the file while he waits for a page of his own.
    pub(crate) locks: bool,
    /// It is done once it was taken, whatever becomes of the context.
    pub(crate) accepted: bool,
    /// -EAGAIN is the program's business.
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

/// What of a transfer the policy depends on.
#[derive(Clone, Copy)]
pub(crate) struct Traits {
    /// The file has wait queues.
    pub(crate) can_poll: bool,
    /// It waits by rules of its own, see [`fs::has_own_rules`](crate::sys::fs::has_own_rules).
    pub(crate) own_rules: bool,
    /// Which way data goes.
    pub(crate) direction: Direction,
    /// Past the page cache.
    pub(crate) direct: bool,
    /// RWF_NOWAIT.
    pub(crate) nowait: bool,
    /// What is written to the page cache is there when submit returns.
    pub(crate) sync_writes: bool,
}

impl Policy {
    /// Of what submit does, and waits for.
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
            // Where it was held back, a thread runs it all the same.
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
            // One try, as it is.
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
        // It waits in the file, which knows how long.
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
            // A send that waits sends all, or says why not.
            Class::Inet | Class::Unix if own_rules && !nonblocking => Policy {
                locks: true,
                ..by_own_rules
            },
            Class::Inet | Class::Unix => Policy {
                whole: write,
                locks: true,
                ..stream(first_of(Try::Nowait, facts.nowait))
            },
            // Not by who wakes it: where the program's memory is not there the count is lost.
            Class::Counter if facts.nowait => stream(first_of(Try::Nowait, true)),
            // It blocks as it likes once it is issued; O_NONBLOCK it may know.
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
                    // What a server says is the end.
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

    /// How a plain buffered read is tried whose data may be there already, if that is how such reads
    /// begin, as [`Self::of_transfer`] says. Not of block devices: others may hold the lock of the
    /// inode while they wait for the device.
    #[inline]
    pub(crate) fn of_inline_read(facts: Facts) -> Option<Try> {
        match facts.class {
            Class::Memory => Some(Try::Inline),
            Class::Regular if facts.nowait => Some(Try::Cached),
            _ => None,
        }
    }

    /// The policy for an fsync: behind the writes of its inode.
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
        // FUSE asks its server, and a tty waits for its buffers, when they are polled.
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
