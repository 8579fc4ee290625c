// SPDX-License-Identifier: GPL-2.0

//! A model of how requests return to their pool, as in `rust/request/pool.rs` and `owner.rs`: the list that takes
//! no lock, and the pool's end, which takes its client with it.

use crate::check;
use loom::{
    cell::UnsafeCell,
    sync::{
        atomic::{
            AtomicU32,
            Ordering::{AcqRel, Acquire, Relaxed, Release},
        },
        Arc,
    },
    thread,
};

const NONE: u32 = u32::MAX;

#[derive(Default)]
struct Slot {
    /// Of the free list: who has that has it.
    next: AtomicU32,
    /// `Slot::file` and the like: the owner's.
    private: UnsafeCell<u32>,
    /// Given away by a waker: [`Pool::give_away`].
    given: AtomicU32,
}

struct Pool {
    slots: [Slot; 2],
    returned: AtomicU32,
    kicks: AtomicU32,
    /// What the pool has a reference to. It may be dropped when the last request is back.
    client: UnsafeCell<bool>,
}

impl Pool {
    fn new() -> Arc<Self> {
        Arc::new(Pool {
            slots: Default::default(),
            returned: AtomicU32::new(NONE),
            kicks: AtomicU32::new(0),
            client: UnsafeCell::new(true),
        })
    }

    fn own(&self, index: u32) {
        self.slots[index as usize].private.with_mut(|uses| {
            // SAFETY: loom has just checked that nobody else is at it.
            unsafe { *uses += 1 }
        });
    }

    /// `Owned::give_to_pool`.
    fn give(&self, index: u32) {
        self.own(index);
        let mut head = self.returned.load(Relaxed);
        loop {
            self.slots[index as usize].next.store(head, Relaxed);
            match self.returned.compare_exchange(head, index, AcqRel, Relaxed) {
                Ok(_) => return,
                Err(now) => head = now,
            }
        }
    }

    /// `Pool::fill` and `Pool::pop`: all that are there.
    fn take_all(&self) -> Vec<u32> {
        let mut at = self.returned.swap(NONE, Acquire);
        let mut taken = Vec::new();
        while at != NONE {
            self.own(at);
            taken.push(at);
            at = self.slots[at as usize].next.load(Relaxed);
        }
        taken
    }

    fn use_client(&self) {
        self.client.with(|there| {
            // SAFETY: loom has just checked that nobody writes it.
            assert!(unsafe { *there });
        });
    }

    /// `kick_page`: the request may be gone after the step, but pool and client are held.
    fn give_away(&self, index: u32) {
        self.own(index);
        self.kicks.fetch_add(1, Relaxed);
        self.slots[index as usize].given.fetch_or(1, AcqRel);
        self.use_client();
        self.kicks.fetch_sub(1, Release);
    }

    /// Whoever runs it then, if it was given away already.
    fn run_given(&self, index: u32) -> bool {
        let is = self.slots[index as usize].given.swap(0, AcqRel) == 1;
        if is {
            self.use_client();
            self.give(index);
        }
        is
    }

    /// `Pool::close`, of a pool whose requests are back if `back` is their number: whether it is done.
    fn close(&self, back: &mut usize, requests: usize) -> bool {
        *back += self.take_all().len();
        if *back < requests || self.kicks.load(Acquire) != 0 {
            return false;
        }
        self.client.with_mut(|there| {
            // SAFETY: loom has just checked that nobody else is at it.
            unsafe { *there = false }
        });
        true
    }
}

#[test]
fn who_takes_has_each_once() {
    check(|| {
        let pool = Pool::new();
        let threads = [0, 1].map(|index| {
            let pool = pool.clone();
            thread::spawn(move || pool.give(index))
        });
        let mut taken = pool.take_all();
        for thread in threads {
            thread.join().unwrap();
        }
        taken.extend(pool.take_all());
        taken.sort_unstable();
        assert_eq!(taken, [0, 1]);
    });
}

/// One that was taken returns again, while others return: the list stays intact.
#[test]
fn one_comes_home_twice() {
    check(|| {
        let pool = Pool::new();
        pool.give(0);
        let other = pool.clone();
        let thread = thread::spawn(move || other.give(1));
        let mut taken = pool.take_all();
        assert!(taken.contains(&0));
        pool.give(0);
        thread.join().unwrap();
        taken.extend(pool.take_all());
        taken.sort_unstable();
        assert_eq!(taken, [0, 0, 1]);
    });
}

/// A waker that has given its request away still uses the client, which does not go before.
#[test]
fn a_waker_keeps_the_client() {
    check(|| {
        let pool = Pool::new();
        let (waker, runner) = (pool.clone(), pool.clone());
        let threads = [
            thread::spawn(move || {
                waker.give_away(0);
            }),
            thread::spawn(move || {
                runner.run_given(0);
            }),
        ];
        let mut back = 0;
        let closed = pool.close(&mut back, 1);
        for thread in threads {
            thread.join().unwrap();
        }
        // What nobody has run yet, as the pool is not closed.
        assert!(!(pool.run_given(0) && closed));
        assert!(closed || pool.close(&mut back, 1));
    });
}
