// SPDX-License-Identifier: GPL-2.0

//! A model of a request, of the lists it may be on, of the file that it is for, and of who may end it
//! from outside: its context, and its deadline.

mod outside;

use crate::state::{Phase, Step, Then, Word};
use loom::{
    cell::UnsafeCell,
    sync::{
        atomic::{
            fence, AtomicBool, AtomicU32,
            Ordering::{AcqRel, Acquire, Relaxed, SeqCst},
        },
        Arc, Mutex,
    },
};

/// What the file does.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum File {
    /// Not ready: the try is refused, and the request armed on the file's wait queue.
    Polled,
    /// Not there: the request is armed on the page's wait queue.
    Paged,
    /// A driver takes it, and completes it with that result.
    Driven(Answer),
    /// It is done in the try, which may block.
    Done,
}

/// How a driver ends a request.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    /// With data.
    Data,
    /// It would have had to wait, which this try must not.
    Again,
}

/// How a request has ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum End {
    Result,
    Cancelled,
    /// Cancelled, and its deadline was over.
    Late,
}

/// The file's, or the page's.
#[derive(Default)]
struct WaitQueue {
    /// There is data.
    ready: bool,
    /// The request's entry is on it.
    entry: bool,
}

/// What the lists' lock guards.
#[derive(Default)]
struct Lists {
    /// The request is on one.
    listed: bool,
    /// The context ends: nothing is put there any more but what was accepted.
    closing: bool,
}

/// Of the model itself, not of what is tested: loom need not try all orders of these.
#[derive(Default)]
struct Seen {
    ends: Vec<End>,
    /// What the event said that a canceller delivered.
    moved: Option<u32>,
    /// The timer of its deadline is to fire once more.
    timer: bool,
}

pub(crate) struct Request {
    file: File,
    accepted: bool,
    word: AtomicU32,
    wait: Mutex<WaitQueue>,
    lists: Mutex<Lists>,
    /// What belongs to the owner: the number of tries.
    private: UnsafeCell<u32>,
    /// `Shared::moved`: that number, when it was left to the page.
    moved: AtomicU32,
    /// What belongs to the driver, and then to the owner.
    answer: UnsafeCell<Option<Answer>>,
    /// `Context::dead`.
    dead: AtomicBool,
    /// `Due::past`.
    past: AtomicBool,
    seen: std::sync::Mutex<Seen>,
}

impl Request {
    /// One that is being submitted.
    pub(crate) fn new(file: File, accepted: bool) -> Arc<Self> {
        let request = Arc::new(Request {
            file,
            accepted,
            word: AtomicU32::new(Word::FREE.0),
            wait: Mutex::new(WaitQueue::default()),
            lists: Mutex::new(Lists::default()),
            private: UnsafeCell::new(0),
            moved: AtomicU32::new(0),
            answer: UnsafeCell::new(None),
            dead: AtomicBool::new(false),
            past: AtomicBool::new(false),
            seen: Default::default(),
        });
        assert_eq!(request.step(Step::Take), Some(Then::Own));
        request
    }

    /// A look. As loom remembers no more than the last access to a word, one of our own that is no
    /// write would hide those of others from the step after it: orders would not be tried.
    fn word(&self) -> Word {
        Word(self.word.fetch_or(0, Acquire))
    }

    /// Asked only where it can be: each look at the word multiplies the orders.
    fn is_ended(&self) -> bool {
        self.file == File::Paged && self.word().is_ended()
    }

    fn step(&self, step: Step) -> Option<Then> {
        self.step_if(step, |_| true)
    }

    /// As `Slot::step_if`.
    fn step_if(&self, step: Step, allowed: impl Fn(Word) -> bool) -> Option<Then> {
        let mut now = self.word();
        loop {
            if !allowed(now) {
                return None;
            }
            let (next, then) = now.step(step)?;
            // One that fails has no order in the kernel.
            match self.word.compare_exchange(now.0, next.0, AcqRel, Relaxed) {
                Ok(_) => return Some(then),
                Err(_) => now = self.word(),
            }
        }
    }

    /// What the owner does: loom panics if there is another.
    fn touch(&self) -> u32 {
        self.private.with_mut(|tries| {
            // SAFETY: loom has just checked that nobody else is at it.
            unsafe {
                *tries += 1;
                *tries
            }
        })
    }

    fn end(&self, end: End) {
        self.seen.lock().unwrap().ends.push(end);
    }

    /// How one ends that was cancelled: `Request::is_late`.
    fn end_of_cancelled(&self) -> End {
        if self.past.load(Acquire) {
            End::Late
        } else {
            End::Cancelled
        }
    }

    /// The owner delivers the event, if nobody has, and gives the request back.
    fn complete(&self, end: End) {
        self.touch();
        if !self.is_ended() {
            self.end(end);
        }
        let mut wait = self.wait.lock().unwrap();
        // A page's entry can't be taken off.
        assert!(!wait.entry || self.file != File::Paged);
        wait.entry = false;
        drop(wait);
        assert_eq!(self.step(Step::Free), Some(Then::Nothing));
    }

