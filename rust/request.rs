// SPDX-License-Identifier: GPL-2.0

//! Requests: their memory, and who owns each of them.
//!
//! A [`Pool`] belongs to one object, its [`Client`]. It holds requests in chunks, which it
//! allocates on first need and keeps until the pool is dropped, so no request needs an allocation
//! of its own.
//!
//! A request that is out of the pool has an owner ([`Owned`]), or is in a run ([`Run`]), or
//! neither: then it is on a list, armed, or in flight. The state word decides which, see
//! `crate::pure::state`. An [`Owned`] is created only from a step that returned [`Then::Own`], and
//! a [`Run`] only from the step that begins a run.
//!
//! The client outlives every request that is out: the pool holds a reference to it from the first
//! chunk on, until [`Pool::close`] has got every request back.
//!
//! C header: [`include/linux/fs.h`](srctree/include/linux/fs.h) (`struct kiocb`)

mod call;
mod kick;
mod owner;
mod page;
mod poll;
mod pool;
mod prepare;

use super::{
    bindings,
    fs::Transfer,
    poll::Entries,
    util::once::Once, //
};
use crate::{
    pure::state::{
        Step,
        Then,
        Word, //
    },
    window, //
};
pub(crate) use call::Tried;
use core::{
    cell::UnsafeCell,
    ptr::NonNull, //
};
use kernel::{
    fs::File,
    mm::Mm,
    sync::{
        aref::ARef,
        atomic::{
            ordering::{
                Acquire,
                Full,
                Release, //
            },
            Atomic, //
        },
        Arc,
        ArcBorrow, //
    },
    task::Task,
    types::Opaque, //
};
pub(crate) use kick::{
    Fired,
    Kick, //
};
pub(crate) use owner::{
    Armed,
    Owned,
    Run, //
};
pub(crate) use page::PageRun;
pub(crate) use poll::Polled;
pub(crate) use pool::{
    Cancel,
    FreeList,
    Pool, //
};
pub(crate) use prepare::{
    Buffers,
    Position, //
};

/// End of a list of requests.
const NONE: u32 = u32::MAX;

