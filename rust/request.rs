// SPDX-License-Identifier: GPL-2.0

//! Requests: their memory, and who owns one at a time.
//!
//! A [`Pool`] belongs to one object, its [`Client`], and holds requests in chunks that are
//! allocated on first need and kept until the pool goes: there is no allocation for each request.
//! A request that is out of the pool has one owner, an [`Owned`], or runs, which is a [`Run`], or
//! nobody has it: it is on a list, armed, or in flight. The state's word is the authority, see
//! `crate::state`: an [`Owned`] comes into being only from a step that said [`Then::Own`], and a
//! [`Run`] only from the step that begins a run.
//!
//! While a request is out, its client is alive: the pool holds a reference to it from the first
//! chunk on, until [`Pool::close`] has got every request back.
//!
//! C header: [`include/linux/fs.h`](srctree/include/linux/fs.h) (`struct kiocb`)

use super::{
    bindings,
    fs::{
        self,
        Transfer, //
    },
    nospec,
    once::Once,
    poll::Entries, //
};
use crate::state::{
    Phase,
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
                Relaxed,
                Release, //
            },
            Atomic, //
        },
        Arc,
        ArcBorrow,
        SetOnce, //
    },
    types::Opaque, //
};

/// Requests of a chunk: few, since a context that is idle keeps what it ever needed.
const CHUNK: usize = 8;
/// Requests that may be on their way home when the events of all have been seen.
const LATE: usize = 32;
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

    /// A driver had the request, and is done with it, with `result`. Any context.
    fn complete(request: Owned<Self>, result: isize);

    /// A wait entry of a request was woken. Any context, under the lock of a wait queue: it must
    /// not wake anybody who might take that lock.
    ///
    /// The request is to be put on a list if [`Kick::make`] says so.
    fn kick(kick: Kick<'_, Self>);
}

/// A request, as it lies in memory.
///
/// `word` says who may touch what: `kiocb`, `iter`, `transfer`, `file`, `private`, and `entries`
/// belong to the [`Owned`] or the [`Run`]; but `kiocb` and `iter` to the file's code during
/// the issue call and to the driver from there on, what lies in queued wait entries to the lock of
/// their queue; and `next` to the list of free requests.
pub(super) struct Slot<C: Client> {
    pub(super) kiocb: Opaque<bindings::kiocb>,
    pub(super) iter: Opaque<bindings::iov_iter>,
    pub(super) transfer: UnsafeCell<Transfer>,
    file: UnsafeCell<Option<ARef<File>>>,
    private: UnsafeCell<C::Private>,
    pub(super) entries: Entries<C>,
    /// Whether a write has the file system's freeze protection.
    pub(super) protected: Atomic<bool>,
    word: Atomic<u32>,
    /// What the driver passed to `ki_complete`.
    result: Once<usize>,
    next: Once<u32>,
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
            transfer: UnsafeCell::new(Transfer::default()),
            file: UnsafeCell::new(None),
            private: UnsafeCell::new(C::Private::default()),
            entries: Entries::new(),
            protected: Atomic::new(false),
            word: Atomic::new(Word::FREE.0),
            result: Once::new(0),
            next: Once::new(NONE),
            index,
            client,
            shared: C::Shared::default(),
        }
    }

    /// Does `step` if it is allowed.
    #[inline(always)]
    pub(super) fn step(&self, step: Step) -> Option<Then> {
        let mut old = self.word().0;
        loop {
            let (new, then) = Word(old).step(step)?;
            match self.word.cmpxchg(old, new.0, Full) {
                Ok(_) => return Some(then),
                Err(now) => old = now,
            }
        }
    }

    /// Does `step`, which nobody else can come before: from a phase in which only the caller may
    /// change the word, that is Free, Prep or Done.
    #[inline(always)]
    fn step_alone(&self, step: Step) -> Option<Then> {
        let (new, then) = self.word().step(step)?;
        // Who sees it running may look at what was written before.
        self.word.store(new.0, Release);
        Some(then)
    }

    /// Frees and takes the request, as [`Self::step_alone`].
    #[inline(always)]
    fn renew(&self) {
        let next = self.word().step(Step::Free);
        if let Some((next, _)) = next.and_then(|(free, _)| free.step(Step::Take)) {
            self.word.store(next.0, Release);
        }
    }

    /// Does `step` if it is allowed, and `may` says so of the word that it starts from.
    #[inline(always)]
    fn step_if(&self, step: Step, may: impl Fn(Word) -> bool) -> Option<Then> {
        // What `may` looks at beside the word is as new as that.
        let mut old = self.word.load(Acquire);
        loop {
            if !may(Word(old)) {
                return None;
            }
            let (new, then) = Word(old).step(step)?;
            match self.word.cmpxchg(old, new.0, Full) {
                Ok(_) => return Some(then),
                Err(now) => old = now,
            }
        }
    }

    /// The word, without order.
    #[inline(always)]
    fn word(&self) -> Word {
        // SAFETY: It is valid and aligned; this is READ_ONCE(), as `Atomic::load` with `Relaxed`
        // is, but for the call.
        Word(unsafe { self.word.as_ptr().read_volatile() })
    }

    /// # Safety
    ///
    /// The request is out, and stays so during the call.
    unsafe fn client_arc(&self) -> Arc<C> {
        // SAFETY: `client` is what `Arc::into_raw` gave, and the pool holds a reference of its own
        // while a request is out.
        unsafe { ArcBorrow::from_raw(self.client.as_ptr()) }.into()
    }

    /// Whether the driver has called `ki_complete` during the issue call.
    pub(super) fn peer_done(&self) -> bool {
        self.word().peer_done()
    }

    /// What the driver passed to `ki_complete`; the step that said so orders it.
    pub(super) fn result(&self) -> isize {
        self.result.get() as isize
    }
}

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
        // already submit the next.
        let nr = (limit as usize).saturating_add(LATE).div_ceil(CHUNK);
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
        free.head = slot.next.get();
        match slot.step_alone(Step::Take)? {
            // INVARIANT: The step made it ours.
            Then::Own => Some(Owned(NonNull::from(slot), PhantomData)),
            _ => None,
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
            // SAFETY: The step just said so.
            Some(Then::Own) => Cancel::Own(unsafe { Owned::from_slot(NonNull::from(slot)) }),
            Some(Then::Ended) => Cancel::Ended,
            Some(_) => Cancel::Busy,
            None => Cancel::Unknown,
        }
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

