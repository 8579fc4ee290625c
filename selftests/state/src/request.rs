// SPDX-License-Identifier: GPL-2.0

//! A model of a request, of the lists it may be on, and of the file that it is for.

use crate::state::{Phase, Step, Then, Word};
use loom::{
    cell::UnsafeCell,
    sync::{
        atomic::{
            AtomicU32,
            Ordering::{AcqRel, Acquire},
        },
        Arc, Mutex,
    },
};
// Of the model itself, not of what is tested: loom need not try all orders of these.
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// What the file does.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum File {
    /// Not ready: the try is refused, and the request armed on the file's wait queue.
    Polled,
    /// Not there: the request is armed on the page's wait queue.
    Paged,
    /// A driver takes it, and completes it with that result.
    Driven(Answer),
}

/// How a driver ends a request.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    /// With data.
    Data,
    /// It would have had to wait, which this try must not.
    Again,
}

/// The file's, or the page's.
#[derive(Default)]
struct WaitQueue {
    /// There is data.
    ready: bool,
    /// The request's entry is on it.
    entry: bool,
}

pub(crate) struct Request {
    file: File,
    word: AtomicU32,
    wait: Mutex<WaitQueue>,
    /// Whether the request is on a list; the lists' lock.
    listed: Mutex<bool>,
    /// What belongs to the owner: the number of tries.
    private: UnsafeCell<usize>,
    /// What belongs to the driver, and then to the owner.
    answer: UnsafeCell<Option<Answer>>,
    events: AtomicUsize,
}

impl Request {
    /// One that is being submitted.
    pub(crate) fn new(file: File) -> Arc<Self> {
        let request = Arc::new(Request {
            file,
            word: AtomicU32::new(Word::FREE.0),
            wait: Mutex::new(WaitQueue::default()),
            listed: Mutex::new(false),
            private: UnsafeCell::new(0),
            answer: UnsafeCell::new(None),
            events: AtomicUsize::new(0),
        });
        assert_eq!(request.step(Step::Take), Some(Then::Own));
        request
    }

    fn word(&self) -> Word {
        Word(self.word.load(Acquire))
    }

    /// Asked only where it can be: each look at the word multiplies the orders.
    fn is_ended(&self) -> bool {
        self.file == File::Paged && self.word().is_ended()
    }

    fn step(&self, step: Step) -> Option<Then> {
        self.step_if(step, |_| true)
    }

    fn step_if(&self, step: Step, allowed: impl Fn(Word) -> bool) -> Option<Then> {
        let mut now = self.word();
        loop {
            if !allowed(now) {
                return None;
            }
            let (next, then) = now.step(step)?;
            match self.word.compare_exchange(now.0, next.0, AcqRel, Acquire) {
                Ok(_) => return Some(then),
                Err(seen) => now = Word(seen),
            }
        }
    }

    /// What the owner does: loom panics if there is another.
    fn touch(&self) -> usize {
        self.private.with_mut(|tries| {
            // SAFETY: loom has just checked that nobody else is at it.
            unsafe {
                *tries += 1;
                *tries
            }
        })
    }

    /// The owner delivers the event, if nobody has, and gives the request back.
    fn complete(&self) {
        self.touch();
        if !self.is_ended() {
            self.events.fetch_add(1, Relaxed);
        }
        let mut wait = self.wait.lock().unwrap();
        // A page's entry can't be taken off.
        assert!(!wait.entry || self.file != File::Paged);
        wait.entry = false;
        drop(wait);
        assert_eq!(self.step(Step::Free), Some(Then::Nothing));
    }

    fn finish(&self) {
        assert_eq!(self.step(Step::Finish), Some(Then::Own));
        self.complete();
    }

    /// The submitter begins a run.
    pub(crate) fn issue(&self) {
        assert_eq!(self.step(Step::Issue), Some(Then::Nothing));
    }

    /// The submitter leaves it to whoever runs what is on the lists.
    pub(crate) fn punt(&self) {
        let mut listed = self.listed.lock().unwrap();
        assert_eq!(self.step(Step::Queue), Some(Then::Nothing));
        *listed = true;
    }

    /// A run, until somebody else has the request, or it is over.
    pub(crate) fn run(&self) {
        loop {
            let tries = self.touch();
            if self.is_ended() {
                return self.finish();
            }
            let step = match self.file {
                // The second try may wait.
                File::Driven(_) if tries > 1 => return self.finish(),
                File::Driven(_) => return self.leave(),
                File::Polled => Step::Arm,
                File::Paged => Step::Wait,
            };
            if self.is_ready() {
                return self.finish();
            }
            match self.step(step) {
                Some(Then::Nothing) => return,
                Some(Then::Again) => continue,
                Some(Then::Cancelled) => return self.finish(),
                other => panic!("armed: {other:?}"),
            }
        }
    }

