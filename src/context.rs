// SPDX-License-Identifier: GPL-2.0

//! Contexts: what io_setup makes, as data.
//!
//! This room owns the data of a context: its ring and events, credits, pool of requests, lists,
//! threads, counters, limits, and what is registered. It uses only [`pure`](crate::pure). The rooms
//! above act on the data: [`lifecycle`](crate::lifecycle) sets a context up and ends it,
//! [`run`](crate::run) runs its requests.
//!
//! A context is its ring mapping, see [`mapping`](crate::sys::mapping): the id of the context is the
//! address of the mapping, and the context ends with io_destroy or with the mapping.
//!
//! Locks, in the order in which they may be taken:
//!
//! 1. `Context::reap` (mutex): the kernel's consumer of events. Copies to the program under it.
//! 2. `Context::submit` (mutex): credits and free requests. No user memory under it.
//!    `Context::registered` (mutex) is at this level, but is taken alone.
//! 3. `Context::queues` (spinlock, irq): the lists of requests, their groups, the threads. It may be
//!    taken under the lock of a file's or a page's wait queue, and so no such lock is taken inside it.
//! 4. `Context::tail` (spinlock, irq): the producer of events.
//! 5. the lock of the wait queue `Context::events`, and those of the scheduler and work queues.
//!
//! `limit::Users::accounts` (mutex) has nothing inside.
//!
//! The caller of [`Context::moved`] and [`Context::closed`] holds mmap_lock; these take none of the
//! locks above. mmap_lock is never taken inside 2 to 5. Nothing is issued, armed or signalled under a
//! lock.
//!
//! Barriers with the program, which may read and write the ring as it likes:
//!
//! - event, then `tail` (release): a program that sees the tail sees the whole event;
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
        compat::SpinLockIrq,
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
        Mutex, //
    },
    task::Task,
    workqueue::DelayedWork, //
};

/// What submitters share, under `Context::submit`.
struct Submit {
    credits: Credits,
    /// `None` while a task closes the pool.
    free: Option<FreeList>,
    dead: bool,
    /// Given back when the context is dead and nothing is in flight.
    share: Option<Share>,
    /// Held while the work queue ends the context.
    module: Option<ModuleRef>,
}

/// The producer's side of the ring.
struct Tail {
    /// The slot of the next event.
    slot: u32,
    /// The number of events published in all; wraps.
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
    /// The address of the ring mapping, or its last address: the id of the context.
    address: Atomic<usize>,
    /// The same address while the ring is mapped, else 0. Written under mmap_lock.
    mapped: Once<usize>,
    /// Set once, under `submit`.
    dead: Atomic<bool>,

    #[pin]
    submit: Mutex<Submit>,
    /// The number of credits taken in all. Written under `submit`.
    taken: Atomic<u32>,

    #[pin]
    tail: SpinLockIrq<Tail>,
    /// Copies of `tail` for readers without the lock. Written under it.
    shown_slot: Atomic<u32>,
    shown_published: Atomic<u32>,
    /// Waiters for events, whose level is the number of events that they need. Tasks that wait for the
    /// end of the context have level 0.
    #[pin]
    events: WaitQueue,

    #[pin]
    reap: Mutex<()>,

    #[pin]
    registered: Mutex<Registered>,

    #[pin]
    queues: SpinLockIrq<Queues>,
    /// Nonzero if there may be requests on the lists to run. Written under `queues`.
    may_have_queued: Once<u32>,
    /// 1 if there may be requests on [`List::Held`](crate::pure::lists::List::Held).
    held: Once<u32>,
    /// 1 if there are barriers.
    barriers: Once<u32>,
    /// Tasks in getevents. Each checks the lists before it sleeps or returns.
    callers: Atomic<u32>,
    counters: Counters,
    /// The credentials of the task that set the context up.
    cred: ARef<Credential>,
    /// The task that set the context up. It belongs to the process that runs the requests.
    task: ARef<Task>,
    /// Task work that runs retries: `resume_work` for the task that woke them (TWA_RESUME),
    /// `signal_work` for a task that has to be interrupted (TWA_SIGNAL). See [`run`](crate::run).
    resume_work: TaskWork<Context, 0>,
    signal_work: TaskWork<Context, 1>,
    /// Checks whether a task or a thread takes what is on the lists.
    #[pin]
    looks: DelayedWork<Context, 0>,
    /// Nonzero if `looks` has to wake pollers.
    woken_in_wake: Once<u32>,
    /// Ends the context where no task may wait for that.
    #[pin]
    last: DelayedWork<Context, 1>,
    /// The request that the next run of `last` begins with.
    next_ended: Atomic<u32>,
    // Declared after the pages that it charges, so that it is dropped after them.
    pinned: PinnedCharge,
}

impl_has_delayed_work! {
    impl HasDelayedWork<Context, 0> for Context { self.looks }
}
impl_has_delayed_work! {
    impl HasDelayedWork<Context, 1> for Context { self.last }
}

/// The value of [`Context::next_ended`] before the first run of the work item.
pub(crate) const ALL_REQUESTS: u32 = u32::MAX;

