// SPDX-License-Identifier: GPL-2.0

//! Contexts: what io_setup makes, as data. Who sets one up and ends it is in
//! [`lifecycle`](crate::lifecycle), who runs its requests in [`run`](crate::run).
//!
//! A context is its ring mapping, see [`mapping`](crate::sys::mapping): its id is the mapping's address,
//! and it ends with io_destroy or with the mapping.
//!
//! Locks, in the order in which they may be taken:
//!
//! 1. `Context::reap` (mutex): the kernel's consumer of events. Copies to the program under it.
//! 2. `Context::submit` (mutex): credits and free requests. No user memory under it.
//!    So is `Context::registered` (mutex), with nothing inside and inside of nothing.
//! 3. `Context::queues` (spinlock, irq): the lists of requests, who runs them, the threads. It may
//!    be taken under the lock of a file's or a page's wait queue: no such lock is taken inside.
//! 4. `Context::tail` (spinlock, irq): the producer of events.
//! 5. the lock of the wait queue `Context::events`, and those of the scheduler and work queues.
//!
//! mmap_lock may be held when [`Context::moved`] is called, which takes none of them, and is never
//! taken inside 2 to 5. Nothing is issued, armed or signalled under a lock.
//!
//! Barriers with the program, which may read and write the ring as it likes:
//!
//! - event, then `tail` (release): the program sees a whole event when it sees the tail;
//! - `head` (acquire), then a slot is filled again: the program has read it.

pub(crate) mod claims;
pub(crate) mod counters;
mod credits;
mod events;
mod hints;
pub(crate) mod limit;
pub(crate) mod member;
mod new;
pub(crate) mod queues;
pub(crate) mod registered;
pub(crate) mod threads;

use crate::{
    context::{
        counters::{
            Counters,
            Counts, //
        },
        limit::Share,
        member::Membership,
        queues::Queues,
        registered::Registered, //
    },
    pure::{
        credit::Credits,
        key::Keys,
        ring::Shape, //
    },
    sys::{
        mm::{
            self,
            PinnedCharge,
            SharedPages, //
        },
        module::ModuleRef,
        request::{
            FreeList,
            Pool, //
        },
        task_work::TaskWork,
        uapi::RAIO_SETUP_NO_THREADS,
        util::once::Once,
        vhost_task,
        wait::WaitQueue,
        workqueue, //
    },
    window::Window, //
};
use kernel::{
    cred::Credential,
    impl_has_delayed_work,
    mm::Mm,
    prelude::*,
    sync::{
        aref::ARef,
        atomic::{
            ordering::{
                Acquire,
                Full,
                Relaxed, //
            },
            Atomic, //
        },
        Arc,
        Mutex,
        SpinLockIrq, //
    },
    task::Task,
    workqueue::DelayedWork, //
};

/// What submitters share.
struct Submit {
    credits: Credits,
    /// Missing while somebody closes the pool.
    free: Option<FreeList>,
    dead: bool,
    /// Given back when a dead context has nothing in flight.
    share: Option<Share>,
    /// While its end is the work queue's.
    module: Option<ModuleRef>,
}

/// The producer's side of the ring.
struct Tail {
    /// The slot that the next event goes to.
    slot: u32,
    /// The events published in all; wraps.
    published: u32,
}

/// A context.
#[pin_data]
pub(crate) struct Context {
    shape: Shape,
    flags: u32,
    pages: SharedPages,
    keys: Keys,
    pool: Pool<Context>,
    member: Membership,
    /// Where the ring is, or was last, mapped: the context's id.
    address: Atomic<usize>,
    /// The same while it is mapped, else 0. Written under mmap_lock.
    mapped: Once<usize>,
    /// Set once, under `submit`.
    dead: Atomic<bool>,

    #[pin]
    submit: Mutex<Submit>,
    /// The credits taken in all. Written under `submit`.
    taken: Atomic<u32>,

    #[pin]
    tail: SpinLockIrq<Tail>,
    /// What is in `tail`, for those who wait. Written under it.
    shown_slot: Atomic<u32>,
    shown_published: Atomic<u32>,
    /// Waiters for events, whose level is the number of events; and those who wait for the end,
    /// whose level is 0.
    #[pin]
    events: WaitQueue,

    #[pin]
    reap: Mutex<()>,

    #[pin]
    registered: Mutex<Registered>,

    #[pin]
    queues: SpinLockIrq<Queues>,
    /// Not 0 if there may be something on the lists. Written under `queues`.
    may_have_queued: Once<u32>,
    /// 1 if some may be held.
    held: Once<u32>,
    /// 1 if there are barriers.
    barriers: Once<u32>,
    /// Tasks in getevents that look at the lists before they sleep or go.
    callers: Atomic<u32>,
    counters: Counters,
    /// Those of who set it up.
    cred: ARef<Credential>,
    /// Who set it up: of the process that requests are run in.
    task: ARef<Task>,
    /// Retries by a task that has woken them, and by one that is interrupted for it, see
    /// [`retry`](crate::engine).
    resume_work: TaskWork<Context, 0>,
    signal_work: TaskWork<Context, 1>,
    /// Whether somebody comes for what is on the lists.
    #[pin]
    looks: DelayedWork<Context, 0>,
    /// Pollers are to be woken by that.
    woken_in_wake: Once<u32>,
    /// Its own end, for who must not wait for that.
    #[pin]
    last: DelayedWork<Context, 1>,
    /// The request that the next look of that begins with.
    next_ended: Atomic<u32>,
    // After the pages that are charged.
    pinned: PinnedCharge,
}

