// SPDX-License-Identifier: GPL-2.0

//! The pool of a client's requests, and its free list.

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

/// Requests per chunk. Few, since an idle context keeps all chunks that it ever needed.
const CHUNK: usize = 8;
/// Maximum number of requests that may not be freed yet although the events of all have been seen.
const LATE: usize = 32;

type Chunk<C> = KVec<Slot<C>>;

// A chunk fits in a page.
const _: () = assert!(size_of::<Slot<crate::context::Context>>() <= 512);

/// The requests of a client.
pub(crate) struct Pool<C: Client> {
    chunks: KVVec<SetOnce<Chunk<C>>>,
    /// The number of populated chunks. It only grows, and only in [`Self::grow`].
    grown: Atomic<usize>,
    /// The number of requests that [`Self::close`] got back.
    closed: Atomic<usize>,
    /// Head of the list of returned requests, linked by `Slot::next`, the last one first.
    pub(in crate::sys) returned: Atomic<u32>,
    /// [`Self::EMPTY`], [`Self::HELD`] or [`Self::CLOSED`].
    client: Atomic<u32>,
    /// The number of wakers that still access requests or the client after they have given the
    /// request away.
    kicks: Atomic<i32>,
    /// Identifies the pool among all pools, wherever it lies in memory.
    id: u64,
}

/// The id of the latest pool.
static LAST_ID: Atomic<u64> = Atomic::new(0);

/// The free requests of a pool, from which the submitter takes them.
///
/// A pool is created with its list, and has no other. Only the holder of the mutable list takes
/// requests from the pool, adds requests to it, or closes it.
///
/// # Invariants
///
/// The requests on the list are free, belong to the pool whose id is `of`, and are on no other
/// list.
pub(crate) struct FreeList {
    head: u32,
    of: u64,
}

impl<C: Client> Pool<C> {
    /// There is no chunk, and so no reference to the client.
    const EMPTY: u32 = 0;
    /// The pool holds a reference to its client.
    const HELD: u32 = 1;
    /// No request will leave the pool any more.
    const CLOSED: u32 = 2;

    /// Creates a pool for up to `limit` requests and some more, and its list. It has no memory for
    /// requests yet.
    ///
    /// ENOMEM if the table can't be allocated. Process context.
    pub(crate) fn new(limit: u32) -> Result<(Self, FreeList)> {
        // A completed request is freed a moment after its event is seen, when the program may
        // already submit the next.
        let nr = (limit as usize).saturating_add(LATE).div_ceil(CHUNK);
        let mut chunks = KVVec::with_capacity(nr, GFP_KERNEL_ACCOUNT)?;
        for _ in 0..nr {
            chunks.push(SetOnce::new(), GFP_KERNEL_ACCOUNT)?;
        }
        let mut id = LAST_ID.load(Relaxed);
        // With 64 bits the id does not wrap.
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
    /// EAGAIN if all are out, ENOMEM if there is no memory for more, EINVAL if `client` is not the
    /// client of this pool or `free` not its list. Process context, may sleep.
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
        // A file that the request kept had to be released by a task of the process. The current
        // task is one.
        drop(request.take_file());
        Ok(request)
    }

    /// Fills an empty free list with the returned requests.
    fn fill(&self, free: &mut FreeList) {
        // INVARIANT: These are requests of this pool, as the callers have checked, and are on no
        // other list any more.
        free.head = self.returned.xchg(NONE, Acquire);
    }

    fn pop(&self, free: &mut FreeList) -> Option<Owned<C>> {
        if free.of != self.id {
            return None;
        }
        let slot = self.slot(free.head)?;
        free.head = slot.next.get();
        match slot.step_alone(Step::Take)? {
            // INVARIANT: The step returned `Own`: the request is ours.
            Then::Own => Some(Owned(NonNull::from(slot), PhantomData)),
            _ => None,
        }
    }

