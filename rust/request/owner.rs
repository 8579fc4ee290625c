// SPDX-License-Identifier: GPL-2.0

//! The owner of a request, and its run.

use super::{
    Client,
    Slot, //
};
use crate::{
    pure::state::{
        Step,
        Then, //
    },
    sys::{
        bug::warn_on,
        fs::{
            self,
            Transfer, //
        }, //
    }, //
};
use core::{
    marker::PhantomData,
    mem::ManuallyDrop,
    ptr::NonNull, //
};
use kernel::{
    fs::File,
    prelude::*,
    sync::{
        aref::ARef,
        atomic::ordering::Full,
        Arc,
        ArcBorrow, //
    }, //
};

/// A request that has exactly one owner, the holder of this.
///
/// # Invariants
///
/// The slot is out of its pool, its word's phase is Prep or Done, and there is no other `Owned` or
/// `Run` of it. So its client is alive and its memory is valid.
pub(crate) struct Owned<C: Client>(pub(super) NonNull<Slot<C>>, pub(super) PhantomData<C>);

// SAFETY: All that it owns is in the slot, which is `Send`: nothing there is bound to a task. It
// may be dropped in any context.
unsafe impl<C: Client> Send for Owned<C> {}

/// A request in a run, which the holder of this makes.
///
/// # Invariants
///
/// The slot is out of its pool, its word's phase is Running, and there is no `Owned` and no other
/// `Run` of it. So its client is alive and its memory is valid. No driver has the request.
#[must_use = "a run must be ended"]
pub(crate) struct Run<C: Client>(pub(super) NonNull<Slot<C>>);

// SAFETY: All that it owns is in the slot, which is `Send`: another task than the one that began a
// run may end it.
unsafe impl<C: Client> Send for Run<C> {}

/// The outcome of leaving a request to its wait entries.
pub(crate) enum Armed<C: Client> {
    /// The request is armed, and may already belong to somebody else.
    Left,
    /// The request was kicked meanwhile: the run goes on.
    Again(Run<C>),
    /// The request was cancelled meanwhile.
    Cancelled(Run<C>),
}

macro_rules! accessors {
    () => {
        pub(super) fn slot(&self) -> &Slot<C> {
            // SAFETY: By the invariants the slot is valid while `self` exists. The reference is
            // shared, and `Slot` is `Sync`: others may access its atomics.
            unsafe { self.0.as_ref() }
        }

        /// The data of the request that anybody may access.
        pub(crate) fn shared(&self) -> &C::Shared {
            &self.slot().shared
        }

        /// The data of the request that only its owner accesses.
        pub(crate) fn private(&mut self) -> &mut C::Private {
            // SAFETY: By the invariants nobody else accesses that cell, and `self` is borrowed
            // mutably for as long as the reference lives.
            unsafe { &mut *self.slot().private.get() }
        }

        /// The index of the request in its pool.
        pub(crate) fn index(&self) -> u32 {
            self.slot().index
        }

        /// The file that the request is for.
        pub(crate) fn file(&self) -> Option<&File> {
            // SAFETY: By the invariants only the owner writes the cell, with `self` borrowed
            // mutably. A wake function that accesses it too only reads.
            unsafe { (*self.slot().file.get()).as_deref() }
        }

        /// The prepared transfer, and how much of it is done.
        pub(crate) fn transfer(&self) -> &Transfer {
            // SAFETY: By the invariants only the owner writes the cell, with `self` borrowed
            // mutably. The iterator refers to data in it, which a file only reads.
            unsafe { &*self.slot().transfer.get() }
        }

        /// Adds `n` to the number of bytes moved.
        pub(crate) fn advance(&mut self, n: usize) {
            self.transfer_mut().advance(n);
        }

        /// Like [`Self::transfer`], but mutable. It must stay in place, as the iterator refers to
        /// it.
        pub(super) fn transfer_mut(&mut self) -> &mut Transfer {
            // SAFETY: By the invariants nobody else accesses that cell, `self` is borrowed mutably,
            // and no driver has the iterator, which refers to the transfer. Nobody moves the
            // transfer out: only functions of rust/ get the reference, and they leave the transfer
            // in place.
            unsafe { &mut *self.slot().transfer.get() }
        }
    };
}

