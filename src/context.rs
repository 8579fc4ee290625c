// SPDX-License-Identifier: GPL-2.0

//! Contexts: what io_setup makes.
//!
//! A context is its ring mapping, see [`mapping`]: its id is the mapping's address, and it ends
//! with io_destroy or with the mapping. Either way it is dead first, then what is in flight
//! finishes, and then its shares and charges are given back. So when io_destroy, exec or wait4
//! have returned, no request of it touches a file or memory any more.
//!
//! Locks, in the order in which they may be taken:
//!
//! 1. `Context::reap` (mutex): the kernel's consumer of events. Copies to the program under it.
//! 2. `Context::submit` (mutex): credits and free requests. No user memory under it.
//! 3. `Context::tail` (spinlock, irq): the producer of events.
//! 4. the wait queue's own.
//!
//! `Context::charges` (mutex) is taken with none of them.
//!
//! mmap_lock may be held when [`Mapped::moved`] is called, which takes none of them, and is never
//! taken inside 2 to 4. Nothing is issued under a lock.
//!
//! Barriers with the program, which may read and write the ring as it likes:
//!
//! - event, then `tail` (release): the program sees a whole event when it sees the tail;
//! - `head` (acquire), then a slot is filled again: the program has read it.

use crate::{
    credit::Credits,
    key::Keys,
    limit::Share,
    request::Ticket,
    ring::Shape,
    sys::{
        mapping::{
            self,
            Mapped, //
        },
        mm::{
            Header,
            PinnedCharge,
            SharedPages, //
        },
        request::{
            FreeList,
            Pool, //
        },
        uapi::{
            io_event,
            raio_ring,
            RAIO_RING_COMPAT_FEATURES,
            RAIO_RING_INCOMPAT_FEATURES,
            RAIO_RING_MAGIC, //
        },
        wait::{
            self,
            new_wait_queue,
            Deadline,
            WaitQueue,
            Woken, //
        }, //
    }, //
};
use kernel::{
    new_mutex,
    new_spinlock_irq,
    prelude::*,
    sync::{
        atomic::{
            ordering::{
                Acquire,
                Relaxed,
                Release, //
            },
            Atomic, //
        },
        Arc,
        Mutex,
        SpinLockIrq, //
    }, //
};

/// What submitters share.
struct Submit {
    credits: Credits,
    free: FreeList,
    dead: bool,
}

/// What a context is charged for, given back when it has ended.
struct Charges {
    _share: Share,
    _pinned: PinnedCharge,
}

/// A context.
#[pin_data]
pub(crate) struct Context {
    shape: Shape,
    pages: SharedPages,
    keys: Keys,
    pool: Pool<Context>,
    /// Where the ring is mapped: the context's id.
    address: Atomic<usize>,
    /// Set once, under `submit`.
    dead: Atomic<bool>,

    #[pin]
    submit: Mutex<Submit>,
    /// The credits taken in all. Written under `submit`.
    taken: Atomic<u32>,

    /// The slot that the next event goes to.
    #[pin]
    tail: SpinLockIrq<u32>,
    /// That slot again, for readers. Written under `tail`.
    shown_tail: Atomic<u32>,
    /// The events published in all. Written under `tail`.
    published: Atomic<u32>,
    /// Waiters for events, whose level is the number of events; and those who wait for the end,
    /// whose level is 0.
    #[pin]
    events: WaitQueue,

    #[pin]
    reap: Mutex<()>,
    #[pin]
    charges: Mutex<Option<Charges>>,
}