impl_has_delayed_work! {
    impl HasDelayedWork<Context, 0> for Context { self.looks }
}
impl_has_delayed_work! {
    impl HasDelayedWork<Context, 1> for Context { self.last }
}

/// It is the first look of the work queue.
pub(crate) const ALL_REQUESTS: u32 = u32::MAX;

/// Drops a reference that may be the last, in any context: it is dropped in a work item then.
pub(crate) fn put(context: Arc<Context>) {
    if let Some(last) = Arc::into_unique_or_drop(context) {
        workqueue::enqueue_by::<_, 0>(Arc::from(last), 0);
    }
}

impl Context {
    /// No request is taken any more. EINVAL if that is so already.
    pub(crate) fn kill(&self) -> Result {
        {
            let mut submit = self.submit.lock();
            if submit.dead {
                return Err(EINVAL);
            }
            submit.dead = true;
            // Who arms a request looks here after that: either he sees it, or `cancel_all` sees
            // the request armed.
            self.dead.xchg(true, Full);
        }
        self.queues.lock().closing = true;
        self.wake_waiters();
        Ok(())
    }

    /// Gives back what a context has in which nothing is in flight.
    pub(crate) fn give_back(self: &Arc<Self>) {
        // Only now: a request whose event was there early may have been freed by it.
        workqueue::cancel_delayed::<_, 0>(self);
        let share = self.submit.lock().share.take();
        drop(share);
    }

    /// What is told that the context has ended.
    pub(crate) fn member(&self) -> &Membership {
        &self.member
    }

    /// The module stays while the end of the context is the work queue's.
    pub(crate) fn hold_module(&self) {
        self.submit.lock().module = Some(ModuleRef::new());
    }

    /// What [`Self::hold_module`] has taken.
    pub(crate) fn take_module(&self) -> Option<ModuleRef> {
        self.submit.lock().module.take()
    }

    /// The request that the next look of the work queue at its end begins with, or [`ALL_REQUESTS`].
    pub(crate) fn next_ended(&self) -> &Atomic<u32> {
        &self.next_ended
    }

    pub(crate) fn is_dead(&self) -> bool {
        self.dead.load(Acquire)
    }

    /// The context's id.
    pub(crate) fn id(&self) -> usize {
        self.address.load(Relaxed)
    }

    pub(crate) fn shape(&self) -> Shape {
        self.shape
    }

    pub(crate) fn keys(&self) -> Keys {
        self.keys
    }

    /// Where its pool is.
    pub(crate) const POOL_OFFSET: usize = core::mem::offset_of!(Context, pool);

    pub(crate) fn pool(&self) -> &Pool<Context> {
        &self.pool
    }

    pub(crate) fn queues(&self) -> &SpinLockIrq<Queues> {
        &self.queues
    }

    /// See [`run_own`](crate::run::run_own).
    pub(crate) fn may_have_queued(&self) -> &Once<u32> {
        &self.may_have_queued
    }

    /// See [`retry`](crate::engine).
    pub(crate) fn resume_work(&self) -> &TaskWork<Context, 0> {
        &self.resume_work
    }

    /// See [`retry`](crate::engine).
    pub(crate) fn signal_work(&self) -> &TaskWork<Context, 1> {
        &self.signal_work
    }

    /// Who set it up.
    pub(crate) fn task(&self) -> &Task {
        &self.task
    }

    pub(crate) fn counters(&self) -> &Counters {
        &self.counters
    }

    /// RAIO_SETUP_*.
    pub(crate) fn flags(&self) -> u32 {
        self.flags
    }

    /// What requests name by an index.
    pub(crate) fn registered(&self) -> &Mutex<Registered> {
        &self.registered
    }

    /// The credentials of who set it up.
    pub(crate) fn cred(&self) -> &Credential {
        &self.cred
    }

    /// The address space that it belongs to.
    pub(crate) fn mm(&self) -> &Mm {
        self.pinned.mm()
    }

    /// Whether threads of the process may run its requests.
    pub(crate) fn may_have_threads(&self) -> bool {
        self.flags & RAIO_SETUP_NO_THREADS == 0 && vhost_task::supported()
    }

    /// What the program sees.
    pub(crate) fn pages(&self) -> &SharedPages {
        &self.pages
    }

    /// The ring is, or will be in a moment, mapped at `address`. Under mmap_lock.
    pub(crate) fn moved(&self, address: usize) {
        Window::Moved.pass_asleep();
        self.address.store(address, Relaxed);
        self.mapped.set(address);
        if let Some(header) = self.header() {
            // The low half, by design of the ring.
            header.id.store(address as u32, Relaxed);
        }
    }

    /// The mapping at `address` is going. Under mmap_lock.
    pub(crate) fn closed(&self, address: usize) {
        // What was moved is elsewhere already.
        if self.mapped.get() == address {
            self.mapped.set(0);
        }
    }

    /// Whether it is mapped at `address` of the current task's address space: as
    /// [`lookup`](crate::sys::mapping::lookup) would find.
    #[inline(always)]
    pub(crate) fn is_at(&self, address: usize) -> bool {
        address != 0 && self.mapped.get() == address && mm::is_current(self.mm())
    }

    /// What fdinfo tells.
    pub(crate) fn counts(&self) -> Counts {
        Counts {
            size: self.shape.capacity(),
            inflight: self.outstanding(),
            queued: self.queues.lock().queued(),
            completed: self.shown_published.load(Relaxed),
            ..self.counters.now()
        }
    }
}
