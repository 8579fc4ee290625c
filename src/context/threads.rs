// SPDX-License-Identifier: GPL-2.0

//! The threads of a context and their states. [`engine`](crate::engine) creates the threads,
//! [`run`](crate::run) is what they do.

use super::{
    claims::Claim,
    queues::Queues,
    Context, //
};
use crate::sys::{
    sched::Identity,
    vhost_task::Thread, //
};
use kernel::{
    sync::{
        aref::ARef,
        Arc, //
    },
    task::Task, //
};

/// Most threads of a context.
pub(crate) const MAX_THREADS: usize = 8;
/// Most threads that start reads of pages at once.
pub(crate) const MAX_PAGES: u32 = 2;
/// How long an idle thread stays, in ns.
pub(crate) const IDLE_NS: i64 = 100_000_000;
/// How often an idle thread with a claim checks whether it is left alone, in ns.
pub(crate) const ALONE_NS: i64 = 1_000_000_000;

/// In [`State::Busy`]: the thread runs no request, and releases a file, for example.
pub(crate) const NO_REQUEST: u32 = u32::MAX;
/// In [`State::Busy`]: the thread runs no request, and was killed.
pub(crate) const KILLED: u32 = u32::MAX - 1;

/// What a thread knows about itself.
pub(crate) struct Worker {
    pub(crate) context: Arc<Context>,
    /// The index of its seat in [`Threads::places`].
    pub(crate) place: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// It was started or woken, and has not checked the lists yet.
    Woken,
    /// It runs this request, or does something else if this is [`NO_REQUEST`] or [`KILLED`].
    Busy(u32),
    /// It sleeps since this time, in ns.
    Idle(i64),
}

pub(crate) enum Seat {
    Free,
    /// A task is creating a thread for it.
    Taken,
    /// Its thread has to end: it can't run the requests of the tasks that submit now.
    Retired(Thread<Worker>),
    Used(Thread<Worker>, State),
}

/// The threads of a context.
pub(crate) struct Threads {
    /// The identity of the threads. A task in other namespaces, or of another process in the same
    /// address space, can't use them.
    pub(crate) of: Identity,
    pub(crate) places: [Seat; MAX_THREADS],
    /// The number of used seats, and the number of those whose thread is busy.
    pub(crate) alive: u32,
    pub(crate) busy: u32,
    /// The number of threads that are starting the read of a page.
    pub(crate) pages: u32,
    /// The number of accepted requests that threads have taken and that are not over.
    pub(crate) writes: u32,
    /// The tasks of threads that have left a dead context, for the task that waits until they are gone.
    pub(crate) left: [Option<ARef<Task>>; MAX_THREADS],
}

impl Threads {
    /// No threads.
    pub(crate) fn new() -> Self {
        Threads {
            of: Identity::NONE,
            places: [const { Seat::Free }; MAX_THREADS],
            alive: 0,
            busy: 0,
            pages: 0,
            writes: 0,
            left: [const { None }; MAX_THREADS],
        }
    }

    pub(crate) fn count(&self, is: impl Fn(&Thread<Worker>, &State) -> bool) -> u32 {
        let used = |place: &&Seat| matches!(place, Seat::Used(thread, state) if is(thread, state));
        self.places.iter().filter(used).count() as u32
    }

    /// The number of threads that were started or woken, and have not checked the lists yet.
    pub(crate) fn woken(&self) -> u32 {
        // A stopped thread does not count: nobody knows when it is continued.
        self.count(|thread, state| *state == State::Woken && !thread.is_stopped())
    }

    /// Whether a task is creating a thread.
    pub(crate) fn is_coming_up(&self) -> bool {
        self.places.iter().any(|place| matches!(place, Seat::Taken))
    }

    /// Whether there is a thread that will run what is queued.
    pub(crate) fn is_there(&self) -> bool {
        self.alive > 0
    }

    /// The number of threads that may still be created.
    pub(crate) fn places(&self) -> u32 {
        let is_free = |place: &&Seat| matches!(place, Seat::Free);
        self.places.iter().filter(is_free).count() as u32
    }

    /// The number of threads that are not busy.
    pub(crate) fn free(&self) -> u32 {
        self.alive.saturating_sub(self.busy)
    }

    /// Retires the idle threads: they get no more work, and end.
    pub(crate) fn retire(&mut self) {
        for place in &mut self.places {
            if !matches!(place, Seat::Used(_, State::Idle(_))) {
                continue;
            }
            if let Seat::Used(thread, _) = core::mem::replace(place, Seat::Free) {
                thread.wake();
                *place = Seat::Retired(thread);
                self.alive -= 1;
            }
        }
    }

    /// The number of threads that may still start a read of a page.
    pub(crate) fn pages_left(&self) -> u32 {
        MAX_PAGES.saturating_sub(self.pages)
    }