impl<C: Client> Owned<C> {
    accessors!();

    /// # Safety
    ///
    /// A step on this slot just returned [`Then::Own`], and nobody has made an `Owned` of that step
    /// yet.
    pub(super) unsafe fn from_slot(slot: NonNull<Slot<C>>) -> Self {
        // INVARIANT: By this function's requirements.
        Owned(slot, PhantomData)
    }

    /// The object that the request belongs to.
    pub(crate) fn client(&self) -> &C {
        // SAFETY: By the invariants the request is out while `self` is borrowed, so the pool holds
        // its reference to the client. Nobody borrows the client mutably.
        unsafe { self.slot().client.as_ref() }
    }

    /// A reference to the object that the request belongs to.
    pub(crate) fn client_arc(&self) -> Arc<C> {
        // SAFETY: By the invariants the request is out, and stays so while `self` is borrowed.
        unsafe { self.slot().client_arc() }
    }

    /// How often the request was taken, see [`generation`](crate::pure::state::Word::generation).
    pub(crate) fn generation(&self) -> u32 {
        self.slot().word().generation()
    }

    /// Whether the event of the request was already delivered.
    pub(crate) fn is_ended(&self) -> bool {
        self.slot().word().is_ended()
    }

    /// Sets the file of the request, which has none yet.
    #[inline(always)]
    pub(crate) fn set_file(&mut self, file: ARef<File>) {
        if self.file().is_some() {
            self.forget_file();
        }
        // SAFETY: By the invariants only this owner has access, with `self` borrowed mutably, and
        // no other reference to the cell exists. If the request has kept a file, the assignment
        // gives it back, in the submitter.
        unsafe { *self.slot().file.get() = Some(file) };
    }

    /// Gives back the file and what was prepared for it. The request keeps the file if a task of
    /// the process has to release it, see [`fs::put`]. Any context.
    #[inline(always)]
    pub(crate) fn forget_file(&mut self) {
        // The wait queues belong to the file.
        self.slot().entries.forget();
        self.transfer_mut().forget();
        if let Some(file) = self.take_file() {
            let (mm, task) = self.client().process();
            if let Some(file) = fs::put(file, mm, task) {
                // SAFETY: By the invariants nobody else has access, and `self` is borrowed mutably.
                // The cell is empty, so nothing is dropped here. Any context.
                unsafe { *self.slot().file.get() = Some(file) };
            }
        }
    }

    /// Takes the file out of the request. Any context.
    #[inline(always)]
    pub(super) fn take_file(&mut self) -> Option<ARef<File>> {
        // SAFETY: By the invariants nobody else writes the cell, and `self` is borrowed mutably. No
        // entry is queued, so no wake function reads it: `forget_file` took the entries off, or the
        // request was never armed.
        unsafe { (*self.slot().file.get()).take() }
    }

    /// Marks the request as queued. The caller puts it on a list, and holds the lock of the lists.
    /// Any context.
    ///
    /// Fails if the request was cancelled.
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
        // The invariants say Prep or Done, from which this step is always allowed.
        self.slot().step_alone(Step::Issue);
        // INVARIANT: The step began the run.
        Run(ManuallyDrop::new(self).0)
    }
}

impl<C: Client> Run<C> {
    accessors!();

    /// From now on, writing to a pipe or socket without a reader is an error without SIGPIPE.
    pub(crate) fn raise_no_signal(&mut self) {
        self.transfer_mut().raise_no_signal();
    }

    /// Gives up the slot, without a step: the caller's next step decides who owns it.
    pub(super) fn into_slot(self) -> NonNull<Slot<C>> {
        ManuallyDrop::new(self).0
    }

    /// Ends the run. Any context.
    pub(crate) fn finish(self) -> Owned<C> {
        let slot = self.into_slot();
        // SAFETY: By the invariants of `Run`, which was just given up, the slot is valid, its phase
        // is Running, and no driver has the request. So the step is allowed and makes the request
        // ours: nobody else can make an owning step from Running. Atomics only: any context.
        unsafe {
            slot.as_ref().step(Step::Finish);
            // INVARIANT: From Running this step is always allowed.
            Owned::from_slot(slot)
        }
    }

    /// Whether the event of the request was already delivered.
    pub(crate) fn is_ended(&self) -> bool {
        self.slot().word().is_ended()
    }

