// SPDX-License-Identifier: GPL-2.0

//! The requests of a client, and those of them that are free.

use super::{
    Client,
    Owned,
    Run,
    Slot, //
    NONE,
};
use crate::{
    pure::state::{
        Phase,
        Step,
        Then, //
    },
    sys::nospec, //
};
use core::{
    marker::PhantomData,
    ptr::{
        self,
        NonNull, //
    }, //
};
use kernel::{
    fs::File,
    prelude::*,
    sync::{
        aref::ARef,
        atomic::{
            ordering::{
                Acquire,
                Full,
                Relaxed,
                Release, //
            },
            Atomic, //
        },
        Arc,
        SetOnce, //
    }, //
};

/// Requests of a chunk: few, since a context that is idle keeps what it ever needed.
const CHUNK: usize = 8;
/// Requests that may not be freed yet when the events of all have been seen.
const LATE: usize = 32;

type Chunk<C> = KVec<Slot<C>>;

// A chunk is a page.
const _: () = assert!(size_of::<Slot<crate::context::Context>>() <= 512);

/// The requests of a client.
pub(crate) struct Pool<C: Client> {
    chunks: KVVec<SetOnce<Chunk<C>>>,
    /// How many of them there are. Only grows, and only by [`Self::grow`].
    grown: Atomic<usize>,
    /// Requests that [`Self::close`] got back.
    closed: Atomic<usize>,
    /// Requests that came back, the last first: a list by `Slot::next`.
    pub(in crate::sys) returned: Atomic<u32>,
    /// [`Self::EMPTY`], [`Self::HELD`] or [`Self::CLOSED`].
    client: Atomic<u32>,
    /// Wakers that still look at requests, or at the client, when they have given the request away.
    kicks: Atomic<i32>,
    /// Tells the pool from all others, wherever it lies.
    id: u64,
}

/// The id of the last pool.
static LAST_ID: Atomic<u64> = Atomic::new(0);

/// The free requests of a pool that whoever submits takes from.
///
/// There is one for each pool, made with it: who has it mutably is the only one that takes requests
/// from the pool, adds to them, or closes it.
///
/// # Invariants
///
/// The requests on it are free ones of the pool whose id is `of`, and on no other list.
pub(crate) struct FreeList {
    head: u32,
    of: u64,
}

impl<C: Client> Pool<C> {
    /// No chunk, so no reference to the client.
    const EMPTY: u32 = 0;
    /// The pool owns a reference to its client.
    const HELD: u32 = 1;
    /// No request will leave the pool any more.
    const CLOSED: u32 = 2;

    /// A pool for up to `limit` requests and some more, without memory for any, and its list.
    ///
    /// ENOMEM if there is no memory for the table. Process context.
    pub(crate) fn new(limit: u32) -> Result<(Self, FreeList)> {
        // A completed request is freed a moment after its event is seen, when the program may
        // already submit the next.
        let nr = (limit as usize).saturating_add(LATE).div_ceil(CHUNK);
        let mut chunks = KVVec::with_capacity(nr, GFP_KERNEL_ACCOUNT)?;
        for _ in 0..nr {
            chunks.push(SetOnce::new(), GFP_KERNEL_ACCOUNT)?;
        }
        let mut id = LAST_ID.load(Relaxed);
        // Of 64 bits: it does not wrap.
        while let Err(now) = LAST_ID.cmpxchg(id, id + 1, Relaxed) {
            id = now;
        }
        let pool = Pool {
            chunks,
            grown: Atomic::new(0),
            closed: Atomic::new(0),
            returned: Atomic::new(NONE),
            client: Atomic::new(Self::EMPTY),
            kicks: Atomic::new(0),
            id,
        };
        // INVARIANT: It is empty.
        Ok((pool, FreeList { head: NONE, of: id }))
    }

    fn slot(&self, index: u32) -> Option<&Slot<C>> {
        let index = index as usize;
        let chunk = self.chunks.get(index / CHUNK)?.as_ref()?;
        chunk.get(index % CHUNK)
    }

    /// Takes a free request.
    ///
    /// EAGAIN if all are out, ENOMEM if there is no memory for more; EINVAL if `client` is not the
    /// client of this pool, or `free` not its list. Process context, may sleep.
    pub(crate) fn take(&self, client: &Arc<C>, free: &mut FreeList) -> Result<Owned<C>> {
        if free.of != self.id {
            return Err(EINVAL);
        }
        if free.head == NONE {
            self.fill(free);
        }
        if free.head == NONE {
            self.grow(client, free)?;
        }
        let mut request = self.pop(free).ok_or(EAGAIN)?;
        // One that had to be released by a task of the process, as this one is.
        drop(request.take_file());
        Ok(request)
    }

