// SPDX-License-Identifier: GPL-2.0

//! Threads of the process, for what may block and for what must see the process as the current
//! one: its namespaces, limits, signals and cgroups.
//!
//! They are created by whoever submits or waits, when they are first needed, up to
//! [`MAX_THREADS`] for each context, and stopped when they have been idle for a while; but those
//! that requests have claims to stay, since only the process itself can create another. What
//! blocks, perhaps for ever, never has the last of them, or the last place for one.
//!
//! A thread that is killed takes nothing with it: what is queued for threads is cancelled when the
//! last is dead.

mod claims;
mod reaper;

use crate::{
    context::Context,
    lists::List,
    retry::{
        self,
        Queues,
        Whence, //
    },
    sys::{
        cred,
        sched::Identity,
        vhost_task::{
            self,
            Thread, //
        },
        wait, //
    }, //
};
pub(crate) use claims::{
    Claim,
    Claims, //
};
use kernel::{
    prelude::*,
    sync::Arc, //
};
use reaper::queue_reap;
pub(crate) use reaper::reap_later;

/// Most threads of a context.
pub(crate) const MAX_THREADS: usize = 8;
/// Places for them, and for those that are being stopped meanwhile.
const PLACES: usize = 2 * MAX_THREADS;
/// Most of them that start reads of pages at once.
const MAX_PAGES: u32 = 2;
/// A thread's own side.
pub(crate) struct Worker {
    context: Arc<Context>,
    /// Its place in [`Threads`].
    place: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// It was started or woken, and has not looked for work yet.
    Woken,
    /// It runs a request.
    Busy,
    /// It sleeps, since this time in ns.
    Idle(i64),
    /// It is to be stopped: those who submit now are not of its kind.
    Retired,
    /// It was killed.
    Killed,
}

impl State {
    fn is_alive(&self) -> bool {
        !matches!(self, State::Retired | State::Killed)
    }
}

enum Place {
    Free,
    /// Somebody creates a thread for it.
    Taken,
    /// Its thread is being stopped.
    Left,
    Used(Thread<Worker>, State),
}

/// The threads of a context.
pub(crate) struct Threads {
    /// Whose they are. A task in other namespaces, or of another process in the same address
    /// space, can't use them.
    of: Identity,
    places: [Place; PLACES],
    /// Threads that start reads of pages.
    pages: u32,
}

impl Threads {
    /// None yet.
    pub(crate) fn new() -> Self {
        Threads {
            of: Identity::NONE,
            places: [const { Place::Free }; PLACES],
            pages: 0,
        }
    }

    fn count(&self, is: impl Fn(&State) -> bool) -> u32 {
        let used = |place: &&Place| matches!(place, Place::Used(_, state) if is(state));
        self.places.iter().filter(used).count() as u32
    }

    /// Whether there is a thread that will run what is queued.
    pub(crate) fn is_there(&self) -> bool {
        self.count(State::is_alive) > 0
    }

    /// How many more there may be.
    fn places(&self) -> u32 {
        let is_free = |place: &&Place| matches!(place, Place::Free);
        let is_taken = |place: &&Place| match place {
            Place::Taken => true,
            Place::Used(_, state) => state.is_alive(),
            _ => false,
        };
        let free = self.places.iter().filter(is_free).count();
        let taken = self.places.iter().filter(is_taken).count();
        MAX_THREADS.saturating_sub(taken).min(free) as u32
    }

    fn are_idle(&self) -> bool {
        self.count(|state| matches!(state, State::Woken | State::Busy)) == 0
    }

    /// Those that are idle get no work any more.
    fn retire(&mut self) {
        for place in &mut self.places {
            if let Place::Used(_, state @ State::Idle(_)) = place {
                *state = State::Retired;
            }
        }
    }

    /// Those that run nothing.
    fn free(&self) -> u32 {
        self.count(|state| state.is_alive() && *state != State::Busy)
    }

