// SPDX-License-Identifier: GPL-2.0

//! Requests: their memory, and who owns one at a time.
//!
//! A [`Pool`] belongs to one object, its [`Client`], and holds requests in chunks that are
//! allocated on first need and kept until the pool goes: there is no allocation for each request.
//! A request that is out of the pool has one owner, an [`Owned`], or is on a work queue, or has
//! the two owners that `crate::state` tells of. The state's word is the authority: an [`Owned`]
//! comes into being only from a step that said [`Then::Own`], or that starts a run from a queue.
//!
//! While a request is out, its client is alive: the pool holds a reference to it from the first
//! chunk on, until [`Pool::close`] has got every request back.
//!
//! C headers: [`include/linux/fs.h`](srctree/include/linux/fs.h) (`struct kiocb`),
//! [`include/linux/workqueue.h`](srctree/include/linux/workqueue.h) (`struct work_struct`)

use super::{
    bindings,
    fs::Direction, //
};
use crate::state::{
    Step,
    Then,
    Word, //
};
use core::{
    cell::UnsafeCell,
    marker::PhantomData,
    mem::ManuallyDrop,
    ptr::NonNull, //
};
use kernel::{
    container_of,
    fs::File,
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
        SetOnce, //
    },
    types::Opaque,
    workqueue::Queue, //
};

/// Requests of a chunk.
const CHUNK: usize = 32;
/// No request, in a list of requests.
const NONE: u32 = u32::MAX;

/// The object that the requests of a pool belong to.
pub(crate) trait Client: Send + Sync + Sized + 'static {
    /// What the client keeps with a request and everybody may see.
    type Shared: Default + Send + Sync;
    /// What the client keeps with a request for its owner alone.
    type Private: Default + Send;

    /// The pool of this client.
    fn pool(&self) -> &Pool<Self>;

    /// The request is over with `result`. Called once for each that was in flight; any context.
    fn complete(request: Owned<Self>, result: isize);

    /// Runs a request that was put on a work queue. Process context, a worker.
    fn run(request: Owned<Self>);
}

/// A request, as it lies in memory.
///
/// `word` says who may touch what: `kiocb`, `iter`, `file`, `prepared` and `private` belong to the
/// owner, and `kiocb` and `iter` to the file's code during the issue call; `work` to the work queue
/// while the phase is Queued; `next` to the list that the request is on.
pub(super) struct Slot<C: Client> {
    pub(super) kiocb: Opaque<bindings::kiocb>,
    pub(super) iter: Opaque<bindings::iov_iter>,
    work: Opaque<bindings::work_struct>,
    file: UnsafeCell<Option<ARef<File>>>,
    private: UnsafeCell<C::Private>,
    /// What `Owned::prep_rw` prepared it for, if it did.
    pub(super) prepared: UnsafeCell<Option<Direction>>,
    /// Whether a write has the file system's freeze protection.
    pub(super) protected: Atomic<bool>,
    word: Atomic<u32>,
    /// What the driver passed to `ki_complete`.
    result: Atomic<isize>,
    next: Atomic<u32>,
    index: u32,
    client: NonNull<C>,
    shared: C::Shared,
}

// SAFETY: `client` is `Sync`, and all else that is not is used by the one owner only, see `Slot`.
unsafe impl<C: Client> Send for Slot<C> {}
// SAFETY: As above.
unsafe impl<C: Client> Sync for Slot<C> {}

impl<C: Client> Slot<C> {
    fn new(client: NonNull<C>, index: u32) -> Self {
        Slot {
            kiocb: Opaque::zeroed(),
            iter: Opaque::zeroed(),
            work: Opaque::zeroed(),
            file: UnsafeCell::new(None),
            private: UnsafeCell::new(C::Private::default()),
            prepared: UnsafeCell::new(None),
            protected: Atomic::new(false),
            word: Atomic::new(Word::FREE.0),
            result: Atomic::new(0),
            next: Atomic::new(NONE),
            index,
            client,
            shared: C::Shared::default(),
        }
    }

    /// Does `step` if it is allowed.
    pub(super) fn step(&self, step: Step) -> Option<Then> {
        let mut old = self.word.load(Relaxed);
        loop {
            let (new, then) = Word(old).step(step)?;
            match self.word.cmpxchg(old, new.0, Full) {
                Ok(_) => return Some(then),
                Err(now) => old = now,
            }
        }
    }