    /// Fills an empty list with what was freed.
    fn fill(&self, free: &mut FreeList) {
        // INVARIANT: Requests of this pool, as callers see to, that are on no list any more.
        free.head = self.returned.xchg(NONE, Acquire);
    }

    fn pop(&self, free: &mut FreeList) -> Option<Owned<C>> {
        if free.of != self.id {
            return None;
        }
        let slot = self.slot(free.head)?;
        free.head = slot.next.get();
        match slot.step_alone(Step::Take)? {
            // INVARIANT: The step made it ours.
            Then::Own => Some(Owned(NonNull::from(slot), PhantomData)),
            _ => None,
        }
    }

    /// Adds a chunk, all of it free.
    fn grow(&self, client: &Arc<C>, free: &mut FreeList) -> Result {
        // In the client itself: so it is the pool of no other, and not moved while there is the
        // reference to the client that is taken below.
        const { assert!(C::POOL_OFFSET < size_of::<C>()) };
        let place = Arc::as_ptr(client).addr().wrapping_add(C::POOL_OFFSET);
        if place != ptr::from_ref(self).addr() || self.client.load(Relaxed) == Self::CLOSED {
            return Err(EINVAL);
        }
        let grown = self.grown.load(Relaxed);
        let place = self.chunks.get(grown).ok_or(EAGAIN)?;
        let first = u32::try_from(grown * CHUNK)?;
        // As `Arc::from_raw` in `close` will want it.
        let client_ptr = NonNull::new(Arc::as_ptr(client).cast_mut()).ok_or(EINVAL)?;

        let mut chunk = Chunk::with_capacity(CHUNK, GFP_KERNEL_ACCOUNT)?;
        for index in first..first + CHUNK as u32 {
            let slot = Slot::new(client_ptr, index);
            slot.next.set(index + 1);
            chunk.push_within_capacity(slot).map_err(|_| ENOMEM)?;
        }
        if let Some(last) = chunk.last() {
            last.next.set(NONE);
        }
        if self
            .client
            .cmpxchg(Self::EMPTY, Self::HELD, Relaxed)
            .is_ok()
        {
            // What the requests' `client` relies on. `close` takes it back.
            let _ = Arc::into_raw(client.clone());
        }
        // Before there is a request that could be taken, so that `close` misses none.
        self.grown.add(1, Relaxed);
        if !place.populate(chunk) {
            // Nobody else does, as nobody else has the list. The pool is never closed then.
            return Err(EINVAL);
        }
        // INVARIANT: They are new. The list was empty, as `take` sees to.
        free.head = first;
        Ok(())
    }

    /// Keeps pool and client until [`Self::release`]. Called while a request is out, before the
    /// step that gives it away, which orders it. Any context.
    pub(in crate::sys) fn hold(&self) {
        self.kicks.add(1, Relaxed);
    }

    /// See [`Self::hold`]. The last access. Any context.
    pub(in crate::sys) fn release(&self) {
        self.kicks.fetch_add(-1, Release);
    }

    /// Gets back every request for good, if all are free and no waker is at one; or else as many
    /// as are, to be called again.
    ///
    /// No request leaves the pool afterwards. Files that they have kept are released by `put`.
    /// False if `free` is not its list. Process context.
    pub(crate) fn close(&self, free: &mut FreeList, put: fn(ARef<File>)) -> bool {
        if free.of != self.id {
            return false;
        }
        loop {
            while let Some(mut request) = self.pop(free) {
                if let Some(file) = request.take_file() {
                    put(file);
                }
                // It stays out: nobody can take it again.
                core::mem::forget(request);
                self.closed.add(1, Relaxed);
            }
            self.fill(free);
            if free.head == NONE {
                break;
            }
        }
        if self.closed.load(Relaxed) < self.grown.load(Relaxed) * CHUNK {
            return false;
        }
        // After the last request is back: what a waker has held before it gave that away is seen.
        if self.kicks.load(Acquire) != 0 {
            return false;
        }
        if self.client.xchg(Self::CLOSED, Full) == Self::HELD {
            // All chunks have one client, see `grow`.
            if let Some(slot) = self.slot(0) {
                // SAFETY: `grow` made this reference with `into_raw`, once, and it is taken back
                // once. All requests that there are were closed, each once since it stays out, and
                // who has the list adds none: nobody relies on it, as whoever gave the last one
                // back did so as its last access.
                drop(unsafe { Arc::from_raw(slot.client.as_ptr()) });
            }
        }
        true
    }