impl Context {
    /// io_setup: makes a context for `nr_events` requests, and returns its id.
    ///
    /// EINVAL if that is none or too many, EAGAIN beyond `fs.raio-max-nr`, ENOMEM beyond
    /// RLIMIT_MEMLOCK or without memory. Process context.
    pub(crate) fn setup(nr_events: u32) -> Result<(Arc<Context>, usize)> {
        let shape = Shape::new(nr_events)?;
        let charges = Charges {
            _share: Share::take(nr_events)?,
            _pinned: PinnedCharge::new(shape.pages)?,
        };
        let credits = Credits::new(shape.slots);
        let pool = Pool::new(shape.slots)?;
        let pages = SharedPages::new(shape.pages)?;
        let keys = Keys::new(pool.capacity());

        let context = Arc::pin_init(
            pin_init!(Context {
                shape,
                pages,
                keys,
                pool,
                address: Atomic::new(0),
                dead: Atomic::new(false),
                submit <- new_mutex!(
                    Submit { credits, free: FreeList::new(), dead: false },
                    "Context::submit"
                ),
                taken: Atomic::new(0),
                tail <- new_spinlock_irq!(0, "Context::tail"),
                shown_tail: Atomic::new(0),
                published: Atomic::new(0),
                events <- new_wait_queue!("Context::events"),
                reap <- new_mutex!((), "Context::reap"),
                charges <- new_mutex!(Some(charges), "Context::charges"),
            }),
            GFP_KERNEL_ACCOUNT,
        )?;
        context.init_header();
        mapping::map(context.clone())?;
        let id = context.id();
        Ok((context, id))
    }

    fn init_header(&self) {
        if let Some(header) = self.header() {
            header.nr.store(self.shape.slots, Relaxed);
            header.magic.store(RAIO_RING_MAGIC, Relaxed);
            header
                .compat_features
                .store(RAIO_RING_COMPAT_FEATURES, Relaxed);
            header
                .incompat_features
                .store(RAIO_RING_INCOMPAT_FEATURES, Relaxed);
            header
                .header_length
                .store(size_of::<raio_ring>() as u32, Relaxed);
        }
    }

    /// The context of the current address space whose id is `id`. EINVAL if there is none.
    ///
    /// Process context.
    pub(crate) fn lookup(id: u64) -> Result<Arc<Context>> {
        let context = mapping::lookup(usize::try_from(id)?).ok_or(EINVAL)?;
        if context.is_dead() {
            return Err(EINVAL);
        }
        Ok(context)
    }

    /// io_destroy: ends the context, when what is in flight has finished.
    ///
    /// EINVAL if somebody else does so already. Process context, sleeps.
    pub(crate) fn destroy(self: &Arc<Self>) -> Result {
        self.kill()?;
        self.drain();
        mapping::unmap(self, self.id());
        Ok(())
    }

    /// No request is taken any more. EINVAL if that is so already.
    fn kill(&self) -> Result {
        {
            let mut submit = self.submit.lock();
            if submit.dead {
                return Err(EINVAL);
            }
            submit.dead = true;
            self.dead.store(true, Release);
        }
        self.events.wake(usize::MAX);
        Ok(())
    }

    /// Waits until a dead context has nothing in flight, and gives back what it has.
    fn drain(&self) {
        loop {
            self.events.wait_uninterruptible(|| self.outstanding() == 0);
            // The events are there; the last requests come home in a moment.
            if self.pool.close(&mut self.submit.lock().free) {
                break;
            }
            wait::pause();
        }
        let charges = self.charges.lock().take();
        drop(charges);
    }

    fn outstanding(&self) -> u32 {
        // Both only grow towards each other once the context is dead.
        let published = self.published.load(Acquire);
        self.taken.load(Acquire).wrapping_sub(published)
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

    pub(crate) fn pool(&self) -> &Pool<Context> {
        &self.pool
    }

    fn header(&self) -> Option<Header<'_>> {
        self.pages.header()
    }

    /// The slot that the program says is the next to be consumed.
    fn head(&self) -> u32 {
        self.header()
            .map_or(0, |header| self.shape.reduce(header.head.load(Acquire)))
    }