    /// Wakes an idle thread. Returns false if there is none, and none is on its way. Any context.
    pub(crate) fn wake(&mut self) -> bool {
        for place in &mut self.places {
            if let Seat::Used(thread, state @ State::Idle(_)) = place {
                if thread.is_stopped() {
                    continue;
                }
                *state = State::Woken;
                thread.wake();
                return true;
            }
        }
        // A woken thread takes all requests that it may run before it sleeps.
        self.are_coming()
    }

    /// Whether a thread was started or woken, and has not checked the lists yet.
    pub(crate) fn are_coming(&self) -> bool {
        self.woken() > 0
    }

    /// Wakes all idle threads: the context is dead.
    pub(crate) fn wake_all(&mut self) {
        for place in &mut self.places {
            if let Seat::Used(thread, state @ State::Idle(_)) = place {
                *state = State::Woken;
                thread.wake();
            }
        }
    }

    /// Whether accepted requests that threads have taken are not over. Any context.
    pub(crate) fn has_writes(&self) -> bool {
        self.writes > 0
    }

    /// An accepted request that a thread has taken is over. Returns whether it was the last. Any
    /// context.
    pub(crate) fn finish_write(&mut self) -> bool {
        self.writes = self.writes.saturating_sub(1);
        self.writes == 0
    }

    pub(crate) fn set(&mut self, place: usize, to: State) {
        if let Some(Seat::Used(_, state)) = self.places.get_mut(place) {
            self.busy -= u32::from(matches!(state, State::Busy(_)));
            self.busy += u32::from(matches!(to, State::Busy(_)));
            *state = to;
        }
    }

    pub(crate) fn leave(&mut self, place: usize) -> Option<Thread<Worker>> {
        self.set(place, State::Woken);
        let place = self.places.get_mut(place)?;
        self.alive -= u32::from(matches!(place, Seat::Used(..)));
        match core::mem::replace(place, Seat::Free) {
            Seat::Used(thread, _) | Seat::Retired(thread) => Some(thread),
            Seat::Free | Seat::Taken => None,
        }
    }

    /// Interrupts the waits of threads that run a request for which `which` is true. Returns whether a
    /// thread was interrupted in a wait that can end. Any context.
    pub(crate) fn interrupt(&self, which: impl Fn(u32) -> bool) -> bool {
        let mut any = false;
        for place in &self.places {
            if let Seat::Used(thread, State::Busy(index)) = place {
                if which(*index) {
                    any |= thread.interrupt();
                }
            }
        }
        any
    }

    /// Whether none of the threads can end now: each is stopped, or releases a file and sleeps in that,
    /// as for a socket that lingers.
    pub(crate) fn are_stopped(&self) -> bool {
        self.places.iter().all(|place| match place {
            Seat::Free => true,
            // The creation will finish by itself.
            Seat::Taken => false,
            Seat::Used(thread, State::Busy(NO_REQUEST)) => {
                thread.is_asleep() || thread.is_stopped()
            }
            Seat::Retired(thread) | Seat::Used(thread, _) => thread.is_stopped(),
        })
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.places() as usize == MAX_THREADS
    }
}

impl Queues {
    /// Adds a claim for the current task's request, if there are enough threads for it already.
    pub(crate) fn try_claim(&mut self, claim: Claim) -> bool {
        if self.threads.of != Identity::current() {
            return false;
        }
        self.claims.add(claim);
        let good = self.has_claimed();
        if !good {
            self.claims.remove(claim);
        }
        good
    }

    /// The number of threads that will check the lists in a moment, and may take requests that block.
    pub(crate) fn coming(&self) -> u32 {
        let kept = u32::from(self.claims.threads() >= 2 && self.for_threads() > 0);
        self.threads
            .woken()
            .min(self.threads.free().saturating_sub(kept))
    }

    /// Whether there may be another thread for the queued requests. The last seat is for requests that
    /// don't block.
    pub(crate) fn may_grow(&self) -> bool {
        self.threads.places() > u32::from(!self.claims.has_own())
    }

    /// Wakes a waiter that can create another thread, if there may be one.
    pub(crate) fn ask_for_thread(&mut self, context: &Context) {
        if self.waiters > 0 && self.may_grow() && !self.grow {
            self.grow = true;
            context.wake_waiters();
        }
    }

    /// Whether a free thread may take a request that blocks: another thread is free for those that
    /// don't, or they have no claim, and there is a free seat.
    pub(crate) fn may_block(&self) -> bool {
        self.threads.free() >= 2 || self.claims.threads() < 2 && self.threads.places() > 0
    }

    /// Whether an idle thread has to stay: it is claimed, or it is the free one for requests that don't
    /// block.
    pub(crate) fn may_be_missed(&self) -> bool {
        self.threads.alive <= self.claims.threads()
            || self.claims.has_own() && self.threads.free() <= 1
    }
}

impl Queues {
    /// Whether there are the threads that the claims need. If there are claims of both kinds, one
    /// thread must be free, so that not all can block.
    pub(crate) fn has_claimed(&self) -> bool {
        let needed = self.claims.threads();
        let one_is_free = || self.threads.free() > 0 || self.threads.places() == 0;
        self.threads.alive >= needed && (needed < 2 || one_is_free())
    }
}
