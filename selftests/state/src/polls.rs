// SPDX-License-Identifier: GPL-2.0

//! A model of entries on the wait queues of a file, as in `rust/request/poll.rs`, `rust/request/kick.rs` and
//! `engine::kick()`: up to two of them, one of which may go before its file.

use crate::{
    check,
    state::{Phase, Step, Then, Word},
};
use loom::{
    cell::UnsafeCell,
    sync::{
        atomic::{
            AtomicU32,
            Ordering::{AcqRel, Acquire, Relaxed, Release},
        },
        Arc, Mutex,
    },
    thread,
};

/// `BY_WAKER` of `Shared::marks`; above it the list.
const BY_WAKER: u32 = 1;

/// `Entry`: what is in it belongs to the lock of the queue while it is there.
#[derive(Default)]
struct Entry {
    wait: UnsafeCell<u32>,
    /// Not NULL.
    head: AtomicU32,
    /// The queue's lock, and whether the entry is on it.
    queue: Mutex<bool>,
}

impl Entry {
    fn touch(&self) {
        // SAFETY: loom has just checked that nobody else is at it.
        self.wait.with_mut(|wait| unsafe { *wait += 1 });
    }

    /// `poll::queue`
    fn add(&self) {
        self.head.store(1, Relaxed);
        self.touch();
        *self.queue.lock().unwrap() = true;
    }
}

#[derive(Default)]
struct Slot {
    word: AtomicU32,
    entries: [Entry; 2],
    /// `Entries::used`
    used: UnsafeCell<u32>,
    gone: AtomicU32,
    marks: AtomicU32,
    /// The lists' lock, and the list that the request is on.
    lists: Mutex<Option<u32>>,
}

impl Slot {
    fn running(marks: u32) -> Arc<Self> {
        let slot = Slot::default();
        slot.marks.store(marks, Relaxed);
        let slot = Arc::new(slot);
        slot.step(Step::Take);
        slot.step(Step::Issue);
        slot
    }

    fn step(&self, step: Step) -> Option<Then> {
        let mut now = Word(self.word.load(Relaxed));
        loop {
            let (next, then) = now.step(step)?;
            match self.word.compare_exchange(now.0, next.0, AcqRel, Relaxed) {
                Ok(_) => return Some(then),
                Err(seen) => now = Word(seen),
            }
        }
    }

    fn used(&self) -> u32 {
        // SAFETY: loom has just checked that nobody writes it.
        self.used.with(|used| unsafe { *used })
    }

    fn set_used(&self, nr: u32) {
        // SAFETY: loom has just checked that nobody else is at it.
        self.used.with_mut(|used| unsafe { *used = nr });
    }

    /// `Run::poll`, of a file with that many queues, and `Run::arm`.
    fn arm(&self, queues: u32, marks: u32) -> Option<Then> {
        for (entry, nr) in self.entries.iter().zip(1..=queues) {
            self.set_used(nr);
            entry.add();
        }
        self.marks.store(marks, Relaxed);
        self.step(Step::Arm)
    }

    /// `Entries::disarm`, by the owner; whether a queue had gone.
    fn disarm(&self) -> bool {
        let mut gone = false;
        for entry in self.entries.iter().take(self.used() as usize) {
            if entry.head.load(Acquire) == 0 {
                // Nobody uses it any more.
                entry.touch();
                gone = true;
                continue;
            }
            let mut on = entry.queue.lock().unwrap();
            if *on {
                *on = false;
                entry.touch();
            }
            drop(on);
            entry.head.store(0, Relaxed);
        }
        self.set_used(0);
        gone
    }

    /// `Kick::fire` in a wake of that queue, under its lock, which says what is ready: whether the request
    /// is the waker's.
    fn fire(&self, queue: usize) -> bool {
        let entry = &self.entries[queue];
        let mut on = entry.queue.lock().unwrap();
        let is_armed = || Word(self.word.load(Acquire)).phase() == Phase::Armed;
        if !*on || !is_armed() || self.used() != 1 {
            return false;
        }
        let own = self.step(Step::Fire) == Some(Then::Own);
        if own {
            *on = false;
            entry.touch();
            entry.head.store(0, Release);
        }
        own
    }

    /// `engine::kick` by one who is about to sleep.
    fn kick(&self) {
        let on = self.entries[0].queue.lock().unwrap();
        if !*on {
            return;
        }
        let by_sleeper = self.marks.load(Relaxed) & BY_WAKER != 0;
        let mut lists = self.lists.lock().unwrap();
        if self.step(Step::Kick) == Some(Then::Queue) {
            if by_sleeper {
                self.marks
                    .store(self.marks.load(Relaxed) & !BY_WAKER, Relaxed);
            }
            *lists = Some(self.marks.load(Relaxed) >> 1);
        }
    }

    /// A wake with POLLFREE.
    fn go(&self) {
        let entry = &self.entries[0];
        let mut on = entry.queue.lock().unwrap();
        if *on {
            self.gone.store(1, Relaxed);
            self.step(Step::Kick);
            *on = false;
            entry.touch();
            entry.head.store(0, Release);
        }
    }
}

/// Who fires it knows that the other queue has no entry of it.
#[test]
fn two_queues() {
    check(|| {
        let slot = Slot::running(0);
        let other = slot.clone();
        let waker = thread::spawn(move || other.fire(0));
        slot.arm(2, 0);
        assert!(!waker.join().unwrap());
        slot.disarm();
    });
}

#[test]
fn one_queue_and_its_result() {
    check(|| {
        let slot = Slot::running(0);
        let (first, second) = (slot.clone(), slot.clone());
        let wakers = [
            thread::spawn(move || first.fire(0)),
            thread::spawn(move || second.fire(0)),
        ];
        slot.arm(1, 0);
        let fired = wakers.map(|waker| waker.join().unwrap());
        assert!(!(fired[0] && fired[1]));
        slot.disarm();
    });
}

/// The wait queue goes while its entry is taken off.
#[test]
fn a_queue_that_goes() {
    check(|| {
        let slot = Slot::running(0);
        slot.arm(1, 0);
        let other = slot.clone();
        let waker = thread::spawn(move || other.go());
        slot.step(Step::Cancel);
        let gone = slot.disarm();
        // Who finds it off knows why.
        assert!(!gone || slot.gone.swap(0, Relaxed) == 1);
        slot.entries[0].touch();
        waker.join().unwrap();
    });
}

/// What the run has marked is there when the wake looks where the request goes.
#[test]
fn marks_of_this_time() {
    const OLD: u32 = (1 << 1) | BY_WAKER;
    const NEW: u32 = (2 << 1) | BY_WAKER;
    check(|| {
        let slot = Slot::running(OLD);
        let other = slot.clone();
        let waker = thread::spawn(move || other.kick());
        let then = slot.arm(1, NEW);
        waker.join().unwrap();
        let list = *slot.lists.lock().unwrap();
        match then {
            Some(Then::Again) => assert_eq!(list, None),
            _ => assert!(matches!(list, None | Some(2))),
        }
        assert_eq!(slot.marks.load(Relaxed) >> 1, 2);
    });
}