    fn word(&self) -> Word {
        Word(self.word.load(Relaxed))
    }

    /// Whether the driver has called `ki_complete` during the issue call.
    pub(super) fn peer_done(&self) -> bool {
        self.word().peer_done()
    }

    /// What the driver passed to `ki_complete`; the step that said so orders it.
    pub(super) fn result(&self) -> isize {
        self.result.load(Relaxed)
    }
}

type Chunk<C> = KVec<Slot<C>>;

/// The requests of a client.
pub(crate) struct Pool<C: Client> {
    chunks: KVVec<SetOnce<Chunk<C>>>,
    /// How many of them there are. Only grows, and only by [`Self::grow`].
    grown: Atomic<usize>,
    /// Requests that [`Self::close`] got back.
    closed: Atomic<usize>,
    /// Requests that came back, the last first: a list by `Slot::next`.
    returned: Atomic<u32>,
    /// [`Self::EMPTY`], [`Self::HELD`] or [`Self::CLOSED`].
    client: Atomic<u32>,
}

/// The free requests of a pool that whoever submits takes from, under the submitter's lock.
///
/// A list of indices, and no authority: with the list of another pool no request is found, or the
/// free one of that index.
pub(crate) struct FreeList {
    head: u32,
}

impl FreeList {
    /// An empty list.
    pub(crate) fn new() -> Self {
        FreeList { head: NONE }
    }
}

impl<C: Client> Pool<C> {
    /// No chunk, so no reference to the client.
    const EMPTY: u32 = 0;
    /// The pool owns a reference to its client.
    const HELD: u32 = 1;
    /// No request will leave the pool any more.
    const CLOSED: u32 = 2;

    /// A pool for up to `limit` requests and some more, without memory for any.
    ///
    /// ENOMEM if there is no memory for the table. Process context.
    pub(crate) fn new(limit: u32) -> Result<Self> {
        // A completed request is at home a moment after its event is seen, when the program may
        // already submit the next: hence the chunk more.
        let nr = (limit as usize).div_ceil(CHUNK) + 1;
        let mut chunks = KVVec::with_capacity(nr, GFP_KERNEL_ACCOUNT)?;
        for _ in 0..nr {
            chunks.push(SetOnce::new(), GFP_KERNEL_ACCOUNT)?;
        }
        Ok(Pool {
            chunks,
            grown: Atomic::new(0),
            closed: Atomic::new(0),
            returned: Atomic::new(NONE),
            client: Atomic::new(Self::EMPTY),
        })
    }

    fn slot(&self, index: u32) -> Option<&Slot<C>> {
        let index = index as usize;
        let chunk = self.chunks.get(index / CHUNK)?.as_ref()?;
        chunk.get(index % CHUNK)
    }

    /// Takes a free request.
    ///
    /// EAGAIN if all are out, ENOMEM if there is no memory for more. `client` must be the client
    /// of this pool. Process context, may sleep.
    pub(crate) fn take(&self, client: &Arc<C>, free: &mut FreeList) -> Result<Owned<C>> {
        if free.head == NONE {
            free.head = self.returned.xchg(NONE, Acquire);
        }
        if free.head == NONE {
            self.grow(client, free)?;
        }
        self.pop(free).ok_or(EAGAIN)
    }

    fn pop(&self, free: &mut FreeList) -> Option<Owned<C>> {
        let slot = self.slot(free.head)?;
        free.head = slot.next.load(Relaxed);
        match slot.step(Step::Take)? {
            // INVARIANT: The step made it ours.
            Then::Own => Some(Owned {
                slot: NonNull::from(slot),
                _client: PhantomData,
            }),
            Then::Nothing => None,
        }
    }

