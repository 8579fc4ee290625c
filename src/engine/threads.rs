// SPDX-License-Identifier: GPL-2.0

//! Threads of the process, for what may block, and for what nobody else comes for.
//!
//! They are created by whoever submits or waits, when they are first needed, up to
//! [`MAX_THREADS`] for each context. Each ends by itself: when it has been idle for a while and no
//! request has a claim to it, since only the process itself can create another; when its context has
//! ended; and when it is killed. What blocks, perhaps for ever, never has the last of them if there is
//! a claim for something else, nor the last place for one.
//!
//! Nobody waits for a thread but who destroys its context, and that not if somebody has stopped it.
//! A thread that is killed takes nothing with it: it finishes what was accepted, and what else is
//! queued for threads is cancelled when the last is dead.

mod claims;

use crate::{
    context::Context,
    engine::{
        self,
        Place,
        Queues, //
    },
    pure::lists::List,
    sys::{
        cred,
        sched::Identity,
        task::{
            FullTask,
            WorkerTask, //
        },
        vhost_task::{
            self,
            Next,
            Thread, //
        },
        wait::{
            self,
            Deadline, //
        }, //
    }, //
};
pub(crate) use claims::{
    Claim,
    Claims, //
};
use kernel::{
    current,
    prelude::*,
    sync::{
        aref::ARef,
        Arc, //
    },
    task::Task, //
};

/// Most threads of a context.
pub(crate) const MAX_THREADS: usize = 8;
/// Most of them that start reads of pages at once.
const MAX_PAGES: u32 = 2;
/// How long a thread stays without work, in ns.
const IDLE_NS: i64 = 100_000_000;
/// How often one that has a claim looks whether it is left alone, in ns.
const ALONE_NS: i64 = 1_000_000_000;

/// The number of no request: it releases a file, say.
const NO_REQUEST: u32 = u32::MAX;
/// The number of no request: it was killed.
const KILLED: u32 = u32::MAX - 1;

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
    /// It runs this request, or is at something else if it is [`NO_REQUEST`] or [`KILLED`].
    Busy(u32),
    /// It sleeps, since this time in ns.
    Idle(i64),
}

enum Seat {
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
    of: Identity,
    places: [Seat; MAX_THREADS],
    /// How many of them are used, and how many of those run a request.
    alive: u32,
    busy: u32,
    /// Threads that start reads of pages.
    pages: u32,
    /// Accepted requests that threads have taken, and that are not over.
    writes: u32,
    /// Those that have left a dead context, for who waits until they are gone.
    left: [Option<ARef<Task>>; MAX_THREADS],
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

    fn count(&self, is: impl Fn(&Thread<Worker>, &State) -> bool) -> u32 {
        let used = |place: &&Seat| matches!(place, Seat::Used(thread, state) if is(thread, state));
        self.places.iter().filter(used).count() as u32
    }

    /// Those that were started or woken, and have not looked for work yet.
    fn woken(&self) -> u32 {
        // Somebody may have stopped one, and who lets it go on does not say when.
        self.count(|thread, state| *state == State::Woken && !thread.is_stopped())
    }

    /// Whether somebody creates one.
    fn is_coming_up(&self) -> bool {
        self.places.iter().any(|place| matches!(place, Seat::Taken))
    }

    /// Whether there is a thread that will run what is queued.
    pub(crate) fn is_there(&self) -> bool {
        self.alive > 0
    }

    /// How many more there may be.
    fn places(&self) -> u32 {
        let is_free = |place: &&Seat| matches!(place, Seat::Free);
        self.places.iter().filter(is_free).count() as u32
    }

    /// Those that run nothing.
    fn free(&self) -> u32 {
        self.alive.saturating_sub(self.busy)
    }

