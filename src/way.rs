// SPDX-License-Identifier: GPL-2.0

//! Which way a transfer goes: what is tried first, what happens if that can't go on, and who
//! tries again.
//!
//! | file                      | first        | then                | tried again by         |
//! |---------------------------|--------------|---------------------|------------------------|
//! | pipe, FIFO, TCP, UDP, eventfd, timerfd | NOWAIT | its wait queues | anybody             |
//! | another that honours NOWAIT and polls  | NOWAIT | its wait queues | a task of the process |
//! | another that polls (tty)  | a thread     | its wait queues     | a thread that may block |
//! | regular, block device     | NOWAIT       | the page, or a thread | see [`List`]         |
//! | tmpfs, nothing swapped    | at once      |                     |                        |
//! | all else                  | a thread     |                     |                        |
//!
//! "Anybody" is the module's work queue, if no task of the process is there: a kernel thread in
//! the process's address space, with the credentials at submit. Namespaces, limits, the sender's
//! pid, signals and cgroups are not those of the process there. So this is a list of file kinds
//! that look at none of them:
//!
//! - pipes and FIFOs: copies between memory and the pipe's pages;
//! - TCP and UDP: copies to and from the socket, whose namespace is its own;
//! - eventfds and timerfds: a counter;
//! - page cache reads of files that can wait for pages: copies of pages that are there.

use crate::{
    lists::List,
    sys::fs::{
        Class,
        Direction,
        Facts,
        Mode, //
    }, //
};

/// What is done first, by who submits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum First {
    /// A try.
    Try(Mode),
    /// Waiting for the file to be ready.
    Poll,
    /// Nothing: a thread runs it.
    Punt,
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

/// The way of a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Way {
    pub(crate) first: First,
    /// It can be armed on the file's wait queues.
    pub(crate) arm: bool,
    /// It can wait for a page.
    pub(crate) page_wait: bool,
    /// Where a kick puts it.
    pub(crate) retry: List,
    pub(crate) order: Order,
    /// It goes on until all is moved; else the first data ends it.
    pub(crate) whole: bool,
    /// Who wakes it is about to leave the kernel, as a rule: a retry may be left to it.
    pub(crate) by_waker: bool,
    /// It is to or from a pipe.
    pub(crate) pipe: bool,
    /// A try to read takes the data before it is where the program wants it: what can't be
    /// written there is lost.
    pub(crate) takes_first: bool,
    /// -EAGAIN is the program's business.
    pub(crate) again_is_final: bool,
}

impl Default for Way {
    fn default() -> Self {
        Way {
            first: First::Punt,
            arm: false,
            page_wait: false,
            retry: List::Block,
            order: Order::Free,
            whole: false,
            by_waker: false,
            pipe: false,
            takes_first: false,
            again_is_final: false,
        }
    }
}

impl Way {
    /// The way of a transfer. `can_poll` says that the file has wait queues, `direct` that the
    /// transfer goes past the page cache, `nowait` that the program said RWF_NOWAIT.
    pub(crate) fn of_transfer(
        facts: Facts,
        can_poll: bool,
        direction: Direction,
        direct: bool,
        nowait: bool,
    ) -> Self {
        let write = direction == Direction::Write;
        let first_of = |mode, honoured| match (nowait, honoured) {
            // One try, as it is.
            (true, _) => First::Try(Mode::Inline),
            (_, true) => First::Try(mode),
            _ => First::Punt,
        };
        let stream = |first, retry| Way {
            first,
            arm: true,
            retry,
            order: Order::File,
            again_is_final: nowait || facts.nonblock,
            ..Way::default()
        };
        match facts.class {
            // A FIFO honours IOCB_NOWAIT without saying so.
            Class::Pipe => Way {
                whole: write,
                by_waker: true,
                pipe: true,
                ..stream(first_of(Mode::Nowait, true), List::Ready)
            },
            Class::Inet => Way {
                whole: write,
                // Datagrams.
                takes_first: !write,
                ..stream(first_of(Mode::Nowait, facts.nowait), List::Ready)
            },
            Class::Socket => Way {
                whole: write,
                ..stream(first_of(Mode::Nowait, facts.nowait), List::Own)
            },
            Class::Counter if facts.nowait => Way {
                by_waker: true,
                takes_first: !write,
                ..stream(first_of(Mode::Nowait, true), List::Ready)
            },
            Class::Memory => Way {
                first: first_of(Mode::Inline, true),
                order: if write { Order::Inode } else { Order::Free },
                whole: true,
                again_is_final: nowait,
                ..Way::default()
            },
            Class::Regular | Class::Block => {
                let buffered = !direct;
                let mode = if buffered && !write {
                    Mode::Cached
                } else {
                    Mode::Nowait
                };
                let page_wait = facts.page_wait && buffered && !write;
                Way {
                    first: first_of(mode, facts.nowait),
                    page_wait,
                    retry: if page_wait { List::Ready } else { List::Block },
                    order: if write && buffered {
                        Order::Inode
                    } else {
                        Order::Free
                    },
                    whole: true,
                    again_is_final: nowait,
                    ..Way::default()
                }
            }
            Class::Char | Class::Other if facts.nowait && can_poll => {
                stream(first_of(Mode::Nowait, true), List::Own)
            }
            Class::Counter | Class::Char | Class::Other if can_poll => {
                // It blocks as it likes once it is issued; O_NONBLOCK it may know.
                stream(
                    if facts.nonblock || nowait {
                        First::Try(Mode::Inline)
                    } else {
                        First::Poll
                    },
                    List::Block,
                )
            }
            _ => Way {
                first: first_of(Mode::Nowait, facts.nowait),
                again_is_final: nowait,
                ..Way::default()
            },
        }
    }