/// A request that has one owner, this one.
///
/// # Invariants
///
/// `slot` is out of its pool, its word's phase is Prep or Done, and there is no other `Owned` or
/// `Run` of it; so its client is alive and its memory valid.
pub(crate) struct Owned<C: Client>(NonNull<Slot<C>>, PhantomData<C>);

// SAFETY: Whatever is in the slot is `Send`, and not bound to a task.
unsafe impl<C: Client> Send for Owned<C> {}

/// A request inside a run, this one.
///
/// # Invariants
///
/// `slot` is out of its pool, its word's phase is Running, and there is no `Owned` and no other
/// `Run` of it; so its client is alive and its memory valid. No driver has it.
#[must_use = "a run must be ended"]
pub(crate) struct Run<C: Client>(NonNull<Slot<C>>);

// SAFETY: As for `Owned`.
unsafe impl<C: Client> Send for Run<C> {}

/// How a run ended that left the request to wait entries.
pub(crate) enum Armed<C: Client> {
    /// It is armed; it may belong to somebody else by now.
    Left,
    /// It was kicked meanwhile: the run goes on.
    Again(Run<C>),
    /// It was cancelled meanwhile.
    Cancelled(Run<C>),
}

macro_rules! accessors {
    () => {
        pub(super) fn slot(&self) -> &Slot<C> {
            // SAFETY: By the invariants it is valid, and what is not `Sync` in it is ours.
            unsafe { self.0.as_ref() }
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

        /// The file that the request is for.
        pub(crate) fn file(&self) -> Option<&File> {
            // SAFETY: By the invariants only the owner writes it, with `self` borrowed mutably.
            unsafe { (*self.slot().file.get()).as_deref() }
        }

        /// What was prepared, and how much of it is done.
        pub(crate) fn transfer(&self) -> &Transfer {
            // SAFETY: As above.
            unsafe { &*self.slot().transfer.get() }
        }

        /// As [`Self::transfer`], to note progress.
        pub(crate) fn transfer_mut(&mut self) -> &mut Transfer {
            // SAFETY: As in `private`.
            unsafe { &mut *self.slot().transfer.get() }
        }
    };
}

impl<C: Client> Owned<C> {
    accessors!();

    /// # Safety
    ///
    /// A step on this slot just said [`Then::Own`], and nothing was made of it yet.
    pub(super) unsafe fn from_slot(slot: NonNull<Slot<C>>) -> Self {
        // INVARIANT: By the requirement.
        Owned(slot, PhantomData)
    }

    /// The object that the request belongs to.
    pub(crate) fn client(&self) -> &C {
        // SAFETY: A request that is out keeps its client alive, see the invariants.
        unsafe { self.slot().client.as_ref() }
    }

    /// A reference to the object that the request belongs to.
    pub(crate) fn client_arc(&self) -> Arc<C> {
        // SAFETY: The request is out.
        unsafe { self.slot().client_arc() }
    }

    /// How often the request was used, see [`Word::generation`].
    pub(crate) fn generation(&self) -> u32 {
        self.slot().word().generation()
    }

    /// Whether its event was delivered already.
    pub(crate) fn is_ended(&self) -> bool {
        self.slot().word().is_ended()
    }

    /// Says which file the request is for, which has none.
    #[inline]
    pub(crate) fn set_file(&mut self, file: ARef<File>) {
        // SAFETY: As in `private`.
        let place = unsafe { &mut *self.slot().file.get() };
        if place.is_some() {
            self.forget_file();
        }
        *place = Some(file);
    }

    /// Gives back the file, and what was prepared for it. Any context.
    #[inline(always)]
    pub(crate) fn forget_file(&mut self) {
        // The wait queues are the file's.
        self.slot().entries.forget();
        self.transfer_mut().forget();
        // SAFETY: As in `private`.
        unsafe { *self.slot().file.get() = None };
    }

    /// Says that the request is on a list; the caller puts it there, and holds the lock of the
    /// lists. Any context.
    ///
    /// Refused if it was cancelled.
    pub(crate) fn queue(self) -> Result<(), Self> {
        match self.slot().step(Step::Queue) {
            Some(_) => {
                core::mem::forget(self);
                Ok(())
            }
            None => Err(self),
        }
    }

    /// Begins a run. Any context.
    pub(crate) fn run(self) -> Run<C> {
        // From Prep and Done this is allowed always, see the invariants.
        self.slot().step_alone(Step::Issue);
        // INVARIANT: The step began the run.
        Run(ManuallyDrop::new(self).0)
    }
}

impl<C: Client> Run<C> {
    accessors!();

    /// Gives up the slot to whoever the next step makes its owner.
    pub(super) fn into_slot(self) -> NonNull<Slot<C>> {
        ManuallyDrop::new(self).0
    }

    /// Ends the run. Any context.
    pub(crate) fn finish(self) -> Owned<C> {
        let slot = self.into_slot();
        // SAFETY: By the invariants of `Run`, which was just given up.
        unsafe {
            slot.as_ref().step(Step::Finish);
            // INVARIANT: From Running this is allowed always.
            Owned::from_slot(slot)
        }
    }

    /// Whether its event was delivered already.
    pub(crate) fn is_ended(&self) -> bool {
        self.slot().word().is_ended()
    }

    /// Whether somebody wanted to cancel it during the run.
    pub(crate) fn is_cancelled(&self) -> bool {
        self.slot().word().is_cancelled()
    }

    /// Leaves the request to the wait entries that are queued. Any context.
    pub(crate) fn arm(self) -> Armed<C> {
        self.leave_to_entries(Step::Arm)
    }

    pub(super) fn leave_to_entries(self, step: Step) -> Armed<C> {
        let slot = self.into_slot();
        // SAFETY: By the invariants of `Run`. The step is the last access if it leaves it.
        match unsafe { slot.as_ref() }.step(step) {
            Some(Then::Nothing) => Armed::Left,
            // INVARIANT: It is still the run's.
            Some(Then::Cancelled) => Armed::Cancelled(Run(slot)),
            _ => Armed::Again(Run(slot)),
        }
    }

    /// # Safety
    ///
    /// The run has the request, and no driver has it any more.
    pub(super) unsafe fn from_slot(slot: NonNull<Slot<C>>) -> Self {
        // INVARIANT: By the requirement.
        Run(slot)
    }
}

impl<C: Client> Drop for Run<C> {
    /// Nobody forgets a run; if somebody does, there is an event all the same.
    fn drop(&mut self) {
        kernel::warn_on!(true);
        // SAFETY: By the invariants, and `self` is not used any more.
        let request = unsafe {
            self.0.as_ref().step(Step::Finish);
            Owned::from_slot(self.0)
        };
        C::complete(request, EIO.to_errno() as isize);
    }
}

impl<C: Client> Drop for Owned<C> {
    /// As [`Owned::go_home`].
    fn drop(&mut self) {
        self.bring_home();
    }
}

impl<C: Client> Owned<C> {
    /// Brings the request home: it is its pool's. Any context.
    #[inline(always)]
    pub(crate) fn go_home(self) {
        // The same as to drop it, but here.
        ManuallyDrop::new(self).bring_home();
    }

    /// As if it were brought home and taken again: it is another request, of another generation.
    #[inline(always)]
    pub(crate) fn renew(mut self) -> Self {
        if self.file().is_some() {
            self.forget_file();
        }
        self.slot().renew();
        self
    }

    /// The last access.
    #[inline(always)]
    fn bring_home(&mut self) {
        if self.file().is_some() {
            self.forget_file();
        }
        let slot = self.slot();
        slot.step_alone(Step::Free);
        let pool = self.client().pool();
        // SAFETY: As in `Slot::word`.
        let mut head = unsafe { pool.returned.as_ptr().read_volatile() };
        loop {
            slot.next.set(head);
            // After this the request may be taken, or pool and client may be gone.
            match pool.returned.cmpxchg(head, slot.index, Full) {
                Ok(_) => return,
                Err(now) => head = now,
            }
        }
    }
}

/// That a wait entry of a request was woken.
///
/// # Invariants
///
/// The request is valid until [`Self::make`], or, if it is the entry of a file's wait queue, for
/// as long as the lock of that queue is held; and the entry of a page is off its queue.
pub(crate) struct Kick<'a, C: Client> {
    slot: &'a Slot<C>,
    /// That of the wait queue, if it is a file's.
    file: Option<&'a File>,
}