    /// Those that are idle get no work any more, and end.
    fn retire(&mut self) {
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

    fn set(&mut self, place: usize, to: State) {
        if let Some(Seat::Used(_, state)) = self.places.get_mut(place) {
            self.busy -= u32::from(matches!(state, State::Busy(_)));
            self.busy += u32::from(matches!(to, State::Busy(_)));
            *state = to;
        }
    }

    fn leave(&mut self, place: usize) -> Option<Thread<Worker>> {
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
    fn are_stopped(&self) -> bool {
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

    fn is_empty(&self) -> bool {
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
    fn coming(&self) -> u32 {
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
    fn may_block(&self) -> bool {
        self.threads.free() >= 2 || self.claims.threads() < 2 && self.threads.places() > 0
    }

    /// Whether an idle thread is to stay: it is claimed, or free for what does not block.
    fn may_be_missed(&self) -> bool {
        self.threads.alive <= self.claims.threads()
            || self.claims.has_own() && self.threads.free() <= 1
    }
}

impl Worker {
    /// Takes the thread out of its place, under the lock: nobody refers to it from then on.
    fn leave(&self, queues: &mut Queues) -> Option<Thread<Worker>> {
        let thread = queues.threads.leave(self.place);
        if queues.closing {
            if let Some(left) = queues.threads.left.get_mut(self.place) {
                *left = Some((&**current!()).into());
            }
        }
        thread
    }

    /// Ends the thread, under the lock.
    fn end(&self, queues: &mut Queues) -> Next<Self> {
        // It has a place as long as it runs.
        self.leave(queues)
            .map_or(Next::Sleep(Deadline::Never), Next::End)
    }

    /// What a thread does that has found nothing.
    fn idle(&self, alone: bool, queues: &mut Queues, since: Option<i64>) -> Next<Self> {
        let now = wait::now();
        let since = since.unwrap_or(now);
        let missed = queues.may_be_missed();
        let over = now.saturating_sub(since) >= IDLE_NS;
        if over && (!missed || alone) {
            return self.end(queues);
        }
        queues.threads.set(self.place, State::Idle(since));
        // It may not take what is there: somebody who can create another.
        if queues.for_threads() > 0 {
            queues.need_thread(&self.context, || self.context.clone());
        }
        let pause = if over { ALONE_NS } else { IDLE_NS };
        Next::Sleep(Deadline::At(now.saturating_add(pause)))
    }

    /// What it does next, under the lock.
    fn take(&self, task: WorkerTask<'_>) -> Result<crate::request::Running, Next<Self>> {
        let context = &self.context;
        // Nobody tells when the last other task of the process leaves without the process's end.
        let alone = vhost_task::is_left_alone(task);
        let mut queues = context.queues().lock();
        let since = match queues.threads.places.get(self.place) {
            Some(Seat::Used(_, State::Idle(since))) => Some(*since),
            Some(Seat::Used(..)) => {
                // It is done with whatever it was at.
                queues.threads.set(self.place, State::Woken);
                None
            }
            _ => return Err(self.end(&mut queues)),
        };
        let lists: &[List] = if !queues.may_block() {
            &[List::Run, List::Held]
        } else if queues.threads.pages_left() > 0 {
            &[List::Run, List::Held, List::Page, List::Block]
        } else {
            &[List::Run, List::Held, List::Block]
        };
        match engine::take_from(&mut queues, context, lists) {
            Some(mut run) => {
                if run.private().from == Some(List::Page) {
                    queues.threads.pages = queues.threads.pages.saturating_add(1);
                }
                if run.shared().is_accepted() && !run.private().counted {
                    run.private().counted = true;
                    queues.threads.writes = queues.threads.writes.saturating_add(1);
                }
                let index = run.index();
                queues.threads.set(self.place, State::Busy(index));
                Ok(run)
            }
            None if queues.closing => Err(self.end(&mut queues)),
            None => Err(self.idle(alone, &mut queues, since)),
        }
    }
}

impl vhost_task::Worker for Worker {
    fn run(&self, task: WorkerTask<'_>) -> Next<Self> {
        let mut run = match self.take(task) {
            Ok(run) => run,
            Err(next) => {
                if matches!(next, Next::End(_)) {
                    self.context.wake_drain();
                }
                return next;
            }
        };
        vhost_task::set_running();
        let page = run.private().from == Some(List::Page);
        engine::rerun(&self.context, run, Place::Thread(task));
        let mut queues = self.context.queues().lock();
        if page {
            queues.threads.pages = queues.threads.pages.saturating_sub(1);
        }
        // It may have to release a file before it comes back, and wait for that.
        let next = if vhost_task::has_other_work(task) {
            State::Busy(NO_REQUEST)
        } else {
            State::Woken
        };
        queues.threads.set(self.place, next);
        Next::Again
    }

    fn killed(&self, task: WorkerTask<'_>) -> Option<Thread<Self>> {
        // Nobody may count on it.
        self.context
            .queues()
            .lock()
            .threads
            .set(self.place, State::Busy(KILLED));
        self.context.finish_accepted(task);
        let (thread, last) = {
            let mut queues = self.context.queues().lock();
            (self.leave(&mut queues), !queues.threads.is_there())
        };
        if last {
            // What was queued meanwhile, and what only threads could run: another process may
            // share the memory, and go on with the context, but is not who has submitted.
            self.context.finish_accepted(task);
            engine::cancel_for_threads(&self.context);
        }
        self.context.wake_drain();
        // Of another process in the same memory, perhaps.
        engine::look_now(&self.context);
        thread
    }
}

impl Context {
    /// Makes sure that a thread will be there for a request with that `claim`.
    ///
    /// ERESTARTNOINTR if a signal is pending and must be handled first, another error if there
    /// can be none.
    pub(crate) fn claim_thread(self: &Arc<Self>, task: FullTask<'_>, claim: Claim) -> Result {
        if !self.may_have_threads() {
            return Err(EPERM);
        }
        {
            let mut queues = self.queues().lock();
            if queues.try_claim(claim) {
                return Ok(());
            }
            let who = Identity::current();
            if queues.threads.of != who {
                if queues.threads.is_coming_up() {
                    return Err(EBUSY);
                }
                if queues.threads.is_there() {
                    let idle = queues
                        .threads
                        .count(|_, state| matches!(state, State::Idle(_)));
                    if queues.claims.threads() > 0 || idle < queues.threads.alive {
                        return Err(EBUSY);
                    }
                    // They have nothing to do, and make room.
                    queues.threads.retire();
                }
                queues.threads.of = who;
            }
            queues.claims.add(claim);
            if queues.has_claimed() {
                return Ok(());
            }
        }
        loop {
            let created = self.create_thread(task);
            let mut queues = self.queues().lock();
            if let Err(e) = created {
                queues.claims.remove(claim);
                // One that was kept free for it may take what is there.
                queues.threads.wake();
                return Err(e);
            }
            if queues.has_claimed() {
                return Ok(());
            }
        }
    }

    /// Creates another thread if more is queued than there are threads for.
    pub(crate) fn threads_for_queued(self: &Arc<Self>, task: FullTask<'_>) {
        let who = Identity::current();
        loop {
            {
                let mut queues = self.queues().lock();
                queues.grow = false;
                if queues.for_threads() <= queues.coming()
                    || !queues.may_grow()
                    || queues.threads.of != who
                        && (queues.threads.is_there() || queues.threads.is_coming_up())
                    || queues.closing
                {
                    return;
                }
                queues.threads.of = who;
            }
            // Without it, those that are there do it all.
            if self.create_thread(task).is_err() {
                return;
            }
        }
    }

    fn create_thread(self: &Arc<Self>, task: FullTask<'_>) -> Result {
        if !self.may_have_threads() {
            return Err(EPERM);
        }
        let place = {
            let mut queues = self.queues().lock();
            if queues.closing {
                return Err(EINVAL);
            }
            let mut places = queues.threads.places.iter_mut().enumerate();
            let free = places.find(|(_, place)| matches!(place, Seat::Free));
            let (place, free) = free.ok_or(EAGAIN)?;
            *free = Seat::Taken;
            place
        };
        let thread = self.new_thread(task, place);
        let result = {
            let mut queues = self.queues().lock();
            let queues = &mut *queues;
            let place = queues.threads.places.get_mut(place).ok_or(EINVAL)?;
            match thread {
                Ok(thread) => {
                    thread.start();
                    *place = Seat::Used(thread, State::Woken);
                    queues.threads.alive += 1;
                    return Ok(());
                }
                Err(e) => {
                    *place = Seat::Free;
                    Err(e)
                }
            }
        };
        self.wake_drain();
        result
    }

    fn new_thread(self: &Arc<Self>, task: FullTask<'_>, place: usize) -> Result<Thread<Worker>> {
        let worker = Arc::new(
            Worker {
                context: self.clone(),
                place,
            },
            GFP_KERNEL_ACCOUNT,
        )?;
        // Not with the credentials of a request that is being run.
        cred::with_own(|| Thread::create(task, worker, c"raio-worker"))
    }

    /// Finishes what was accepted, of what is queued and what threads have issued: a part of that may
    /// come back, since they were killed. A thread that is killed; sleeps.
    fn finish_accepted(self: &Arc<Self>, task: WorkerTask<'_>) {
        loop {
            engine::finish_accepted(self, task);
            let is_over = || {
                let queues = self.queues().lock();
                queues.threads.writes == 0 || queues.lists.len(List::Block) > 0
            };
            self.wait_for_drain(is_over);
            if self.queues().lock().lists.len(List::Block) == 0 {
                return;
            }
        }
    }

    /// Ends what threads of a dead context wait for, but for what is accepted, and wakes those that
    /// are idle. Any context.
    pub(crate) fn interrupt_threads(&self) {
        let mut queues = self.queues().lock();
        let streams = |index| {
            let shared = self.pool().shared(index);
            index == NO_REQUEST || shared.is_some_and(|shared| !shared.is_accepted())
        };
        queues.threads.interrupt(streams);
        queues.threads.wake_all();
    }

    /// Those that were threads of a dead context, when none is left, or none that would end before
    /// somebody lets it go on.
    pub(crate) fn take_left_threads(&self) -> Option<[Option<ARef<Task>>; MAX_THREADS]> {
        let mut queues = self.queues().lock();
        let threads = &mut queues.threads;
        if !threads.is_empty() && !threads.are_stopped() {
            return None;
        }
        Some(core::mem::replace(
            &mut threads.left,
            [const { None }; MAX_THREADS],
        ))
    }
}

impl Queues {
    /// Whether there are the threads that requests have claims to, of two kinds: not all may be at
    /// what blocks.
    fn has_claimed(&self) -> bool {
        let needed = self.claims.threads();
        let one_is_free = || self.threads.free() > 0 || self.threads.places() == 0;
        self.threads.alive >= needed && (needed < 2 || one_is_free())
    }
}
