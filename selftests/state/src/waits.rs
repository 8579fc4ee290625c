// SPDX-License-Identifier: GPL-2.0

//! Models of who waits and who tells him: no wake-up is lost. Each is two looks at two words, by two
//! who each write one of them before: one of them at least sees what the other has written.

use crate::check;
use loom::{
    cell::UnsafeCell,
    sync::{
        atomic::{
            fence, AtomicBool, AtomicU32, AtomicUsize,
            Ordering::{AcqRel, Acquire, Relaxed, Release, SeqCst},
        },
        Arc, Mutex,
    },
    thread,
};

/// `rust/wait.rs`.
#[derive(Default)]
struct WaitQueue {
    /// Whether the waiter was woken since it was queued; the queue's lock.
    lock: Mutex<bool>,
    /// `head.next`: whether there are entries. Written under the lock, and read without.
    entries: AtomicBool,
}

impl WaitQueue {
    /// prepare_to_wait_event(): ends with set_current_state().
    fn prepare(&self) {
        let mut woken = self.lock.lock().unwrap();
        *woken = false;
        self.entries.store(true, Relaxed);
        drop(woken);
        fence(SeqCst);
    }

    /// `WaitQueue::wake`: smp_mb(), waitqueue_active().
    fn wake(&self) {
        fence(SeqCst);
        if self.entries.load(Relaxed) {
            *self.lock.lock().unwrap() = true;
        }
    }

    fn is_woken(&self) -> bool {
        *self.lock.lock().unwrap()
    }
}

#[derive(Default)]
struct Queues {
    waiters: u32,
    runnable: u32,
    barrier: u32,
    /// The work queue, or a thread, will look.
    looks: bool,
}

/// `Context`, as far as somebody waits there.
#[derive(Default)]
struct Context {
    events: WaitQueue,
    shown_slot: AtomicU32,
    shown_published: AtomicU32,
    taken: AtomicU32,
    queues: Mutex<Queues>,
    may_have_queued: AtomicU32,
    callers: AtomicU32,
    barriers: AtomicU32,
}

impl Context {
    /// `Context::put_in_ring`, and `let_next_begin`.
    fn publish(&self) {
        let slot = self.shown_slot.load(Relaxed) + 1;
        self.shown_slot.store(slot, Release);
        self.shown_published.store(slot, Release);
        self.events.wake();
        if self.barriers.load(Relaxed) != 0 {
            self.release(&mut self.queues.lock().unwrap());
        }
    }

    fn give_back_credit(&self) {
        self.taken.store(self.taken.load(Relaxed) - 1, Release);
        self.events.wake();
        if self.barriers.load(Relaxed) != 0 {
            self.release(&mut self.queues.lock().unwrap());
        }
    }

    fn outstanding(&self) -> u32 {
        let published = self.shown_published.load(Acquire);
        self.taken.load(Acquire).wrapping_sub(published)
    }

    /// `barrier::release`: it runs when nobody else is out.
    fn release(&self, queues: &mut Queues) {
        fence(SeqCst);
        if self.outstanding().saturating_sub(queues.barrier) > 0 || queues.barrier == 0 {
            return;
        }
        queues.barrier = 0;
        self.barriers.store(0, Relaxed);
        self.push(queues);
    }

    /// `barrier::submit`, with a credit that was taken.
    fn hold_back(&self) {
        let mut queues = self.queues.lock().unwrap();
        queues.barrier += 1;
        self.barriers.store(1, Relaxed);
        self.release(&mut queues);
    }

    /// `Queues::push`, on the run list.
    fn push(&self, queues: &mut Queues) {
        queues.runnable += 1;
        self.note_queued(true);
        if queues.waiters > 0 {
            self.events.wake();
        } else if self.callers.load(Relaxed) > 0 {
            // `bring_soon`: they have a while, and then it is looked for.
            queues.looks = true;
        } else {
            queues.looks = true;
        }
    }