    fn is_empty(&self) -> bool {
        self.places.iter().all(|place| matches!(place, Place::Free))
    }

    /// How many more may start reads of pages.
    pub(crate) fn pages_left(&self) -> u32 {
        MAX_PAGES.saturating_sub(self.pages)
    }

    /// Wakes one that has no work, or says no. Any context.
    pub(crate) fn wake(&mut self) -> bool {
        for place in &mut self.places {
            if let Place::Used(thread, state @ State::Idle(_)) = place {
                *state = State::Woken;
                thread.wake();
                return true;
            }
        }
        false
    }

    /// Whether the thread of that place is to work.
    fn is_alive(&self, place: usize) -> bool {
        matches!(self.places.get(place), Some(Place::Used(_, state)) if state.is_alive())
    }

    fn set(&mut self, place: usize, to: State) {
        if let Some(Place::Used(_, state)) = self.places.get_mut(place) {
            if state.is_alive() {
                *state = to;
            }
        }
    }

    /// Ends what the threads wait for, inside calls into files. Any context.
    fn interrupt(&self) {
        for place in &self.places {
            if let Place::Used(thread, State::Busy) = place {
                thread.interrupt();
            }
        }
    }
}

impl Queues {
    /// Threads that will look for work in a moment, and may take what is there.
    fn coming(&self) -> u32 {
        let own = self.lists.len(List::Own);
        let blocking = self.for_threads().saturating_sub(own);
        let kept = u32::from(self.claims.threads() >= 2 && blocking > 0);
        let woken = self.threads.count(|state| *state == State::Woken);
        woken.min(own.saturating_add(self.threads.free()).saturating_sub(kept))
    }

    /// Whether there may be another thread for what is there. The last place is for what does not
    /// block.
    fn may_grow(&self) -> bool {
        let own = self.claims.has_own() || self.lists.len(List::Own) > 0;
        self.threads.places() > u32::from(!own)
    }

    /// Wakes a task that waits and can create another thread, if there may be one.
    pub(crate) fn ask_for_thread(&mut self, context: &Context) {
        if self.waiters > 0 && self.may_grow() {
            self.grow = true;
            context.wake_waiters();
        }
    }

    /// Whether a thread that has no work may take what blocks: there is another for what does not,
    /// or nobody claims one, and there is a place for it.
    fn may_block(&self) -> bool {
        self.threads.free() >= 2 || self.claims.threads() < 2 && self.threads.places() > 0
    }
}

impl vhost_task::Worker for Worker {
    fn run(&self) -> bool {
        let context = &self.context;
        let run = {
            let mut queues = context.queues().lock();
            if !queues.threads.is_alive(self.place) {
                return false;
            }
            let lists: &[List] = if !queues.may_block() {
                &[List::Own, List::Later]
            } else if queues.threads.pages_left() > 0 {
                &[List::Own, List::Later, List::Page, List::Block]
            } else {
                &[List::Own, List::Later, List::Block]
            };
            let mut run = retry::take_from(&mut queues, context, lists);
            match &mut run {
                Some(run) => {
                    if run.private().from == Some(List::Page) {
                        queues.threads.pages = queues.threads.pages.saturating_add(1);
                    }
                    queues.threads.set(self.place, State::Busy);
                }
                None => {
                    queues.threads.set(self.place, State::Idle(wait::now()));
                    // It may not take what is there: somebody who can create another.
                    if queues.for_threads() > 0 {
                        queues.ask_for_thread(context);
                    }
                    reap_later(context.clone());
                }
            }
            run
        };
        let Some(mut run) = run else {
            return false;
        };
        vhost_task::set_running();
        let page = run.private().from == Some(List::Page);
        retry::rerun(context, run, Whence::Thread);
        let mut queues = context.queues().lock();
        if page {
            queues.threads.pages = queues.threads.pages.saturating_sub(1);
        }
        queues.threads.set(self.place, State::Woken);
        true
    }