    fn finish(&self, end: End) {
        assert_eq!(self.step(Step::Finish), Some(Then::Own));
        self.complete(end);
    }

    /// The submitter begins a run.
    pub(crate) fn issue(&self) {
        assert_eq!(self.step(Step::Issue), Some(Then::Nothing));
    }

    /// The owner puts it on a list, or ends it: `engine::queue_in_order`.
    pub(crate) fn punt(&self) {
        let mut lists = self.lists.lock().unwrap();
        let refused = lists.closing && !self.accepted;
        if !refused && self.step(Step::Queue).is_some() {
            lists.listed = true;
            return;
        }
        drop(lists);
        self.complete(self.end_of_cancelled());
    }

    /// A run, until somebody else has the request, or it is over.
    pub(crate) fn run(&self) {
        loop {
            let tries = self.touch();
            if self.is_ended() {
                // What was moved when it was left to the page, this time.
                assert_eq!(self.seen.lock().unwrap().moved, Some(tries - 1));
                return self.finish(End::Result);
            }
            let step = match self.file {
                File::Done => return self.finish(End::Result),
                // The second try may wait.
                File::Driven(_) if tries > 1 => return self.finish(End::Result),
                File::Driven(_) => return self.leave(),
                File::Polled => Step::Arm,
                File::Paged => Step::Wait,
            };
            if self.is_ready() {
                return self.finish(End::Result);
            }
            if self.file == File::Paged {
                self.moved.store(tries, Relaxed);
            }
            match self.step(step) {
                Some(Then::Nothing) => return self.armed(),
                Some(Then::Again) => continue,
                Some(Then::Cancelled) => return self.finish(self.end_of_cancelled()),
                other => panic!("armed: {other:?}"),
            }
        }
    }

    /// A run that has to be gone on with by somebody who may block.
    pub(crate) fn run_and_punt(&self) {
        self.touch();
        assert_eq!(self.step(Step::Finish), Some(Then::Own));
        self.punt();
    }

    /// The run has left it: what came too early to cancel it does so now.
    fn armed(&self) {
        // The step was a full barrier.
        fence(SeqCst);
        if self.file == File::Polled && self.dead.load(Acquire) {
            self.cancel_for_end();
        } else if self.file == File::Paged && self.past.load(Acquire) {
            self.cancel_late();
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
            Some(Answer::Data) => self.complete(End::Result),
            Some(Answer::Again) => self.punt(),
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
                    return self.complete(End::Result);
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
        let mut lists = self.lists.lock().unwrap();
        if self.step(Step::Kick) == Some(Then::Queue) {
            assert!(!lists.listed);
            lists.listed = true;
        }
    }

    /// Takes the request off the list, and runs it; whether it was on one.
    pub(crate) fn work(&self) -> bool {
        let mut lists = self.lists.lock().unwrap();
        if !lists.listed {
            return false;
        }
        lists.listed = false;
        // On a list if and only if it is Queued.
        let then = self.step_if(Step::Issue, |word| word.phase() == Phase::Queued);
        assert_eq!(then, Some(Then::Nothing));
        let closing = lists.closing;
        drop(lists);
        // `run::rerun`
        if closing && !self.accepted {
            self.touch();
            self.finish(self.end_of_cancelled());
        } else {
            self.run();
        }
        true
    }

    /// Cancels it; whether it was.
    pub(crate) fn cancel(&self) -> bool {
        self.cancel_one(End::Cancelled).is_some_and(|done| done)
    }

    /// `cancel::cancel_one`: whether it was cancelled, or `None` if there is no such request.
    fn cancel_one(&self, end: End) -> Option<bool> {
        let mut lists = self.lists.lock().unwrap();
        let moved = std::cell::Cell::new(0);
        let matches = |word: Word| {
            let is = word.is_in_flight(1, u32::MAX);
            if is && self.file == File::Paged {
                moved.set(self.moved.load(Relaxed));
            }
            is
        };
        match self.step_if(Step::Cancel, matches)? {
            Then::Own => {
                lists.listed = false;
                drop(lists);
                self.complete(end);
                Some(true)
            }
            Then::Ended => {
                self.seen.lock().unwrap().moved = Some(moved.get());
                self.end(end);
                Some(true)
            }
            Then::Busy => Some(false),
            other => panic!("cancelled: {other:?}"),
        }
    }

    /// After all have done their work: it had one event, and is back in the pool. How it ended.
    pub(crate) fn expect_over(&self) -> End {
        while self.work() {}
        assert_eq!(self.word().phase(), Phase::Free);
        assert!(!self.wait.lock().unwrap().entry);
        self.touch();
        let ends = &self.seen.lock().unwrap().ends;
        assert_eq!(ends.len(), 1);
        ends[0]
    }
}