    /// Adds a chunk, all of it free.
    fn grow(&self, client: &Arc<C>, free: &mut FreeList) -> Result {
        if !core::ptr::eq(client.pool(), self) || self.client.load(Relaxed) == Self::CLOSED {
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
            slot.next.store(index + 1, Relaxed);
            chunk.push_within_capacity(slot).map_err(|_| ENOMEM)?;
        }
        if let Some(last) = chunk.last() {
            last.next.store(NONE, Relaxed);
        }
        for slot in &chunk {
            // SAFETY: `work` is valid for writes, and is in its final place: the chunk's memory
            // does not move any more.
            unsafe { bindings::raio_helper_init_work(slot.work.get(), Some(work::<C>)) };
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
            // Without the submitter's lock, somebody else did. The pool is never closed then.
            return Err(EINVAL);
        }
        free.head = first;
        Ok(())
    }

    /// Gets back every request for good, if all are at home; or else as many as are, to be called
    /// again.
    ///
    /// No request leaves the pool afterwards. Process context.
    pub(crate) fn close(&self, free: &mut FreeList) -> bool {
        loop {
            while let Some(request) = self.pop(free) {
                // It stays out: nobody can take it again.
                core::mem::forget(request);
                self.closed.add(1, Relaxed);
            }
            free.head = self.returned.xchg(NONE, Acquire);
            if free.head == NONE {
                break;
            }
        }
        if self.closed.load(Relaxed) < self.grown.load(Relaxed) * CHUNK {
            return false;
        }
        if self.client.xchg(Self::CLOSED, Full) == Self::HELD {
            // All chunks have one client, see `grow`.
            if let Some(slot) = self.slot(0) {
                // SAFETY: `grow` made this reference with `into_raw`, once, and it is taken back
                // once. All requests that there are were closed, each once since it stays out,
                // so nobody relies on it: whoever gave the last one back did so as its last
                // access.
                drop(unsafe { Arc::from_raw(slot.client.as_ptr()) });
            }
        }
        true
    }

    /// Whether request `index` is in flight in the generation that `generation` and `mask` name,
    /// and `matches` says yes. Any context.
    pub(crate) fn is_in_flight(
        &self,
        index: u32,
        generation: u32,
        mask: u32,
        matches: impl FnOnce(&C::Shared) -> bool,
    ) -> bool {
        self.slot(index)
            .is_some_and(|slot| slot.word().is_in_flight(generation, mask) && matches(&slot.shared))
    }

    /// The number of indices that this pool can give to requests.
    pub(crate) fn capacity(&self) -> usize {
        self.chunks.len() * CHUNK
    }
}

/// A request that has one owner, this one.
///
/// # Invariants
///
/// `slot` is out of its pool, its word's phase is Prep, Done or, in a worker, Queued, and there is
/// no other `Owned` of it; so its client is alive and its memory valid.
pub(crate) struct Owned<C: Client> {
    slot: NonNull<Slot<C>>,
    _client: PhantomData<C>,
}

// SAFETY: Whatever is in the slot is `Send`, and not bound to a task.
unsafe impl<C: Client> Send for Owned<C> {}

impl<C: Client> Owned<C> {
    /// Makes the step that passes the request on, and lets go of it; or keeps it, if the step is
    /// refused.
    ///
    /// The slot may be used as the new phase allows.
    pub(super) fn pass_on(self, step: Step) -> Result<NonNull<Slot<C>>, Self> {
        match self.slot().step(step) {
            Some(_) => Ok(ManuallyDrop::new(self).slot),
            None => Err(self),
        }
    }

    /// # Safety
    ///
    /// A step on this slot just said [`Then::Own`], or a work queue that had it just gave it to
    /// its worker; and nothing was made of it yet.
    pub(super) unsafe fn from_slot(slot: NonNull<Slot<C>>) -> Self {
        // INVARIANT: By the requirement.
        Owned {
            slot,
            _client: PhantomData,
        }
    }

    pub(super) fn slot(&self) -> &Slot<C> {
        // SAFETY: By the invariants it is valid, and what is not `Sync` in it is ours.
        unsafe { self.slot.as_ref() }
    }

    /// The object that the request belongs to.
    pub(crate) fn client(&self) -> &C {
        // SAFETY: A request that is out keeps its client alive, see the invariants.
        unsafe { self.slot().client.as_ref() }
    }

    /// What everybody may see.
    pub(crate) fn shared(&self) -> &C::Shared {
        &self.slot().shared
    }