    /// Whether somebody tried to cancel the request during the run.
    pub(crate) fn is_cancelled(&self) -> bool {
        self.slot().word().is_cancelled()
    }

    /// Leaves the request to its queued wait entries. Any context.
    pub(crate) fn arm(self) -> Armed<C> {
        self.leave_to_entries(Step::Arm)
    }

    pub(super) fn leave_to_entries(self, step: Step) -> Armed<C> {
        let slot = self.into_slot();
        // SAFETY: By the invariants of `Run`, which was just given up, the slot is valid until the
        // step. The step is the last access if it gives the request away. Any context.
        match unsafe { slot.as_ref() }.step(step) {
            Some(Then::Nothing) => Armed::Left,
            // INVARIANT: The run still has the request.
            Some(Then::Cancelled) => Armed::Cancelled(Run(slot)),
            _ => Armed::Again(Run(slot)),
        }
    }

    /// # Safety
    ///
    /// The run has the request, and no driver has it any more.
    pub(super) unsafe fn from_slot(slot: NonNull<Slot<C>>) -> Self {
        // INVARIANT: By this function's requirements.
        Run(slot)
    }
}

impl<C: Client> Drop for Run<C> {
    /// Every run should be ended explicitly. If one is dropped, its event is delivered all the
    /// same.
    fn drop(&mut self) {
        warn_on(true);
        // SAFETY: By the invariants the slot is valid, its phase is Running, and no driver has the
        // request. So the step is allowed and makes the request ours. `self` is not used
        // afterwards. Any context.
        let request = unsafe {
            self.0.as_ref().step(Step::Finish);
            Owned::from_slot(self.0)
        };
        C::complete(request, EIO.to_errno() as isize);
    }
}

impl<C: Client> Drop for Owned<C> {
    /// Same as [`Owned::free`].
    fn drop(&mut self) {
        self.give_back();
    }
}

impl<C: Client> Owned<C> {
    /// Frees the request, that is, returns it to its pool. Any context.
    #[inline(always)]
    pub(crate) fn free(self) {
        // Same as a drop, but inlined.
        ManuallyDrop::new(self).give_back();
    }

    /// Frees the request and takes it again: this makes another request, of another generation.
    #[inline(always)]
    pub(crate) fn renew(mut self) -> Self {
        if self.file().is_some() {
            self.forget_file();
        }
        self.slot().renew();
        self
    }

    /// Returns the request to its pool. This is the last access.
    #[inline(always)]
    fn give_back(&mut self) {
        if self.file().is_some() {
            self.forget_file();
            if self.file().is_some() {
                return self.give_back_with_file();
            }
        }
        self.give_to_pool();
    }

    /// Like [`Self::give_back`], but the request keeps its file. The client is notified afterwards,
    /// so it finds the file.
    #[cold]
    fn give_back_with_file(&mut self) {
        let client = self.slot().client;
        // SAFETY: By the invariants the request is out until `give_to_pool` below. The pool is held
        // from before that until after the last use of the pool and of the client. The pool has a
        // reference to the client, which comes from `Arc::into_raw`. All of this, including this
        // function, is for any context.
        unsafe {
            let pool = self.slot().pool();
            pool.as_ref().hold();
            self.give_to_pool();
            C::has_kept_file(ArcBorrow::from_raw(client.as_ptr()));
            pool.as_ref().release();
        }
    }

    /// Puts the request on the pool's list of returned requests. This is the last access.
    #[inline(always)]
    fn give_to_pool(&mut self) {
        let slot = self.slot();
        slot.step_alone(Step::Free);
        // SAFETY: By the invariants the request is out until the `cmpxchg` below, so the pool is
        // valid.
        let pool = unsafe { slot.pool().as_ref() };
        // SAFETY: The word is valid and aligned, as `pool` is borrowed. This is READ_ONCE(), as in
        // `Slot::word`; the `cmpxchg` below checks the value.
        let mut head = unsafe { pool.returned.as_ptr().read_volatile() };
        loop {
            slot.next.set(head);
            // After this the request may be taken again, or pool and client may be gone.
            match pool.returned.cmpxchg(head, slot.index, Full) {
                Ok(_) => return,
                Err(now) => head = now,
            }
        }
    }
}