    /// Adds a chunk of free requests.
    fn grow(&self, client: &Arc<C>, free: &mut FreeList) -> Result {
        // The pool lies in the client itself. So it is the pool of no other client, and does not
        // move while it holds the reference to the client that is taken below.
        const { assert!(C::POOL_OFFSET < size_of::<C>()) };
        let place = Arc::as_ptr(client).addr().wrapping_add(C::POOL_OFFSET);
        if place != ptr::from_ref(self).addr() || self.client.load(Relaxed) == Self::CLOSED {
            return Err(EINVAL);
        }
        let grown = self.grown.load(Relaxed);
        let place = self.chunks.get(grown).ok_or(EAGAIN)?;
        let first = u32::try_from(grown * CHUNK)?;
        // The pointer that `Arc::from_raw` in `close` needs.
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
            // The reference that `Slot::client` relies on. `close` takes it back.
            let _ = Arc::into_raw(client.clone());
        }
        // Count the chunk before any of its requests can be taken, so that `close` misses none.
        self.grown.add(1, Relaxed);
        if !place.populate(chunk) {
            // Impossible, as nobody else has the list. If it happens, the pool is never closed.
            return Err(EINVAL);
        }
        // INVARIANT: The requests are new. The list was empty, as `take` has checked.
        free.head = first;
        Ok(())
    }

    /// Keeps pool and client alive until [`Self::release`]. Called while a request is out, before
    /// the step that gives the request away, which orders it. Any context.
    pub(in crate::sys) fn hold(&self) {
        self.kicks.add(1, Relaxed);
    }

    /// Ends a [`Self::hold`]. This is the last access. Any context.
    pub(in crate::sys) fn release(&self) {
        self.kicks.fetch_add(-1, Release);
    }

    /// Takes back every request for good, and returns true if all are free and no waker still
    /// accesses one. Otherwise takes back those that are free and returns false; the caller calls
    /// again.
    ///
    /// No request leaves the pool afterwards. `put` releases the files that requests have kept.
    /// Also returns false if `free` is not the pool's list. Process context.
    pub(crate) fn close(&self, free: &mut FreeList, put: fn(ARef<File>)) -> bool {
        if free.of != self.id {
            return false;
        }
        loop {
            while let Some(mut request) = self.pop(free) {
                if let Some(file) = request.take_file() {
                    put(file);
                }
                // The request stays out, so nobody can take it again.
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
        // The last request is back, so a hold that a waker took before it gave that request away is
        // visible here.
        if self.kicks.load(Acquire) != 0 {
            return false;
        }
        if self.client.xchg(Self::CLOSED, Full) == Self::HELD {
            // All chunks have the same client, see `grow`.
            if let Some(slot) = self.slot(0) {
                // SAFETY: `grow` made this reference with `into_raw`, once, and it is taken back
                // once. All existing requests were closed, each once as it stays out, and only the
                // holder of the list could add more. So nobody relies on the reference: returning
                // the last request was the last access of whoever did it.
                drop(unsafe { Arc::from_raw(slot.client.as_ptr()) });
            }
        }
        true
    }

    /// Releases the files that freed requests have kept. Process context, in a task of the process.
    pub(crate) fn release_files(&self, free: &mut FreeList) {
        if free.of != self.id {
            return;
        }
        let first = self.returned.xchg(NONE, Acquire);
        // SAFETY: The first list is `free`, which only its holder uses. The second was just taken.
        // So both belong to this call alone.
        let last = unsafe {
            self.release_files_from(free.head);
            self.release_files_from(first)
        };
        if let Some(last) = last {
            last.next.set(free.head);
            // INVARIANT: Both lists belong to this pool, and are disjoint.
            free.head = first;
        }
    }

    /// Releases the files of a list of free requests, and returns the last request on it.
    ///
    /// # Safety
    ///
    /// `at` is the head of a list that belongs to the caller alone. Process context, in a task of
    /// the process.
    unsafe fn release_files_from(&self, mut at: u32) -> Option<&Slot<C>> {
        let mut last = None;
        while let Some(slot) = self.slot(at) {
            // SAFETY: A free request belongs to its list, which is the caller's. The release of the
            // file is deferred to task work of the current task, or to the kernel's work for it.
            let file = unsafe { (*slot.file.get()).take() };
            drop(file);
            at = slot.next.get();
            last = Some(slot);
        }
        last
    }

    /// The data of request `index` that anybody may access.
    pub(crate) fn shared(&self, index: u32) -> Option<&C::Shared> {
        self.slot(index).map(|slot| &slot.shared)
    }

    /// Begins a run of request `index` if it is queued. Any context.
    ///
    /// The caller takes the request off the list.
    pub(crate) fn run(&self, index: u32) -> Option<Run<C>> {
        let slot = self.slot(index)?;
        slot.step_if(Step::Issue, |word| word.phase() == Phase::Queued)?;
        // INVARIANT: Nobody had the request, and the step began the run.
        Some(Run(NonNull::from(slot)))
    }

    /// Cancels request `index` if it is in the generation that `generation` and `mask` name, its
    /// event is still to come, and `matches` returns true. Any context.
    ///
    /// The caller holds the lock of the lists, and takes the request off the list that it may be
    /// on.
    pub(crate) fn cancel(
        &self,
        index: u32,
        generation: u32,
        mask: u32,
        matches: impl Fn(&C::Shared) -> bool,
    ) -> Cancel<C> {
        // The index may come from a program.
        let chunk = nospec::get(&self.chunks, index as usize / CHUNK);
        let Some(slot) = chunk
            .and_then(SetOnce::as_ref)
            .and_then(|chunk| chunk.get(index as usize % CHUNK))
        else {
            return Cancel::Unknown;
        };
        // If the slot was reused after `matches` read its data, the generation of the word is
        // another one, and the step fails.
        let then = slot.step_if(Step::Cancel, |word| {
            word.is_in_flight(generation, mask) && matches(&slot.shared)
        });
        match then {
            // SAFETY: The step returned `Own`: the request is ours, so it is out, which keeps the
            // slot valid, and nobody else made an `Owned` of that step.
            Some(Then::Own) => Cancel::Own(unsafe { Owned::from_slot(NonNull::from(slot)) }),
            Some(Then::Ended) => Cancel::Ended,
            Some(_) => Cancel::Busy,
            None => Cancel::Unknown,
        }
    }

    /// Whether the event of request `index` is still to come. `generation` and `mask` are as in
    /// [`Self::cancel`]. Any context.
    pub(crate) fn is_out(&self, index: u32, generation: u32, mask: u32) -> bool {
        let chunk = self.chunks.get(index as usize / CHUNK);
        let slot = chunk
            .and_then(SetOnce::as_ref)
            .and_then(|chunk| chunk.get(index as usize % CHUNK));
        slot.is_some_and(|slot| slot.word().is_out(generation, mask))
    }

    /// The number of requests that have memory. All indices are below it.
    pub(crate) fn grown(&self) -> usize {
        self.grown.load(Acquire) * CHUNK
    }

    /// The number of requests that the pool can grow to.
    pub(crate) fn capacity(&self) -> usize {
        self.chunks.len() * CHUNK
    }
}

/// The outcome of [`Pool::cancel`].
pub(crate) enum Cancel<C: Client> {
    /// There is no such request.
    Unknown,
    /// The request can't be cancelled now; its event will come.
    Busy,
    /// The request is cancelled. The caller owns it and completes it.
    Own(Owned<C>),
    /// The request is cancelled. The caller delivers its event, but does not own the request.
    Ended,
}
