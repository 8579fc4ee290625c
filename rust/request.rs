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

use super::bindings;
use crate::state::{
    Step,
    Then,
    Word, //
};
use core::{
    cell::UnsafeCell,
    marker::PhantomData,
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
/// `word` says who may touch what: `kiocb`, `iter`, `file` and `private` belong to the owner, and
/// during the issue call to the file's code; `work` to the work queue while the phase is Queued;
/// `next` to the list that the request is on.
pub(super) struct Slot<C: Client> {
    pub(super) kiocb: Opaque<bindings::kiocb>,
    pub(super) iter: Opaque<bindings::iov_iter>,
    work: Opaque<bindings::work_struct>,
    pub(super) file: UnsafeCell<Option<ARef<File>>>,
    private: UnsafeCell<C::Private>,
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

    /// What the driver passed to `ki_complete`; the step that said so orders it.
    pub(super) fn result(&self) -> isize {
        self.result.load(Relaxed)
    }
}

type Chunk<C> = KVec<Slot<C>>;

/// The requests of a client.
pub(crate) struct Pool<C: Client> {
    chunks: KVVec<SetOnce<Chunk<C>>>,
    /// Requests that came back, the last first: a list by `Slot::next`.
    returned: Atomic<u32>,
    /// [`Self::EMPTY`], [`Self::HELD`] or [`Self::CLOSED`].
    client: Atomic<u32>,
}

/// The free requests of a pool that whoever submits takes from, under the submitter's lock.
pub(crate) struct FreeList {
    head: u32,
    chunks: usize,
    closed: usize,
}

impl FreeList {
    pub(crate) fn new() -> Self {
        FreeList {
            head: NONE,
            chunks: 0,
            closed: 0,
        }
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
        let place = self.chunks.get(free.chunks).ok_or(EAGAIN)?;
        let first = u32::try_from(free.chunks * CHUNK)?;

        let mut chunk = Chunk::with_capacity(CHUNK, GFP_KERNEL_ACCOUNT)?;
        for index in first..first + CHUNK as u32 {
            let slot = Slot::new(NonNull::from(&**client), index);
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
        if !place.populate(chunk) {
            return Err(EINVAL);
        }
        if self
            .client
            .cmpxchg(Self::EMPTY, Self::HELD, Relaxed)
            .is_ok()
        {
            // What the requests' `client` relies on. `close` takes it back.
            let _ = Arc::into_raw(client.clone());
        }
        free.head = first;
        free.chunks += 1;
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
                free.closed += 1;
            }
            free.head = self.returned.xchg(NONE, Acquire);
            if free.head == NONE {
                break;
            }
        }
        if free.closed < free.chunks * CHUNK {
            return false;
        }
        if self.client.xchg(Self::CLOSED, Full) == Self::HELD {
            // All chunks have one client, see `grow`.
            if let Some(slot) = self.slot(0) {
                // SAFETY: `grow` made this reference with `into_raw`, once, and it is taken back
                // once. No request is out, nor will be, so nobody relies on it: whoever gave
                // the last one back did so as its last access.
                drop(unsafe { Arc::from_raw(slot.client.as_ptr()) });
            }
        }
        true
    }

    /// Asks for the cancellation of request `index`, if it is out, in the generation that `mask`
    /// and `generation` name, and `matches` says yes.
    ///
    /// False if there is no such request. Any context.
    pub(crate) fn cancel(
        &self,
        index: u32,
        generation: u32,
        mask: u32,
        matches: impl FnOnce(&C::Shared) -> bool,
    ) -> bool {
        self.slot(index).is_some_and(|slot| {
            matches(&slot.shared) && slot.step(Step::Cancel(generation, mask)).is_some()
        })
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
/// `slot` is out of its pool, its word's phase is Prep, Done, in a worker Queued, or Running inside
/// [`Self::run_here`], and there is no other `Owned` of it; so its client is alive and its memory
/// valid.
pub(crate) struct Owned<C: Client> {
    slot: NonNull<Slot<C>>,
    _client: PhantomData<C>,
}

// SAFETY: Whatever is in the slot is `Send`, and not bound to a task.
unsafe impl<C: Client> Send for Owned<C> {}

impl<C: Client> Owned<C> {
    /// Makes the step that passes the request on, and lets go of it.
    ///
    /// The slot may be used as the new phase allows.
    pub(super) fn pass_on(self, step: Step) -> NonNull<Slot<C>> {
        let slot = self.slot;
        self.slot().step(step);
        core::mem::forget(self);
        slot
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
        Word(self.slot().word.load(Relaxed)).generation()
    }

    /// The file that the request is for.
    pub(crate) fn file(&self) -> Option<&File> {
        // SAFETY: By the invariants only the owner writes it, with `self` borrowed mutably.
        unsafe { (*self.slot().file.get()).as_deref() }
    }

    /// Says which file the request is for; `None` gives back the reference. Any context.
    pub(crate) fn set_file(&mut self, file: Option<ARef<File>>) {
        // SAFETY: As in `private`.
        unsafe { *self.slot().file.get() = file };
    }

    /// Puts the request on `queue`; a worker calls [`Client::run`] with it. Any context.
    pub(crate) fn queue(self, queue: &'static Queue) {
        let slot = self.pass_on(Step::Queue);
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
    }

    /// Runs the request in this task, by `call`: there is no peer, so nobody else can complete it
    /// meanwhile.
    ///
    /// Process context, if `call` needs that.
    pub(crate) fn run_here(mut self, call: impl FnOnce(&mut Self) -> isize) -> (Self, isize) {
        self.slot().step(Step::Issue);
        let result = call(&mut self);
        // INVARIANT: The phase is Done.
        self.slot().step(Step::Finish);
        (self, result)
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
        unsafe { super::fs::end_write(slot.kiocb.get()) };
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