    fn killed(&self) {
        let mut queues = self.context.queues().lock();
        queues.threads.set(self.place, State::Killed);
        queue_reap(self.context.clone(), 0);
    }
}

impl Context {
    /// Makes sure that a thread will be there for a request with that `claim`.
    ///
    /// ERESTARTNOINTR if a signal is pending and must be handled first, another error if there
    /// can be none. Process context, an ioctl of the process.
    pub(crate) fn claim_thread(self: &Arc<Self>, claim: Claim) -> Result {
        if !self.may_have_threads() {
            return Err(EPERM);
        }
        let who = Identity::current();
        {
            let mut queues = self.queues().lock();
            if queues.threads.of != who && queues.threads.is_there() {
                if queues.claims.threads() > 0 || !queues.threads.are_idle() {
                    return Err(EBUSY);
                }
                // They have nothing to do, and make room.
                queues.threads.retire();
                queue_reap(self.clone(), 0);
            }
            queues.threads.of = who;
            queues.claims.add(claim);
        }
        loop {
            {
                let queues = self.queues().lock();
                let needed = queues.claims.threads();
                // Of two kinds: not all may be at what blocks.
                let one_is_free = queues.threads.free() > 0 || queues.threads.places() == 0;
                if queues.threads.count(State::is_alive) >= needed && (needed < 2 || one_is_free) {
                    return Ok(());
                }
            }
            if let Err(e) = self.create_thread() {
                let mut queues = self.queues().lock();
                queues.claims.remove(claim);
                // One that was kept free for it may take what is there.
                queues.threads.wake();
                return Err(e);
            }
        }
    }

    /// Creates another thread if more is queued than there are threads for. Process context, an
    /// ioctl of the process.
    pub(crate) fn threads_for_queued(self: &Arc<Self>) {
        let who = Identity::current();
        loop {
            {
                let mut queues = self.queues().lock();
                queues.grow = false;
                if queues.for_threads() <= queues.coming()
                    || !queues.may_grow()
                    || queues.threads.of != who && queues.threads.is_there()
                    || queues.closing
                {
                    return;
                }
                queues.threads.of = who;
            }
            // Without it, those that are there do it all.
            if self.create_thread().is_err() {
                return;
            }
        }
    }

    fn create_thread(self: &Arc<Self>) -> Result {
        if !self.may_have_threads() {
            return Err(EPERM);
        }
        let place = {
            let mut queues = self.queues().lock();
            if queues.closing {
                return Err(EINVAL);
            }
            if queues.threads.places() == 0 {
                return Err(EAGAIN);
            }
            let mut places = queues.threads.places.iter_mut().enumerate();
            let free = places.find(|(_, place)| matches!(place, Place::Free));
            let Some((place, free)) = free else {
                return Err(EAGAIN);
            };
            *free = Place::Taken;
            place
        };
        let thread = self.new_thread(place);
        let mut queues = self.queues().lock();
        let Some(free) = queues.threads.places.get_mut(place) else {
            return Err(EINVAL);
        };
        match thread {
            Ok(thread) => {
                thread.start();
                *free = Place::Used(thread, State::Woken);
                Ok(())
            }
            Err(e) => {
                *free = Place::Free;
                drop(queues);
                self.wake_drain();
                Err(e)
            }
        }
    }

    fn new_thread(self: &Arc<Self>, place: usize) -> Result<Thread<Worker>> {
        let worker = Arc::new(
            Worker {
                context: self.clone(),
                place,
            },
            GFP_KERNEL_ACCOUNT,
        )?;
        // Not with the credentials of a request that is being run.
        cred::with_own(|| Thread::create(worker, c"raio-worker"))
    }

    /// Interrupts what threads wait for. Any context.
    pub(crate) fn interrupt_threads(&self) {
        self.queues().lock().threads.interrupt();
    }

    /// Whether no thread is left.
    pub(crate) fn has_no_threads(&self) -> bool {
        self.queues().lock().threads.is_empty()
    }
}