/// Drops a reference. Any context: if it is the last, a work item drops it.
pub(crate) fn put(context: Arc<Context>) {
    if let Some(last) = Arc::into_unique_or_drop(context) {
        workqueue::enqueue_by::<_, 0>(Arc::from(last), 0);
    }
}

impl Context {
    /// Marks the context dead: it takes no more requests. EINVAL if it is dead already.
    pub(crate) fn kill(&self) -> Result {
        {
            let mut submit = self.submit.lock();
            if submit.dead {
                return Err(EINVAL);
            }
            submit.dead = true;
            // Pairs with a task that arms a request and then reads `dead`: either that task sees it, or
            // `cancel_all` sees the request armed.
            self.dead.xchg(true, Full);
        }
        self.queues.lock().closing = true;
        self.wake_waiters();
        Ok(())
    }

    /// Gives back the share of a context in which nothing is in flight.
    pub(crate) fn give_back(self: &Arc<Self>) {
        // Not earlier: a request that was cancelled on a page has its event early, and may need this
        // work item to be run and freed.
        workqueue::cancel_delayed::<_, 0>(self);
        let share = self.submit.lock().share.take();
        drop(share);
    }

    /// The open device that has to be told of the end of the context.
    pub(crate) fn member(&self) -> &Membership {
        &self.member
    }

    /// Holds the module while the work queue ends the context.
    pub(crate) fn hold_module(&self) {
        self.submit.lock().module = Some(ModuleRef::new());
    }

    /// Returns the reference that [`Self::hold_module`] took.
    pub(crate) fn take_module(&self) -> Option<ModuleRef> {
        self.submit.lock().module.take()
    }

    /// The request that the next run of the work item `last` begins with, or [`ALL_REQUESTS`].
    pub(crate) fn next_ended(&self) -> &Atomic<u32> {
        &self.next_ended
    }

    pub(crate) fn is_dead(&self) -> bool {
        self.dead.load(Acquire)
    }

    /// The id of the context.
    pub(crate) fn id(&self) -> usize {
        self.address.load(Relaxed)
    }

    pub(crate) fn shape(&self) -> Shape {
        self.shape
    }

    pub(crate) fn keys(&self) -> Keys {
        self.keys
    }

    /// The offset of the pool.
    pub(crate) const POOL_OFFSET: usize = core::mem::offset_of!(Context, pool);

    pub(crate) fn pool(&self) -> &Pool<Context> {
        &self.pool
    }

    pub(crate) fn queues(&self) -> &SpinLockIrq<Queues> {
        &self.queues
    }

    /// A hint without the lock, see [`run_own`](crate::run::run_own).
    pub(crate) fn may_have_queued(&self) -> &Once<u32> {
        &self.may_have_queued
    }

    /// Task work of the task that woke requests, see [`run`](crate::run).
    pub(crate) fn resume_work(&self) -> &TaskWork<Context, 0> {
        &self.resume_work
    }

    /// Task work that interrupts a task, see [`run`](crate::run).
    pub(crate) fn signal_work(&self) -> &TaskWork<Context, 1> {
        &self.signal_work
    }

    /// The task that set the context up.
    pub(crate) fn task(&self) -> &Task {
        &self.task
    }

    pub(crate) fn counters(&self) -> &Counters {
        &self.counters
    }

    /// The RAIO_SETUP_* flags.
    pub(crate) fn flags(&self) -> u32 {
        self.flags
    }

    /// The registered files and buffers.
    pub(crate) fn registered(&self) -> &Mutex<Registered> {
        &self.registered
    }

    /// The credentials of the task that set the context up.
    pub(crate) fn cred(&self) -> &Credential {
        &self.cred
    }

    /// The address space that the context belongs to.
    pub(crate) fn mm(&self) -> &Mm {
        self.pinned.mm()
    }

    /// Whether threads of the process may run requests.
    pub(crate) fn may_have_threads(&self) -> bool {
        self.flags & RAIO_SETUP_NO_THREADS == 0 && vhost_task::supported()
    }

    /// The pages of the ring.
    pub(crate) fn pages(&self) -> &SharedPages {
        &self.pages
    }

    /// The ring is mapped at `address`, or will be in a moment. The caller holds mmap_lock.
    pub(crate) fn moved(&self, address: usize) {
        Window::Moved.pass_asleep();
        self.address.store(address, Relaxed);
        self.mapped.set(address);
        if let Some(header) = self.header() {
            // The low half, by design of the ring.
            header.id.store(address as u32, Relaxed);
        }
    }

    /// The mapping at `address` is about to go. The caller holds mmap_lock.
    pub(crate) fn closed(&self, address: usize) {
        // After a move, `mapped` is the new address already.
        if self.mapped.get() == address {
            self.mapped.set(0);
        }
    }

    /// Whether the ring is mapped at `address` of the current task's address space: whether
    /// [`lookup`](crate::sys::mapping::lookup) would find it there.
    #[inline(always)]
    pub(crate) fn is_at(&self, address: usize) -> bool {
        address != 0 && self.mapped.get() == address && mm::is_current(self.mm())
    }

    /// The counts for fdinfo.
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