    /// Takes requests with their credits, as many as fit in `tickets`, and returns their number.
    ///
    /// EAGAIN if there is none: the ring is full. EINVAL if the context is dead, ENOMEM. Process
    /// context, may sleep.
    pub(crate) fn take(self: &Arc<Self>, tickets: &mut [Option<Ticket>]) -> Result<usize> {
        let wanted = tickets.len() as u32;
        let mut submit = self.submit.lock();
        if submit.dead {
            return Err(EINVAL);
        }
        let mut credits = submit.credits.take(wanted);
        if credits < wanted {
            let published = self.published.load(Acquire);
            let tail = self.shown_tail.load(Acquire);
            submit
                .credits
                .settle(published, self.shape.unread(self.head(), tail));
            credits += submit.credits.take(wanted - credits);
        }

        let mut got = 0;
        let mut result = Err(EAGAIN);
        for ticket in tickets.iter_mut().take(credits as usize) {
            match self.pool.take(self, &mut submit.free) {
                Ok(request) => *ticket = Some(Ticket::new(request)),
                Err(e) => {
                    result = Err(e);
                    break;
                }
            }
            got += 1;
        }
        submit.credits.give_back(credits - got);
        self.taken.store(submit.credits.taken(), Release);
        if got > 0 {
            result = Ok(got as usize);
        }
        result
    }

    /// Gives back a credit that no event will need. Process context.
    pub(crate) fn give_back_credit(&self) {
        {
            let mut submit = self.submit.lock();
            submit.credits.give_back(1);
            self.taken.store(submit.credits.taken(), Release);
        }
        self.events.wake(0);
    }

    /// Puts `event` in the ring, for a request whose credit it uses up. Any context.
    pub(crate) fn publish(&self, event: io_event) {
        let unread = {
            let mut tail = self.tail.lock();
            self.pages.write_event(self.shape.offset(*tail), event);
            *tail = self.shape.advance(*tail, 1);
            self.shown_tail.store(*tail, Release);
            // Under the lock there is one writer.
            let published = self.published.load(Relaxed).wrapping_add(1);
            self.published.store(published, Release);
            match self.header() {
                Some(header) => {
                    header.tail.store(*tail, Release);
                    let head = self.shape.reduce(header.head.load(Relaxed));
                    self.shape.unread(head, *tail)
                }
                None => 0,
            }
        };
        self.events.wake(unread as usize);
    }

    /// The number of events in the ring.
    fn unread(&self) -> u32 {
        self.shape
            .unread(self.head(), self.shown_tail.load(Acquire))
    }

    /// Sleeps until `wanted` events are there, the context is dead, `deadline` or a signal.
    pub(crate) fn wait(&self, wanted: usize, deadline: Deadline) -> Woken {
        // No ring has more than that.
        let wanted = wanted.min(self.shape.slots as usize - 1);
        self.events.wait(wanted, deadline, || {
            self.unread() as usize >= wanted || self.is_dead()
        })
    }

    /// Consumes up to `nr` events, copied to the array at `to`, and returns their number.
    ///
    /// EFAULT if they can't all be written there: then none is consumed. Process context, sleeps.
    pub(crate) fn reap(&self, nr: usize, to: usize) -> Result<usize> {
        let _reap = self.reap.lock();
        let Some(header) = self.header() else {
            return Ok(0);
        };
        let mut head = self.head();
        let unread = self.shape.unread(head, self.shown_tail.load(Acquire));
        let nr = nr.min(unread as usize) as u32;
        let mut left = nr;
        let mut to = to;
        while left > 0 {
            let run = self.shape.run(head, left);
            let bytes = run as usize * size_of::<io_event>();
            self.pages
                .copy_to_user(self.shape.offset(head), bytes, to)?;
            to = to.wrapping_add(bytes);
            head = self.shape.advance(head, run);
            left -= run;
        }
        if nr > 0 {
            header.head.store(head, Release);
        }
        Ok(nr as usize)
    }
}

impl Mapped for Context {
    fn pages(&self) -> &SharedPages {
        &self.pages
    }

    fn moved(&self, address: usize) {
        self.address.store(address, Relaxed);
        if let Some(header) = self.header() {
            // The low half, by design of the ring.
            header.id.store(address as u32, Relaxed);
        }
    }

    fn unmapped(this: Arc<Self>) {
        // It may be dead already, by io_destroy.
        let _ = this.kill();
        this.drain();
    }
}