    /// Releases the files that freed requests have kept. Process context, a task of the process.
    pub(crate) fn release_files(&self, free: &mut FreeList) {
        if free.of != self.id {
            return;
        }
        let first = self.returned.xchg(NONE, Acquire);
        // SAFETY: The one is that list, which only who has `free` uses, and the other was just taken:
        // both are nobody else's.
        let last = unsafe {
            self.release_files_from(free.head);
            self.release_files_from(first)
        };
        if let Some(last) = last {
            last.next.set(free.head);
            // INVARIANT: Both are lists of this pool, and disjoint.
            free.head = first;
        }
    }

    /// Releases the files on a list of free requests, and says which is the last of them.
    ///
    /// # Safety
    ///
    /// It begins with `at`, and is the caller's alone. Process context, a task of the process.
    unsafe fn release_files_from(&self, mut at: u32) -> Option<&Slot<C>> {
        let mut last = None;
        while let Some(slot) = self.slot(at) {
            // SAFETY: A free request belongs to its list, and that is the caller's. To release the file
            // is task work of the current task, or the system's.
            let file = unsafe { (*slot.file.get()).take() };
            drop(file);
            at = slot.next.get();
            last = Some(slot);
        }
        last
    }

    /// What everybody may see of request `index`.
    pub(crate) fn shared(&self, index: u32) -> Option<&C::Shared> {
        self.slot(index).map(|slot| &slot.shared)
    }

    /// Begins a run of request `index` if it is on a list. Any context.
    ///
    /// The caller takes it off the list.
    pub(crate) fn run(&self, index: u32) -> Option<Run<C>> {
        let slot = self.slot(index)?;
        slot.step_if(Step::Issue, |word| word.phase() == Phase::Queued)?;
        // INVARIANT: Nobody had it, and the step began the run.
        Some(Run(NonNull::from(slot)))
    }

    /// Cancels request `index` if its event is still to come, in the generation that `generation`
    /// and `mask` name, and `matches` says yes. Any context.
    ///
    /// The caller takes it off the list that it may be on; the lock of the lists is held.
    pub(crate) fn cancel(
        &self,
        index: u32,
        generation: u32,
        mask: u32,
        matches: impl Fn(&C::Shared) -> bool,
    ) -> Cancel<C> {
        // A program may have said which.
        let chunk = nospec::get(&self.chunks, index as usize / CHUNK);
        let Some(slot) = chunk
            .and_then(SetOnce::as_ref)
            .and_then(|chunk| chunk.get(index as usize % CHUNK))
        else {
            return Cancel::Unknown;
        };
        // What `matches` sees is this request's: else the word's generation is another one, and
        // the step fails.
        let then = slot.step_if(Step::Cancel, |word| {
            word.is_in_flight(generation, mask) && matches(&slot.shared)
        });
        match then {
            // SAFETY: The step just said that the request is ours, so it is out, which keeps it
            // valid, and nobody else made an `Owned` of that step.
            Some(Then::Own) => Cancel::Own(unsafe { Owned::from_slot(NonNull::from(slot)) }),
            Some(Then::Ended) => Cancel::Ended,
            Some(_) => Cancel::Busy,
            None => Cancel::Unknown,
        }
    }

    /// Whether the event of request `index`, of a generation as for [`Self::cancel`], is still to come. Any
    /// context.
    pub(crate) fn is_out(&self, index: u32, generation: u32, mask: u32) -> bool {
        let chunk = self.chunks.get(index as usize / CHUNK);
        let slot = chunk
            .and_then(SetOnce::as_ref)
            .and_then(|chunk| chunk.get(index as usize % CHUNK));
        slot.is_some_and(|slot| slot.word().is_out(generation, mask))
    }

    /// The number of requests that have memory: their indices are less.
    pub(crate) fn grown(&self) -> usize {
        self.grown.load(Acquire) * CHUNK
    }

    /// The number of indices that this pool can give to requests.
    pub(crate) fn capacity(&self) -> usize {
        self.chunks.len() * CHUNK
    }
}

/// What became of an attempt to cancel.
pub(crate) enum Cancel<C: Client> {
    /// There is no such request.
    Unknown,
    /// It can't be cancelled now; its event will come.
    Busy,
    /// It is cancelled, and the caller's to complete.
    Own(Owned<C>),
    /// It is cancelled: the caller has to deliver its event, but does not have the request.
    Ended,
}