    /// Whether there is data; else the entry is queued now.
    fn is_ready(&self) -> bool {
        let mut wait = self.wait.lock().unwrap();
        if !wait.ready {
            wait.entry = true;
        }
        wait.ready
    }

    /// The issue call has returned -EIOCBQUEUED. It may have looked at the request until then.
    fn leave(&self) {
        self.private.with(|_| {});
        match self.step(Step::Leave) {
            Some(Then::Own) => self.answered(),
            Some(Then::Nothing) => {}
            other => panic!("left: {other:?}"),
        }
    }

    /// The driver, at any time after the issue call has begun.
    pub(crate) fn driver(&self) {
        let File::Driven(answer) = self.file else {
            panic!("no driver");
        };
        // SAFETY: loom has just checked that nobody else is at it.
        self.answer
            .with_mut(|place| unsafe { *place = Some(answer) });
        match self.step(Step::Complete) {
            Some(Then::Own) => self.answered(),
            Some(Then::Nothing) => {}
            other => panic!("completed: {other:?}"),
        }
    }

    /// The owner has the driver's answer.
    fn answered(&self) {
        self.touch();
        // SAFETY: loom has just checked that nobody else writes it.
        match self.answer.with(|place| unsafe { *place }) {
            Some(Answer::Data) => self.complete(),
            Some(Answer::Again) => {
                let mut listed = self.listed.lock().unwrap();
                if self.step(Step::Queue).is_some() {
                    *listed = true;
                    return;
                }
                // Cancelled.
                drop(listed);
                self.complete();
            }
            None => panic!("no answer"),
        }
    }

    /// There is data, and who waits is woken.
    pub(crate) fn wake(&self) {
        self.wake_with(true);
    }

    /// A wake without data.
    pub(crate) fn wake_for_nothing(&self) {
        self.wake_with(false);
    }

    /// As [`Self::wake`], where the wake is the result: whoever wakes completes it, if it is armed.
    pub(crate) fn fire(&self) {
        let mut wait = self.wait.lock().unwrap();
        wait.ready = true;
        if wait.entry && self.word().phase() == Phase::Armed {
            if let Some(then) = self.step(Step::Fire) {
                if then == Then::Own {
                    wait.entry = false;
                    drop(wait);
                    return self.complete();
                }
            }
        }
        drop(wait);
        self.wake();
    }

    fn wake_with(&self, data: bool) {
        let mut wait = self.wait.lock().unwrap();
        wait.ready |= data;
        if !wait.entry {
            return;
        }
        if self.file == File::Paged {
            wait.entry = false;
        }
        let mut listed = self.listed.lock().unwrap();
        if self.step(Step::Kick) == Some(Then::Queue) {
            assert!(!*listed);
            *listed = true;
        }
    }

    /// Takes the request off the list, and runs it; whether it was on one.
    pub(crate) fn work(&self) -> bool {
        let mut listed = self.listed.lock().unwrap();
        if !*listed {
            return false;
        }
        *listed = false;
        // On a list if and only if it is Queued.
        let then = self.step_if(Step::Issue, |word| word.phase() == Phase::Queued);
        assert_eq!(then, Some(Then::Nothing));
        drop(listed);
        self.run();
        true
    }

    /// Cancels it; whether it was.
    pub(crate) fn cancel(&self) -> bool {
        let mut listed = self.listed.lock().unwrap();
        match self.step_if(Step::Cancel, |word| word.is_in_flight(1, u32::MAX)) {
            Some(Then::Own) => {
                *listed = false;
                drop(listed);
                self.complete();
                true
            }
            Some(Then::Ended) => {
                self.events.fetch_add(1, Relaxed);
                true
            }
            Some(Then::Busy) | None => false,
            other => panic!("cancelled: {other:?}"),
        }
    }

    /// After everybody has done what he had to: it had one event, and is at home.
    pub(crate) fn expect_over(&self) {
        while self.work() {}
        assert_eq!(self.events.load(Relaxed), 1);
        assert_eq!(self.word().phase(), Phase::Free);
        assert!(!self.wait.lock().unwrap().entry);
        self.touch();
    }
}