    /// How a plain buffered read is tried whose data may be there already, if that is how such reads
    /// begin, as [`Self::of_transfer`] says. Not of block devices: others may hold the lock of the
    /// inode while they wait for the device.
    #[inline]
    pub(crate) fn of_read_at_once(facts: Facts) -> Option<Mode> {
        match facts.class {
            Class::Memory => Some(Mode::Inline),
            Class::Regular if facts.nowait => Some(Mode::Cached),
            _ => None,
        }
    }

    /// The way of an fsync: behind the writes of its inode.
    pub(crate) fn of_fsync() -> Self {
        Way {
            order: Order::Inode,
            ..Way::default()
        }
    }

    /// The way of a poll.
    pub(crate) fn of_poll(facts: Facts, is_fuse: bool) -> Self {
        // FUSE asks its server, and a tty waits for its buffers, when they are polled.
        let may_block = is_fuse || facts.class == Class::Char && !facts.nowait;
        Way {
            first: if may_block { First::Punt } else { First::Poll },
            arm: true,
            by_waker: matches!(facts.class, Class::Pipe | Class::Counter),
            retry: match facts.class {
                _ if may_block => List::Block,
                Class::Pipe | Class::Inet | Class::Counter => List::Ready,
                _ => List::Own,
            },
            ..Way::default()
        }
    }
}

#[cfg(CONFIG_KUNIT = "y")]
#[kernel::macros::kunit_tests(raio_way)]
mod tests {
    use super::*;

    fn facts(class: Class, nowait: bool) -> Facts {
        Facts {
            class,
            nowait,
            nonblock: false,
            page_wait: true,
        }
    }

    fn read(class: Class, nowait: bool, can_poll: bool) -> Way {
        Way::of_transfer(
            facts(class, nowait),
            can_poll,
            Direction::Read,
            false,
            false,
        )
    }

    #[test]
    fn nothing_that_may_block_is_tried_first() {
        for class in [Class::Regular, Class::Block, Class::Pseudo, Class::Other] {
            assert_eq!(read(class, false, false).first, First::Punt);
        }
        assert_eq!(read(Class::Other, false, true).first, First::Poll);
        assert_eq!(read(Class::Pseudo, false, true).first, First::Punt);
    }

    #[test]
    fn reads_at_once_are_the_first_try() {
        for nowait in [false, true] {
            for class in [
                Class::Pipe,
                Class::Block,
                Class::Pseudo,
                Class::Char,
                Class::Other,
            ] {
                assert_eq!(Way::of_read_at_once(facts(class, nowait)), None);
            }
            for class in [Class::Memory, Class::Regular] {
                let first = match Way::of_read_at_once(facts(class, nowait)) {
                    Some(mode) => First::Try(mode),
                    None => First::Punt,
                };
                assert_eq!(read(class, nowait, false).first, first);
            }
        }
    }

    #[test]
    fn anybody_is_for_the_kinds_on_the_list_only() {
        for class in [Class::Socket, Class::Other] {
            assert!(read(class, true, true).retry != List::Ready);
        }
        for class in [Class::Pipe, Class::Inet, Class::Counter] {
            assert_eq!(read(class, true, true).retry, List::Ready);
        }
    }

    #[test]
    fn pages_are_waited_for_by_buffered_reads() {
        assert!(read(Class::Regular, true, false).page_wait);
        let direct =
            |direction| Way::of_transfer(facts(Class::Block, true), false, direction, true, false);
        assert!(!direct(Direction::Read).page_wait);
        assert_eq!(direct(Direction::Write).order, Order::Free);
        let write = Way::of_transfer(
            facts(Class::Regular, true),
            false,
            Direction::Write,
            false,
            false,
        );
        assert!(!write.page_wait);
        assert_eq!(write.order, Order::Inode);
    }

    #[test]
    fn who_says_nowait_gets_eagain() {
        for class in [Class::Pipe, Class::Regular, Class::Socket] {
            let way = Way::of_transfer(facts(class, true), true, Direction::Read, false, true);
            assert_eq!(way.first, First::Try(Mode::Inline));
            assert!(way.again_is_final);
        }
    }
}