    /// What the owner keeps.
    pub(crate) fn private(&mut self) -> &mut C::Private {
        // SAFETY: By the invariants nobody else has access, and `self` is borrowed mutably.
        unsafe { &mut *self.slot().private.get() }
    }

    /// The request's number in its pool.
    pub(crate) fn index(&self) -> u32 {
        self.slot().index
    }

    /// How often the request was used, see [`Word::generation`].
    pub(crate) fn generation(&self) -> u32 {
        self.slot().word().generation()
    }

    /// The file that the request is for.
    pub(crate) fn file(&self) -> Option<&File> {
        // SAFETY: By the invariants only the owner writes it, with `self` borrowed mutably.
        unsafe { (*self.slot().file.get()).as_deref() }
    }

    /// Says which file the request is for; `None` gives back the reference. Any context.
    pub(crate) fn set_file(&mut self, file: Option<ARef<File>>) {
        // SAFETY: As in `private`.
        unsafe {
            // It was for the file that goes.
            *self.slot().prepared.get() = None;
            *self.slot().file.get() = file;
        }
    }

    /// Puts the request on `queue`; a worker calls [`Client::run`] with it. Any context.
    pub(crate) fn queue(self, queue: &'static Queue) -> Result<(), Self> {
        let slot = self.pass_on(Step::Queue)?;
        // SAFETY: The request is out, so the slot is valid. Its work is not on a queue: the
        // phase was not Queued. `Queue` is transparent over `workqueue_struct`.
        unsafe {
            let work = slot.as_ref().work.get();
            bindings::queue_work_on(
                bindings::wq_misc_consts_WORK_CPU_UNBOUND as c_int,
                core::ptr::from_ref(queue).cast_mut().cast(),
                work,
            );
        }
        Ok(())
    }
}

impl<C: Client> Drop for Owned<C> {
    /// Brings the request home. Any context.
    fn drop(&mut self) {
        self.set_file(None);
        let slot = self.slot();
        slot.step(Step::Free);
        let pool = self.client().pool();
        let mut head = pool.returned.load(Relaxed);
        loop {
            slot.next.store(head, Relaxed);
            // After this the request may be taken, or pool and client may be gone.
            match pool.returned.cmpxchg(head, slot.index, Full) {
                Ok(_) => return,
                Err(now) => head = now,
            }
        }
    }
}

/// The worker's side of [`Owned::queue`].
///
/// # Safety
///
/// `work` is that of a request in phase Queued.
unsafe extern "C" fn work<C: Client>(work: *mut bindings::work_struct) {
    // SAFETY: By the requirement, `work` lies in the `Opaque` of a slot.
    let slot = unsafe { container_of!(Opaque::cast_from(work).cast_mut(), Slot<C>, work) };
    // SAFETY: The queue had the request since `Owned::queue`, and gives it to this call alone.
    let request = unsafe { Owned::from_slot(NonNull::new_unchecked(slot)) };
    C::run(request);
}

/// `ki_complete` of all requests.
///
/// # Safety
///
/// `kiocb` is that of a request whose issue call has begun, and the caller is its peer.
pub(super) unsafe extern "C" fn ki_complete<C: Client>(
    kiocb: *mut bindings::kiocb,
    result: c_long,
) {
    // SAFETY: By the requirement, `kiocb` lies in the `Opaque` of a slot.
    let slot = unsafe { container_of!(Opaque::cast_from(kiocb).cast_mut(), Slot<C>, kiocb) };
    // SAFETY: `container_of!` gives no NULL.
    let slot = unsafe { NonNull::new_unchecked(slot) };
    {
        // SAFETY: A request with a peer is out, so it is valid, until the step below.
        let slot = unsafe { slot.as_ref() };
        // SAFETY: The peer still has the request.
        unsafe { super::fs::end_write(slot) };
        slot.result.store(result, Relaxed);
    }
    // SAFETY: As above; the step is the last access unless it makes the request ours.
    match unsafe { slot.as_ref() }.step(Step::Complete) {
        Some(Then::Own) => {
            // SAFETY: The step just said so.
            C::complete(unsafe { Owned::from_slot(slot) }, result);
        }
        Some(Then::Nothing) => {}
        // A driver that completes twice, or what it did not take. The event is there already.
        None => {
            kernel::warn_on!(true);
        }
    }
}