/// The object that owns a pool and its requests.
pub(crate) trait Client: Send + Sync + Sized + 'static {
    /// Client data of a request that anybody may access.
    type Shared: Default + Send + Sync;
    /// Client data of a request that only its owner may access.
    type Private: Default + Send;

    /// Offset of the pool in the client: `offset_of!()` of a field that is a [`Pool`].
    const POOL_OFFSET: usize;

    /// The address space that the requests belong to, and a task of its process.
    fn process(&self) -> (&Mm, &Task);

    /// A request was freed together with its file, which a task of the process has to release. Any
    /// context.
    fn has_kept_file(client: ArcBorrow<'_, Self>);

    /// A driver completed a request with `result`. Any context.
    fn complete(request: Owned<Self>, result: isize);

    /// A wait entry of a request was woken. Any context, under the lock of a wait queue: the
    /// implementation must not wake anybody who might take that lock.
    ///
    /// The implementation puts the request on a list if [`Kick::make`] returns true.
    fn kick(kick: Kick<'_, Self>);
}

/// A request in memory.
///
/// `word` decides who may access which field:
///
/// - `kiocb`, `iter`, `transfer`, `file`, `private` and `entries` belong to the [`Owned`] or the
///   [`Run`];
/// - but `kiocb` and `iter` belong to the file's code during the issue call, and to the driver from
///   there on;
/// - queued wait entries belong to the lock of their queue;
/// - `next` belongs to the list of free requests.
struct Slot<C: Client> {
    kiocb: Opaque<bindings::kiocb>,
    iter: Opaque<bindings::iov_iter>,
    transfer: UnsafeCell<Transfer>,
    file: UnsafeCell<Option<ARef<File>>>,
    private: UnsafeCell<C::Private>,
    entries: Entries,
    /// Whether the request, a write, holds the file system's freeze protection.
    protected: Atomic<bool>,
    word: Atomic<u32>,
    /// The result that the driver passed to `ki_complete`.
    result: Once<usize>,
    next: Once<u32>,
    index: u32,
    client: NonNull<C>,
    shared: C::Shared,
}

// SAFETY: No field is bound to a task: `client` is `Send` and `Sync`, as are `file` and `shared`;
// `private` and the registered buffer of a transfer are `Send`; kiocb, iterator and entries are
// plain memory.
unsafe impl<C: Client> Send for Slot<C> {}
// SAFETY: Through a shared reference anybody may use `word` and the other atomics, `index`, and
// `shared`, which is `Sync`. Only the owner of the request uses what is in cells, see `Slot`.
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

    #[inline(always)]
    fn try_step(word: Word, step: Step) -> Option<(Word, Then)> {
        let result = word.step(step);
        window::note(word, step, result.is_some());
        result
    }

    /// Makes `step` if it is allowed.
    #[inline(always)]
    fn step(&self, step: Step) -> Option<Then> {
        let mut old = self.word().0;
        loop {
            let (new, then) = Self::try_step(Word(old), step)?;
            match self.word.cmpxchg(old, new.0, Full) {
                Ok(_) => return Some(then),
                Err(now) => old = now,
            }
        }
    }

    /// Makes `step` from a phase in which only the caller may change the word: Free, Prep or Done.
    #[inline(always)]
    fn step_alone(&self, step: Step) -> Option<Then> {
        let (new, then) = Self::try_step(self.word(), step)?;
        // Release: a task that sees the request running may read everything written before.
        self.word.store(new.0, Release);
        Some(then)
    }

    /// Frees the request and takes it again, in the way of [`Self::step_alone`].
    #[inline(always)]
    fn renew(&self) {
        let next = Self::try_step(self.word(), Step::Free);
        if let Some((next, _)) = next.and_then(|(free, _)| Self::try_step(free, Step::Take)) {
            self.word.store(next.0, Release);
        }
    }

    /// Makes `step` if it is allowed and `may` returns true for the word that it starts from.
    #[inline(always)]
    fn step_if(&self, step: Step, may: impl Fn(Word) -> bool) -> Option<Then> {
        loop {
            // What `may` reads besides the word must be at least as new as the word. A failed
            // `cmpxchg` orders nothing, so each iteration loads with Acquire.
            let old = self.word_acquired();
            if !may(old) {
                return None;
            }
            let (new, then) = Self::try_step(old, step)?;
            if self.word.cmpxchg(old.0, new.0, Full).is_ok() {
                return Some(then);
            }
        }
    }

    /// The word, without ordering.
    #[inline(always)]
    fn word(&self) -> Word {
        // SAFETY: The word is valid and aligned, as `self` is borrowed. This is READ_ONCE(), like
        // `Atomic::load` with `Relaxed`, but without the call. Any context.
        Word(unsafe { self.word.as_ptr().read_volatile() })
    }

    /// The word. What is read afterwards is at least as new as the word.
    #[inline(always)]
    fn word_acquired(&self) -> Word {
        Word(self.word.load(Acquire))
    }

    /// A new reference to the client.
    ///
    /// # Safety
    ///
    /// The request is out, and stays out during the call.
    unsafe fn client_arc(&self) -> Arc<C> {
        // SAFETY: `client` comes from `Arc::into_raw`. By this function's requirements the request
        // is out, and while it is, the pool holds a reference of its own, so the count is not 0
        // when the new reference is taken. Any context.
        unsafe { ArcBorrow::from_raw(self.client.as_ptr()) }.into()
    }

    /// The pool of this slot. It lies in the client and does not move, see `Pool::grow`, so the
    /// pointer is valid as long as the client is.
    fn pool(&self) -> NonNull<Pool<C>> {
        // SAFETY: By `Pool::grow` `client` points to a client that contains the pool of this slot.
        // The slot exists, so that client exists too, and the offset stays inside it.
        unsafe { self.client.byte_add(C::POOL_OFFSET) }.cast()
    }

    /// Whether the driver called `ki_complete` during the issue call.
    fn peer_done(&self) -> bool {
        self.word().peer_done()
    }

    /// The result that the driver passed to `ki_complete`. The step that reported the completion
    /// orders it.
    fn result(&self) -> isize {
        self.result.get() as isize
    }
}