    /// `Context::note_queued`.
    fn note_queued(&self, any: bool) {
        let any = u32::from(any);
        if self.may_have_queued.load(Relaxed) != any {
            self.may_have_queued.store(any, Relaxed);
        }
    }

    /// `own::run_own`.
    fn run_own(&self) {
        if self.may_have_queued.load(Relaxed) == 0 {
            return;
        }
        let mut queues = self.queues.lock().unwrap();
        queues.runnable = 0;
        self.note_queued(false);
    }

    /// `getevents`, for one event: whether it sleeps at the end.
    fn getevents(&self) -> bool {
        self.callers.fetch_add(1, Relaxed);
        self.run_own();
        self.queues.lock().unwrap().waiters += 1;
        self.events.prepare();
        let ready = self.shown_slot.load(Acquire) > 0 || self.queues.lock().unwrap().runnable > 0;
        if !ready {
            return true;
        }
        self.queues.lock().unwrap().waiters -= 1;
        self.run_own();
        self.callers.fetch_sub(1, AcqRel);
        fence(SeqCst);
        // `end_call`
        if self.may_have_queued.load(Relaxed) != 0 {
            let mut queues = self.queues.lock().unwrap();
            queues.looks |= queues.runnable > 0;
        }
        false
    }
}

#[test]
fn an_event_and_a_sleep() {
    check(|| {
        let context = Arc::new(Context::default());
        let other = context.clone();
        let waiter = thread::spawn(move || other.getevents());
        context.publish();
        let sleeps = waiter.join().unwrap();
        assert!(!sleeps || context.events.is_woken());
    });
}

#[test]
fn a_kick_and_a_sleep() {
    check(|| {
        let context = Arc::new(Context::default());
        let other = context.clone();
        let waiter = thread::spawn(move || other.getevents());
        context.push(&mut context.queues.lock().unwrap());
        let sleeps = waiter.join().unwrap();
        let queues = context.queues.lock().unwrap();
        // It is run, or somebody comes for it, and the program sees that it is there.
        assert!(queues.runnable == 0 || queues.looks || sleeps && context.events.is_woken());
        assert!(queues.runnable == 0 || context.may_have_queued.load(Relaxed) == 1);
    });
}

#[test]
fn two_kicks_and_a_caller() {
    check(|| {
        let context = Arc::new(Context::default());
        let threads = [(); 2].map(|()| {
            let context = context.clone();
            thread::spawn(move || context.push(&mut context.queues.lock().unwrap()))
        });
        context.run_own();
        for thread in threads {
            thread.join().unwrap();
        }
        let queues = context.queues.lock().unwrap();
        assert!(queues.runnable == 0 || queues.looks);
        assert_eq!(
            context.may_have_queued.load(Relaxed),
            u32::from(queues.runnable > 0)
        );
    });
}

#[test]
fn a_barrier_and_the_last_before_it() {
    check(|| {
        let context = Arc::new(Context::default());
        // One that is in flight, and the barrier's.
        context.taken.store(2, Relaxed);
        let other = context.clone();
        let driver = thread::spawn(move || other.publish());
        context.hold_back();
        driver.join().unwrap();
        let queues = context.queues.lock().unwrap();
        assert_eq!((queues.barrier, queues.runnable), (0, 1));
    });
}

#[test]
fn a_barrier_and_a_credit_that_comes_back() {
    check(|| {
        let context = Arc::new(Context::default());
        context.taken.store(2, Relaxed);
        let other = context.clone();
        let submitter = thread::spawn(move || other.give_back_credit());
        context.hold_back();
        submitter.join().unwrap();
        let queues = context.queues.lock().unwrap();
        assert_eq!((queues.barrier, queues.runnable), (0, 1));
    });
}

