// SPDX-License-Identifier: GPL-2.0

//! Requests: their memory, and who owns one at a time.
//!
//! A [`Pool`] belongs to one object, its [`Client`], and holds requests in chunks that are
//! allocated on first need and kept until the pool goes: there is no allocation for each request.
//! A request that is out of the pool has one owner, an [`Owned`], or runs, which is a [`Run`], or
//! nobody has it: it is on a list, armed, or in flight. The state's word is the authority, see
//! `crate::pure::state`: an [`Owned`] comes into being only from a step that said [`Then::Own`], and a
//! [`Run`] only from the step that begins a run.
//!
//! While a request is out, its client is alive: the pool holds a reference to it from the first
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

/// No request, in a list of requests.
const NONE: u32 = u32::MAX;

/// The object that the requests of a pool belong to.
pub(crate) trait Client: Send + Sync + Sized + 'static {
    /// What the client keeps with a request and everybody may see.
    type Shared: Default + Send + Sync;
    /// What the client keeps with a request for its owner alone.
    type Private: Default + Send;

    /// Where in a client its pool lies: `offset_of!()` of a field that is a [`Pool`].
    const POOL_OFFSET: usize;

    /// The address space that requests are in, and a task of the process.
    fn process(&self) -> (&Mm, &Task);

    /// A request was freed with its file, which somebody of the process has to release. Any
    /// context.
    fn has_kept_file(client: ArcBorrow<'_, Self>);

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
struct Slot<C: Client> {
    kiocb: Opaque<bindings::kiocb>,
    iter: Opaque<bindings::iov_iter>,
    transfer: UnsafeCell<Transfer>,
    file: UnsafeCell<Option<ARef<File>>>,
    private: UnsafeCell<C::Private>,
    entries: Entries,
    /// Whether a write has the file system's freeze protection.
    protected: Atomic<bool>,
    word: Atomic<u32>,
    /// What the driver passed to `ki_complete`.
    result: Once<usize>,
    next: Once<u32>,
    index: u32,
    client: NonNull<C>,
    shared: C::Shared,
}

// SAFETY: It is bound to no task: `client` is `Send` and `Sync`, as are file and `shared`;
// `private` and the registered buffer of a transfer are `Send`; kiocb, iterator and entries are
// plain memory.
unsafe impl<C: Client> Send for Slot<C> {}
// SAFETY: By a shared reference anybody uses `word` and the other atomics, `index`, and `shared`,
// which is `Sync`. What lies in cells is used only by who has the request, see `Slot`.
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

    /// Does `step` if it is allowed.
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

    /// Does `step`, which nobody else can come before: from a phase in which only the caller may
    /// change the word, that is Free, Prep or Done.
    #[inline(always)]
    fn step_alone(&self, step: Step) -> Option<Then> {
        let (new, then) = Self::try_step(self.word(), step)?;
        // Who sees it running may look at what was written before.
        self.word.store(new.0, Release);
        Some(then)
    }

    /// Frees and takes the request, as [`Self::step_alone`].
    #[inline(always)]
    fn renew(&self) {
        let next = Self::try_step(self.word(), Step::Free);
        if let Some((next, _)) = next.and_then(|(free, _)| Self::try_step(free, Step::Take)) {
            self.word.store(next.0, Release);
        }
    }

    /// Does `step` if it is allowed, and `may` says so of the word that it starts from.
    #[inline(always)]
    fn step_if(&self, step: Step, may: impl Fn(Word) -> bool) -> Option<Then> {
        loop {
            // What `may` looks at beside the word is as new as that: also after a `cmpxchg` that has
            // failed, which orders nothing.
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

    /// The word, without order.
    #[inline(always)]
    fn word(&self) -> Word {
        // SAFETY: It is valid and aligned, as `self` is borrowed. This is READ_ONCE(), as
        // `Atomic::load` with `Relaxed` is, but for the call; any context.
        Word(unsafe { self.word.as_ptr().read_volatile() })
    }

    /// The word; what is read after it is as new as that.
    #[inline(always)]
    fn word_acquired(&self) -> Word {
        Word(self.word.load(Acquire))
    }

    /// # Safety
    ///
    /// The request is out, and stays so during the call.
    unsafe fn client_arc(&self) -> Arc<C> {
        // SAFETY: `client` is what `Arc::into_raw` gave, and the pool holds a reference of its own
        // while a request is out, as the requirement says: so the count is not 0 when the new
        // reference is taken. Any context.
        unsafe { ArcBorrow::from_raw(self.client.as_ptr()) }.into()
    }

    /// The pool, which lies in the client, and does not move, see `Pool::grow`: valid as long as
    /// that.
    fn pool(&self) -> NonNull<Pool<C>> {
        // SAFETY: By `Pool::grow` `client` points to a client in which there is a pool, that of
        // this slot: so it is there, as the slot is.
        unsafe { self.client.byte_add(C::POOL_OFFSET) }.cast()
    }

    /// Whether the driver has called `ki_complete` during the issue call.
    fn peer_done(&self) -> bool {
        self.word().peer_done()
    }

    /// What the driver passed to `ki_complete`; the step that said so orders it.
    fn result(&self) -> isize {
        self.result.get() as isize
    }
}
