// SPDX-License-Identifier: GPL-2.0

//! Tests of the policy table, by file kind.

#[kernel::macros::kunit_tests(raio_policy)]
mod cases {
    use crate::{
        pure::{
            class::{
                Class,
                Facts, //
            },
            policy::*, //
        },
        sys::uio::Direction, //
    };

    fn facts(class: Class, nowait: bool) -> Facts {
        Facts {
            class,
            device: false,
            socket: false,
            nowait,
            nonblock: false,
            page_wait: true,
        }
    }

    const READ: Traits = Traits {
        can_poll: true,
        own_rules: false,
        direction: Direction::Read,
        direct: false,
        nowait: false,
        sync_writes: false,
    };

    fn read(class: Class, nowait: bool, can_poll: bool) -> Policy {
        Policy::of_transfer(facts(class, nowait), Traits { can_poll, ..READ })
    }

    #[test]
    fn what_nobody_has_looked_at_is_for_submit() {
        assert_eq!(read(Class::Other, false, true), Policy::HERE);
        assert_eq!(read(Class::Other, true, false), Policy::HERE);
        assert!(!read(Class::Other, true, true).threads);
        assert_eq!(Policy::of_fsync(facts(Class::Other, true)), Policy::HERE);
    }

    #[test]
    fn threads_are_for_the_kinds_on_the_list_only() {
        for class in [
            Class::Pipe,
            Class::Inet,
            Class::Unix,
            Class::Counter,
            Class::Tty,
            Class::Memory,
            Class::Regular,
            Class::Fuse,
            Class::Block,
            Class::Zero,
            Class::Other,
        ] {
            for nowait in [false, true] {
                if read(class, nowait, true).threads {
                    assert!(class.is_for_workers());
                }
            }
        }
    }

    #[test]
    fn nothing_that_may_block_is_tried_first() {
        for class in [Class::Regular, Class::Block, Class::Fuse] {
            assert_eq!(read(class, false, false).first, First::Punt);
        }
        assert_eq!(read(Class::Fuse, true, false).first, First::Punt);
        assert_eq!(read(Class::Tty, false, true).first, First::Punt);
    }

    #[test]
    fn own_rules_are_the_files() {
        for class in [Class::Inet, Class::Unix] {
            let traits = Traits {
                own_rules: true,
                ..READ
            };
            let policy = Policy::of_transfer(facts(class, true), traits);
            assert_eq!((policy.first, policy.arm), (First::Punt, false));
            assert!(policy.locks);
            let nowait = Traits {
                nowait: true,
                ..traits
            };
            let policy = Policy::of_transfer(facts(class, true), nowait);
            assert_eq!(policy.first, First::Try(Try::Inline));
        }
    }

    #[test]
    fn own_rules_of_what_threads_may_not_serve_are_submits() {
        let traits = Traits {
            own_rules: true,
            ..READ
        };
        let other = facts(Class::Other, true);
        assert_eq!(Policy::of_transfer(other, traits), Policy::HERE);
    }

    #[test]
    fn writes_of_sockets_go_on() {
        let write = Traits {
            direction: Direction::Write,
            ..READ
        };
        let socket = Facts {
            socket: true,
            ..facts(Class::Other, true)
        };
        assert!(Policy::of_transfer(socket, write).whole);
        assert!(!Policy::of_transfer(facts(Class::Other, true), write).whole);
        assert!(!Policy::of_transfer(socket, READ).whole);
        // A short read is what the server says: the end.
        assert!(Policy::of_transfer(facts(Class::Fuse, true), write).whole);
        assert!(!read(Class::Fuse, true, false).whole);
    }

    #[test]
    fn reads_nowait_are_the_first_try() {
        for nowait in [false, true] {
            for class in [Class::Pipe, Class::Block, Class::Fuse, Class::Other] {
                assert_eq!(Policy::of_inline_read(facts(class, nowait)), None);
            }
            for class in [Class::Memory, Class::Regular] {
                let first = match Policy::of_inline_read(facts(class, nowait)) {
                    Some(how) => First::Try(how),
                    None => First::Punt,
                };
                assert_eq!(read(class, nowait, false).first, first);
            }
        }
    }

    #[test]
    fn pages_are_waited_for_by_buffered_reads() {
        assert!(read(Class::Regular, true, false).page_wait);
        let with = |class, direction, direct| {
            let traits = Traits {
                direction,
                direct,
                ..READ
            };
            Policy::of_transfer(facts(class, true), traits)
        };
        assert!(!with(Class::Block, Direction::Read, true).page_wait);
        assert_eq!(
            with(Class::Block, Direction::Write, true).order,
            Order::Free
        );
        let write = with(Class::Regular, Direction::Write, false);
        assert!(!write.page_wait && write.accepted);
        assert_eq!(write.order, Order::Inode);
        assert!(!with(Class::Fuse, Direction::Write, false).accepted);
    }

    #[test]
    fn sync_writes_are_submits() {
        let of = |class, direction, direct, nowait| {
            let traits = Traits {
                direction,
                direct,
                nowait,
                sync_writes: true,
                ..READ
            };
            Policy::of_transfer(facts(class, true), traits).first
        };
        for class in [Class::Regular, Class::Block, Class::Fuse, Class::Memory] {
            assert_eq!(of(class, Direction::Write, false, false), First::Block);
            assert_ne!(of(class, Direction::Write, false, true), First::Block);
            assert_ne!(of(class, Direction::Read, false, false), First::Block);
        }
        assert_ne!(
            of(Class::Regular, Direction::Write, true, false),
            First::Block
        );
        for class in [Class::Pipe, Class::Unix, Class::Inet] {
            assert_ne!(of(class, Direction::Write, false, false), First::Block);
        }
    }

    #[test]
    fn who_says_nowait_gets_eagain() {
        for class in [Class::Pipe, Class::Regular, Class::Unix] {
            let traits = Traits {
                nowait: true,
                ..READ
            };
            let policy = Policy::of_transfer(facts(class, true), traits);
            assert_eq!(policy.first, First::Try(Try::Inline));
            assert!(policy.again_is_final);
        }
    }
}