impl<'a, C: Client> Kick<'a, C> {
    /// # Safety
    ///
    /// As the invariants say.
    pub(super) unsafe fn new(slot: &'a Slot<C>) -> Self {
        // INVARIANT: By the requirement.
        Kick { slot, file: None }
    }

    /// # Safety
    ///
    /// The entry is on the wait queue of the request's file, whose lock is held for `'a`.
    pub(super) unsafe fn of_file(slot: &'a Slot<C>) -> Self {
        // SAFETY: Whoever lets go of the file takes the entry off first, and waits for the lock.
        let file = unsafe { (*slot.file.get()).as_deref() };
        // INVARIANT: By the requirement.
        Kick { slot, file }
    }

    /// Whether who made it is about to sleep, as far as can be seen: it has filled a pipe.
    pub(crate) fn is_by_sleeper(&self) -> bool {
        self.file.is_some_and(fs::is_pipe_full)
    }

    /// The object that the request belongs to.
    pub(crate) fn client(&self) -> &'a C {
        // SAFETY: The request is out, see the invariants. Who holds up the request from being run
        // or freed does so for the client as well.
        unsafe { self.slot.client.as_ref() }
    }

    /// The request's number in its pool.
    pub(crate) fn index(&self) -> u32 {
        self.slot.index
    }

    /// What everybody may see.
    pub(crate) fn shared(&self) -> &'a C::Shared {
        &self.slot.shared
    }

    /// A reference to it.
    pub(crate) fn client_arc(&self) -> Arc<C> {
        // SAFETY: As above.
        unsafe { self.slot.client_arc() }
    }

    /// Whether a kick would change anything.
    pub(crate) fn is_due(&self) -> bool {
        matches!(
            self.slot.word().phase(),
            Phase::Armed | Phase::PageArmed | Phase::Running
        )
    }

    /// Makes the kick; the caller holds the lock of the lists, without which nobody runs it.
    ///
    /// If it says yes, the request must be put on a list.
    pub(crate) fn make(&self) -> bool {
        self.slot.step(Step::Kick) == Some(Then::Queue)
    }
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
        unsafe { fs::end_write(slot) };
        slot.result.set(result as usize);
    }
    // SAFETY: As above; the step is the last access unless it makes the request ours.
    match unsafe { slot.as_ref() }.step(Step::Complete) {
        Some(Then::Own) => {
            // SAFETY: The step just said so.
            C::complete(unsafe { Owned::from_slot(slot) }, result);
        }
        Some(_) => {}
        // A driver that completes twice, or what it did not take. The event is there already.
        None => {
            kernel::warn_on!(true);
        }
    }
}
