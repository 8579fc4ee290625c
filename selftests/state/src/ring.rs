// SPDX-License-Identifier: GPL-2.0

//! A model of the ring: who writes events, and who consumes them, on the module's own `src/pure/credit.rs`.

use crate::{check, credit::Credits};
use loom::{
    cell::UnsafeCell,
    sync::{
        atomic::{
            fence, AtomicU32,
            Ordering::{AcqRel, Acquire, Relaxed, Release, SeqCst},
        },
        Arc, Mutex,
    },
    thread,
};

/// One of them is always empty.
const SLOTS: u32 = 2;

fn unread(head: u32, tail: u32) -> u32 {
    (tail + SLOTS - head) % SLOTS
}

/// What is at the tail's lock: the slot, and the number of events.
#[derive(Default)]
struct Tail {
    slot: u32,
    published: u32,
}

/// The words of the header, the kernel's own, and a slot that is either what loom watches, as whoever
/// reads it must not meet who writes it, or just a word.
struct Ring<E> {
    head: AtomicU32,
    tail: AtomicU32,
    shown_slot: AtomicU32,
    shown_published: AtomicU32,
    own: Mutex<Tail>,
    events: [E; SLOTS as usize],
}

impl<E> Ring<E> {
    fn new(event: impl Fn() -> E) -> Arc<Self> {
        Arc::new(Ring {
            head: AtomicU32::new(0),
            tail: AtomicU32::new(0),
            shown_slot: AtomicU32::new(0),
            shown_published: AtomicU32::new(0),
            own: Mutex::new(Tail::default()),
            events: [event(), event()],
        })
    }

    /// `Context::put_in_ring`.
    fn publish(&self, write: impl Fn(&E)) {
        let mut own = self.own.lock().unwrap();
        write(&self.events[own.slot as usize]);
        own.slot = (own.slot + 1) % SLOTS;
        own.published += 1;
        self.shown_slot.store(own.slot, Release);
        self.shown_published.store(own.published, Release);
        self.tail.store(own.slot, Release);
    }

    /// `Context::take_credits`, of one.
    fn take_credit(&self, credits: &mut Credits) -> bool {
        if credits.take(1) == 1 {
            return true;
        }
        let head = self.head.load(Acquire);
        let own = self.own.lock().unwrap();
        let (slot, published) = (own.slot, own.published);
        drop(own);
        credits.settle(published, unread(head, slot));
        credits.take(1) == 1
    }

    /// The program consumes one by a compare-exchange, as libraio does.
    fn consume<T>(&self, read: impl Fn(&E) -> T) -> Option<T> {
        let head = self.head.load(Acquire);
        if head == self.tail.load(Acquire) {
            return None;
        }
        let event = read(&self.events[head as usize]);
        let next = (head + 1) % SLOTS;
        let consumed = self.head.compare_exchange(head, next, AcqRel, Relaxed);
        consumed.is_ok().then_some(event)
    }
}

/// Nothing is written to a slot that somebody may still read.
#[test]
fn a_slot_is_not_filled_again_before_it_was_read() {
    type Slot = UnsafeCell<u32>;
    check(|| {
        let ring = Ring::new(|| Slot::new(0));
        let program = ring.clone();
        let reader = thread::spawn(move || {
            // SAFETY: loom has just checked that nobody writes it.
            let read = |slot: &Slot| slot.with(|event| unsafe { *event });
            [(); 3].map(|()| program.consume(read))
        });
        let mut credits = Credits::new(SLOTS - 1);
        let mut events = 0;
        for _ in 0..3 {
            if ring.take_credit(&mut credits) {
                events += 1;
                // SAFETY: loom has just checked that nobody else is at it.
                ring.publish(|slot| slot.with_mut(|event| unsafe { *event = events }));
            }
        }
        let seen = reader.join().unwrap();
        // Each once, and in order.
        let seen: Vec<u32> = seen.into_iter().flatten().collect();
        let wanted: Vec<u32> = (1..=seen.len() as u32).collect();
        assert_eq!(seen, wanted);
    });
}

impl Ring<AtomicU32> {
    fn write(&self, event: u32) {
        self.publish(|slot| slot.store(event, Relaxed));
    }

    /// One try of `Context::reap`, of one event.
    fn reap(&self) -> Option<u32> {
        let seen = self.head.load(Acquire);
        let published = self.shown_published.load(Acquire);
        let slot = self.shown_slot.load(Acquire);
        let unread = unread(seen, slot);
        if unread == 0 {
            return None;
        }
        // What a program gets that does not consume it is of no meaning.
        let event = self.events[seen as usize].load(Relaxed);
        let own = self.own.lock().unwrap();
        let since = own.published - published;
        let next = (seen + 1) % SLOTS;
        let consumed = since < SLOTS - unread
            && self
                .head
                .compare_exchange(seen, next, AcqRel, Relaxed)
                .is_ok();
        fence(SeqCst);
        consumed.then_some(event)
    }
}

/// Kernel and program consume at the same time, and the ring goes around meanwhile: each event has one
/// of them.
#[test]
fn two_consumers_have_each_event_once() {
    check(|| {
        let ring = Ring::new(|| AtomicU32::new(0));
        let mut credits = Credits::new(SLOTS - 1);
        assert_eq!(credits.take(1), 1);
        ring.write(1);
        let kernel = ring.clone();
        let reaper = thread::spawn(move || kernel.reap());
        let mut last = 1;
        let mut seen = Vec::new();
        for _ in 0..2 {
            seen.extend(ring.consume(|slot| slot.load(Relaxed)));
            if ring.take_credit(&mut credits) {
                last += 1;
                ring.write(last);
            }
        }
        seen.extend(reaper.join().unwrap());
        seen.extend(ring.consume(|slot| slot.load(Relaxed)));
        seen.sort_unstable();
        assert_eq!(seen, (1..=last).collect::<Vec<_>>());
    });
}
