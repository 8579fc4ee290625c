// SPDX-License-Identifier: GPL-2.0

//! The threads of a context, and what they are at: who creates and runs them stands above.

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
/// Most of them that start reads of pages at once.
pub(crate) const MAX_PAGES: u32 = 2;
/// How long a thread stays without work, in ns.
pub(crate) const IDLE_NS: i64 = 100_000_000;
/// How often one that has a claim looks whether it is left alone, in ns.
pub(crate) const ALONE_NS: i64 = 1_000_000_000;

/// The number of no request: it releases a file, say.
pub(crate) const NO_REQUEST: u32 = u32::MAX;
/// The number of no request: it was killed.
pub(crate) const KILLED: u32 = u32::MAX - 1;

/// A thread's own side.
pub(crate) struct Worker {
    pub(crate) context: Arc<Context>,
    /// Its place in [`Threads`].
    pub(crate) place: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// It was started or woken, and has not looked for work yet.
    Woken,
    /// It runs this request, or is at something else if it is [`NO_REQUEST`] or [`KILLED`].
    Busy(u32),
    /// It sleeps, since this time in ns.
    Idle(i64),
}

pub(crate) enum Seat {
    Free,
    /// Somebody creates a thread for it.
    Taken,
    /// Its thread is to end: those who submit now are not of its kind.
    Retired(Thread<Worker>),
    Used(Thread<Worker>, State),
}

/// The threads of a context.
pub(crate) struct Threads {
    /// Whose they are. A task in other namespaces, or of another process in the same address
    /// space, can't use them.
    pub(crate) of: Identity,
    pub(crate) places: [Seat; MAX_THREADS],
    /// How many of them are used, and how many of those run a request.
    pub(crate) alive: u32,
    pub(crate) busy: u32,
    /// Threads that start reads of pages.
    pub(crate) pages: u32,
    /// Accepted requests that threads have taken, and that are not over.
    pub(crate) writes: u32,
    /// Those that have left a dead context, for who waits until they are gone.
    pub(crate) left: [Option<ARef<Task>>; MAX_THREADS],
}

impl Threads {
    /// None yet.
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

    /// Those that were started or woken, and have not looked for work yet.
    pub(crate) fn woken(&self) -> u32 {
        // Somebody may have stopped one, and who lets it go on does not say when.
        self.count(|thread, state| *state == State::Woken && !thread.is_stopped())
    }

    /// Whether somebody creates one.
    pub(crate) fn is_coming_up(&self) -> bool {
        self.places.iter().any(|place| matches!(place, Seat::Taken))
    }

    /// Whether there is a thread that will run what is queued.
    pub(crate) fn is_there(&self) -> bool {
        self.alive > 0
    }

    /// How many more there may be.
    pub(crate) fn places(&self) -> u32 {
        let is_free = |place: &&Seat| matches!(place, Seat::Free);
        self.places.iter().filter(is_free).count() as u32
    }

    /// Those that run nothing.
    pub(crate) fn free(&self) -> u32 {
        self.alive.saturating_sub(self.busy)
    }

    /// Those that are idle get no work any more, and end.
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

    /// How many more may start reads of pages.
    pub(crate) fn pages_left(&self) -> u32 {
        MAX_PAGES.saturating_sub(self.pages)
    }

    /// Wakes one that has no work, or says no. Any context.
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
        // One that comes looks for all there is before it sleeps.
        self.are_coming()
    }

    /// Whether some were started or woken, and have not looked for work yet.
    pub(crate) fn are_coming(&self) -> bool {
        self.woken() > 0
    }

    /// Wakes all: the context is dead.
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

    /// One of the accepted requests is over; whether it was the last. Any context.
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

    /// Ends what threads wait for that run a request of which `which` says so. True if there is one,
    /// and its wait is one that can be ended. Any context.
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

    /// Whether all that are there can't end just now, since somebody has stopped them, or they release
    /// a file that waits: a socket lingers.
    pub(crate) fn are_stopped(&self) -> bool {
        self.places.iter().all(|place| match place {
            Seat::Free => true,
            // Whoever creates it will be done with that.
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
    /// Claims a thread for the current task's request, if there is what it needs already.
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

    /// Threads that will look for work in a moment, and may take what blocks.
    pub(crate) fn coming(&self) -> u32 {
        let kept = u32::from(self.claims.threads() >= 2 && self.for_threads() > 0);
        self.threads
            .woken()
            .min(self.threads.free().saturating_sub(kept))
    }

    /// Whether there may be another thread for what is there. The last place is for what does not
    /// block.
    pub(crate) fn may_grow(&self) -> bool {
        self.threads.places() > u32::from(!self.claims.has_own())
    }

    /// Wakes a task that waits and can create another thread, if there may be one.
    pub(crate) fn ask_for_thread(&mut self, context: &Context) {
        if self.waiters > 0 && self.may_grow() && !self.grow {
            self.grow = true;
            context.wake_waiters();
        }
    }

    /// Whether a thread that has no work may take what blocks: there is another for what does not,
    /// or nobody claims one, and there is a place for it.
    pub(crate) fn may_block(&self) -> bool {
        self.threads.free() >= 2 || self.claims.threads() < 2 && self.threads.places() > 0
    }

    /// Whether an idle thread is to stay: it is claimed, or free for what does not block.
    pub(crate) fn may_be_missed(&self) -> bool {
        self.threads.alive <= self.claims.threads()
            || self.claims.has_own() && self.threads.free() <= 1
    }
}

impl Queues {
    /// Whether there are the threads that requests have claims to, of two kinds: not all may be at
    /// what blocks.
    pub(crate) fn has_claimed(&self) -> bool {
        let needed = self.claims.threads();
        let one_is_free = || self.threads.free() > 0 || self.threads.places() == 0;
        self.threads.alive >= needed && (needed < 2 || one_is_free())
    }
}