/// Who ends the context sees the last event and the last credit, and not too early.
#[test]
fn drain_and_the_last_ones() {
    check(|| {
        let context = Arc::new(Context::default());
        context.taken.store(2, Relaxed);
        let (driver, submitter) = (context.clone(), context.clone());
        let done = Arc::new([AtomicBool::new(false), AtomicBool::new(false)]);
        let (first, second) = (done.clone(), done.clone());
        let threads = [
            thread::spawn(move || {
                first[0].store(true, Relaxed);
                driver.publish();
            }),
            thread::spawn(move || {
                second[1].store(true, Relaxed);
                submitter.give_back_credit();
            }),
        ];
        // `wait_for_drain`
        context.events.prepare();
        let ended = context.outstanding() == 0;
        if ended {
            assert!(done.iter().all(|done| done.load(Relaxed)));
        }
        for thread in threads {
            thread.join().unwrap();
        }
        assert_eq!(context.outstanding(), 0);
        assert!(ended || context.events.is_woken());
    });
}

/// Who arms a request looks whether its context is dead, or its deadline over, and who says so looks for
/// what is armed. (In `ends.rs` a look is as new as can be.)
#[test]
fn one_who_arms_and_one_who_ends() {
    check(|| {
        let words = Arc::new((AtomicU32::new(0), AtomicBool::new(false)));
        let other = words.clone();
        let runner = thread::spawn(move || {
            let (word, dead) = &*other;
            assert!(word.compare_exchange(0, 1, AcqRel, Relaxed).is_ok());
            fence(SeqCst);
            dead.load(Acquire)
        });
        let (word, dead) = &*words;
        dead.swap(true, AcqRel);
        fence(SeqCst);
        let seen = word.load(Acquire) == 1;
        assert!(runner.join().unwrap() || seen);
    });
}

/// `src/request/deadline.rs`: the timer of a request that is over does not run on.
#[test]
fn a_timer_and_the_end() {
    #[derive(Default)]
    struct Timer {
        /// The lock of its base.
        base: Mutex<()>,
        active: AtomicBool,
    }
    impl Timer {
        fn start(&self) {
            let _base = self.base.lock().unwrap();
            self.active.store(true, Relaxed);
        }
        /// hrtimer_try_to_cancel(), which looks before it takes the lock.
        fn stop(&self) {
            if self.active.load(Relaxed) {
                let _base = self.base.lock().unwrap();
                self.active.store(false, Relaxed);
            }
        }
    }
    check(|| {
        let due = Arc::new((AtomicBool::new(false), Timer::default()));
        let other = due.clone();
        let end = thread::spawn(move || {
            let (over, timer) = &*other;
            over.store(true, Release);
            fence(SeqCst);
            timer.stop();
        });
        let (over, timer) = &*due;
        if !over.load(Acquire) {
            timer.start();
            fence(SeqCst);
            if over.load(Acquire) {
                timer.stop();
            }
        }
        end.join().unwrap();
        assert!(!timer.active.load(Relaxed));
    });
}

/// `rust/task_work.rs`: one at a time has the work.
#[test]
fn task_work_has_one_owner() {
    struct Work {
        task: AtomicUsize,
        head: UnsafeCell<u32>,
        /// Queued to the task; its own lock.
        queued: Mutex<bool>,
    }
    impl Work {
        fn touch(&self) {
            // SAFETY: loom has just checked that nobody else is at it.
            self.head.with_mut(|head| unsafe { *head += 1 });
        }
        fn give(&self) {
            if self.task.compare_exchange(0, 1, Acquire, Relaxed).is_ok() {
                self.touch();
                *self.queued.lock().unwrap() = true;
            }
        }
        fn call(&self) {
            let queued = std::mem::take(&mut *self.queued.lock().unwrap());
            if queued {
                self.touch();
                self.task.store(0, Release);
            }
        }
    }
    check(|| {
        let work = Arc::new(Work {
            task: AtomicUsize::new(0),
            head: UnsafeCell::new(0),
            queued: Mutex::new(false),
        });
        let (one, other) = (work.clone(), work.clone());
        let threads = [
            thread::spawn(move || one.give()),
            thread::spawn(move || other.give()),
        ];
        work.call();
        for thread in threads {
            thread.join().unwrap();
        }
        work.call();
        assert_eq!(work.task.load(Relaxed), 0);
    });
}
