// SPDX-License-Identifier: GPL-2.0

//! Who has a request: its owner, or its run.

use super::{
    Client,
    Slot, //
};
use crate::{
    pure::state::{
        Step,
        Then, //
    },
    sys::fs::{
        self,
        Transfer, //
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

/// A request that has one owner, this one.
///
/// # Invariants
///
/// `slot` is out of its pool, its word's phase is Prep or Done, and there is no other `Owned` or
/// `Run` of it; so its client is alive and its memory valid.
pub(crate) struct Owned<C: Client>(pub(super) NonNull<Slot<C>>, pub(super) PhantomData<C>);

// SAFETY: What it owns is in the slot, which is `Send`: nothing there is bound to a task. Whoever
// has it may drop it in any context.
unsafe impl<C: Client> Send for Owned<C> {}

/// A request inside a run, this one.
///
/// # Invariants
///
/// `slot` is out of its pool, its word's phase is Running, and there is no `Owned` and no other
/// `Run` of it; so its client is alive and its memory valid. No driver has it.
#[must_use = "a run must be ended"]
pub(crate) struct Run<C: Client>(pub(super) NonNull<Slot<C>>);

// SAFETY: What it owns is in the slot, which is `Send`: a run may be ended by another task than
// began it.
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
            // SAFETY: By the invariants it is valid while this is there. The reference is shared,
            // and `Slot` is `Sync`: others may look at its atomics.
            unsafe { self.0.as_ref() }
        }

        /// What everybody may see.
        pub(crate) fn shared(&self) -> &C::Shared {
            &self.slot().shared
        }

        /// What the owner keeps.
        pub(crate) fn private(&mut self) -> &mut C::Private {
            // SAFETY: By the invariants nobody else has access to that cell, and `self` is borrowed
            // mutably for as long as the reference lives.
            unsafe { &mut *self.slot().private.get() }
        }

        /// The request's number in its pool.
        pub(crate) fn index(&self) -> u32 {
            self.slot().index
        }

        /// The file that the request is for.
        pub(crate) fn file(&self) -> Option<&File> {
            // SAFETY: By the invariants only the owner writes it, with `self` borrowed mutably. A
            // wake function that looks at it as well only reads.
            unsafe { (*self.slot().file.get()).as_deref() }
        }

        /// What was prepared, and how much of it is done.
        pub(crate) fn transfer(&self) -> &Transfer {
            // SAFETY: By the invariants only the owner writes it, with `self` borrowed mutably:
            // what the iterator refers to there is only read by a file.
            unsafe { &*self.slot().transfer.get() }
        }

        /// Notes that `n` bytes more were moved.
        pub(crate) fn advance(&mut self, n: usize) {
            self.transfer_mut().advance(n);
        }

        /// As [`Self::transfer`], to be changed in its place: its iterator refers to it.
        pub(super) fn transfer_mut(&mut self) -> &mut Transfer {
            // SAFETY: By the invariants nobody else has access to that cell, `self` is borrowed
            // mutably, and no driver has the iterator, which refers to it. It can't be moved out:
            // only functions of rust/ have the reference, which leave it in its place.
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
        // SAFETY: By the invariants the request is out as long as `self` is borrowed, and so the
        // pool has its reference to the client, which nobody borrows mutably.
        unsafe { self.slot().client.as_ref() }
    }

    /// A reference to the object that the request belongs to.
    pub(crate) fn client_arc(&self) -> Arc<C> {
        // SAFETY: By the invariants the request is out, and stays so while `self` is borrowed.
        unsafe { self.slot().client_arc() }
    }

    /// How often the request was used, see [`generation`](crate::pure::state::Word::generation).
    pub(crate) fn generation(&self) -> u32 {
        self.slot().word().generation()
    }

    /// Whether its event was delivered already.
    pub(crate) fn is_ended(&self) -> bool {
        self.slot().word().is_ended()
    }

    /// Says which file the request is for, which has none.
    #[inline(always)]
    pub(crate) fn set_file(&mut self, file: ARef<File>) {
        if self.file().is_some() {
            self.forget_file();
        }
        // SAFETY: By the invariants only this owner has access, with `self` borrowed mutably, and
        // no other reference to it is there. One that was kept is given back by whoever submits.
        unsafe { *self.slot().file.get() = Some(file) };
    }

    /// Gives back the file, and what was prepared for it; but the file stays if somebody of the
    /// process has to release it, see [`fs::put`]. Any context.
    #[inline(always)]
    pub(crate) fn forget_file(&mut self) {
        // The wait queues are the file's.
        self.slot().entries.forget();
        self.transfer_mut().forget();
        if let Some(file) = self.take_file() {
            let (mm, task) = self.client().process();
            if let Some(file) = fs::put(file, mm, task) {
                // SAFETY: By the invariants nobody else has access, `self` is borrowed mutably, and
                // the place is empty: nothing is dropped here. Any context.
                unsafe { *self.slot().file.get() = Some(file) };
            }
        }
    }

    /// Takes out the file. Any context.
    #[inline(always)]
    pub(super) fn take_file(&mut self) -> Option<ARef<File>> {
        // SAFETY: By the invariants nobody else writes it, and `self` is borrowed mutably. No entry
        // is queued, so no wake function reads it: `forget_file` took them off, or nobody armed it.
        unsafe { (*self.slot().file.get()).take() }
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

    /// A pipe or socket that nobody reads is an error from here on, and no signal.
    pub(crate) fn raise_no_signal(&mut self) {
        self.transfer_mut().raise_no_signal();
    }

    /// Gives up the slot to whoever the next step makes its owner.
    pub(super) fn into_slot(self) -> NonNull<Slot<C>> {
        ManuallyDrop::new(self).0
    }

    /// Ends the run. Any context.
    pub(crate) fn finish(self) -> Owned<C> {
        let slot = self.into_slot();
        // SAFETY: By the invariants of `Run`, which was just given up, the slot is valid and
        // Running, and no driver has it. So the step is allowed, and makes it ours: nobody else
        // takes one from there that owns. Atomics alone: any context.
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
        // SAFETY: By the invariants of `Run`, which was just given up, the slot is valid until the
        // step, which is the last access if it leaves the request to somebody. Any context.
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
        // SAFETY: By the invariants the slot is valid and Running, and no driver has it, so that
        // the step is allowed and makes it ours; `self` is not used any more. Any context.
        let request = unsafe {
            self.0.as_ref().step(Step::Finish);
            Owned::from_slot(self.0)
        };
        C::complete(request, EIO.to_errno() as isize);
    }
}

impl<C: Client> Drop for Owned<C> {
    /// As [`Owned::free`].
    fn drop(&mut self) {
        self.give_back();
    }
}

impl<C: Client> Owned<C> {
    /// Frees the request: it is its pool's. Any context.
    #[inline(always)]
    pub(crate) fn free(self) {
        // The same as to drop it, but here.
        ManuallyDrop::new(self).give_back();
    }

    /// As if it were freed and taken again: it is another request, of another generation.
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
    fn give_back(&mut self) {
        if self.file().is_some() {
            self.forget_file();
            if self.file().is_some() {
                return self.give_back_with_file();
            }
        }
        self.give_to_pool();
    }

    /// As [`Self::give_back`], with a file that stays: whoever is told of it finds it.
    #[cold]
    fn give_back_with_file(&mut self) {
        let client = self.slot().client;
        // SAFETY: By the invariants the request is out until the pool has got it back, below. The
        // pool is held from before that to after the last use of it, and of the client, to which it
        // has a reference that `Arc::into_raw` gave. All of it is for any context, and so is this.
        unsafe {
            let pool = self.slot().pool();
            pool.as_ref().hold();
            self.give_to_pool();
            C::has_kept_file(ArcBorrow::from_raw(client.as_ptr()));
            pool.as_ref().release();
        }
    }

    /// The last access.
    #[inline(always)]
    fn give_to_pool(&mut self) {
        let slot = self.slot();
        slot.step_alone(Step::Free);
        // SAFETY: By the invariants the request is out until the pool has got it back, below.
        let pool = unsafe { slot.pool().as_ref() };
        // SAFETY: The word is valid and aligned, as `pool` is borrowed. This is READ_ONCE(), as in
        // `Slot::word`; the `cmpxchg` below checks it.
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
