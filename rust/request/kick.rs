// SPDX-License-Identifier: GPL-2.0

//! Kicks and completions: how wakers and drivers give a request back.

use super::{
    call::end_write,
    Client,
    Owned,
    Slot, //
};
use crate::{
    pure::state::{
        Phase,
        Step,
        Then, //
    },
    sys::{
        bindings,
        bug::warn_on,
        fs,
        poll::{
            Mask,
            Woken, //
        }, //
    },
    window::Window, //
};
use core::{
    cell::Cell,
    ptr::NonNull, //
};
use kernel::{
    container_of,
    fs::File,
    prelude::*,
    sync::Arc,
    types::Opaque, //
};

/// A wake of a wait entry of a request.
///
/// # Invariants
///
/// - Slot and client are valid for `'a`, and the request is out until the kick is made or fired.
/// - The entry is either on the wait queue of the request's file, whose lock is held for `'a`, or
///   it is a page's entry and off its queue.
/// - For a page's entry, and from [`Self::fire`] on, the pool is held.
pub(crate) struct Kick<'a, C: Client> {
    slot: &'a Slot<C>,
    /// Whether the caller of the client has to release the pool.
    held: &'a Cell<bool>,
    /// The file and what its wait queue reported; `None` for a page's entry.
    file: Option<(&'a File, Woken)>,
}

/// The outcome of [`Kick::fire`].
pub(crate) enum Fired<'a, C: Client> {
    /// The waker owns the request. The mask is what the queue reported; it includes an event that
    /// the request waits for.
    Own(Owned<C>, Mask),
    /// It is unknown, or not fully known, which events are ready. The request can still be kicked.
    No(Kick<'a, C>),
}

/// Tells the client that the page of a request was unlocked.
///
/// # Safety
///
/// The request is out, in phase Running or PageArmed. Its page entry was just taken off its queue,
/// and nobody else gets it. Any context.
pub(super) unsafe fn kick_page<C: Client>(slot: NonNull<Slot<C>>) {
    // SAFETY: By this function's requirements nobody takes the request out of that phase before the
    // kick, so the slot is valid.
    let pool = unsafe { slot.as_ref() }.pool();
    // SAFETY: The request is out, so its client exists, and the pool in it. `hold` keeps both, with
    // all slots, until `release`, which is the last access.
    unsafe {
        pool.as_ref().hold();
        // INVARIANT: The pool is held.
        C::kick(Kick {
            slot: slot.as_ref(),
            held: &Cell::new(true),
            file: None,
        });
        pool.as_ref().release();
    }
}

/// Tells the client that an entry of a request was woken, if a kick would change anything.
///
/// # Safety
///
/// The entry is on the wait queue of the request's file, whose lock is held. Any context.
pub(super) unsafe fn kick_file<C: Client>(slot: NonNull<Slot<C>>, woken: Woken) {
    let held = Cell::new(false);
    // SAFETY: By this function's requirements the lock is held and the request is out: whoever
    // frees the request takes the entry off first, and has to wait for the lock. If `fire` takes
    // the entry off, the pool is held.
    let (pool, kick) = unsafe {
        let slot = slot.as_ref();
        (slot.pool(), Kick::of_file(slot, woken, &held))
    };
    if kick.is_due() {
        C::kick(kick);
    }
    if held.get() {
        // SAFETY: `fire` has held the pool, so it is valid until this call, which is the last
        // access.
        unsafe { pool.as_ref().release() };
    }
}

impl<'a, C: Client> Kick<'a, C> {
    /// Makes the kick of an entry on a wait queue of the request's file.
    ///
    /// # Safety
    ///
    /// The entry is on the wait queue of the request's file, whose lock is held for `'a`. The
    /// caller releases the pool after `'a` if `held` is set.
    unsafe fn of_file(slot: &'a Slot<C>, woken: Woken, held: &'a Cell<bool>) -> Self {
        // SAFETY: The entry is on the file's wait queue, whose lock is held for `'a`. Whoever gives
        // back the file takes the entry off first, and has to wait for the lock. Until then nobody
        // writes the file.
        let file = unsafe { (*slot.file.get()).as_deref() };
        let file = file.map(|file| (file, woken));
        // INVARIANT: By this function's requirements.
        Kick { slot, held, file }
    }

    /// Takes the request off its wait queue and owns it, if this queue is the only one that the
    /// request waits on and reported an event that the request waits for.
    pub(crate) fn fire(self) -> Fired<'a, C> {
        let Some((_, woken)) = self.file.filter(|(_, woken)| woken.ready != 0) else {
            return Fired::No(self);
        };
        if !self.is_armed_on_one() {
            return Fired::No(self);
        }
        // SAFETY: By the invariants the request is out, so its client exists, and the pool in it.
        let pool = unsafe { self.slot.pool().as_ref() };
        pool.hold();
        match self.slot.step(Step::Fire) {
            Some(Then::Own) => {
                // INVARIANT: The caller of the client releases the pool.
                self.held.set(true);
                // SAFETY: The step returned `Own`, so the request is ours. The wake function of the
                // entry calls this, so by the invariants the entry is on its queue, whose lock is
                // held. `take_off` needs no more, in any context.
                let request = unsafe {
                    woken.take_off();
                    Owned::from_slot(NonNull::from(self.slot))
                };
                Fired::Own(request, woken.told)
            }
            _ => {
                pool.release();
                Fired::No(self)
            }
        }
    }

    /// What the wait queue reported, if it is the only one that the request waits on; else 0.
    pub(crate) fn told(&self) -> Mask {
        match self.file {
            Some((_, woken)) if woken.ready != 0 && self.is_armed_on_one() => woken.told,
            _ => 0,
        }
    }

    /// Whether the request is armed, on this queue alone. While it is still being armed, the run
    /// checks for events again.
    fn is_armed_on_one(&self) -> bool {
        // The Acquire orders the entries that the request was armed with.
        self.slot.word_acquired().phase() == Phase::Armed && self.slot.entries.is_sole()
    }

    /// Whether the waker is likely about to sleep: it has filled a pipe.
    pub(crate) fn is_by_sleeper(&self) -> bool {
        self.file.is_some_and(|(file, _)| fs::is_pipe_full(file))
    }

    /// The object that the request belongs to.
    pub(crate) fn client(&self) -> &'a C {
        // SAFETY: By the invariants the client is valid for `'a`: the request is out, and nobody
        // frees it while the lock of its file's queue is held or the pool is held.
        unsafe { self.slot.client.as_ref() }
    }

    /// The index of the request in its pool.
    pub(crate) fn index(&self) -> u32 {
        self.slot.index
    }

    /// The data of the request that anybody may access.
    pub(crate) fn shared(&self) -> &'a C::Shared {
        &self.slot.shared
    }

    /// A reference to the client.
    pub(crate) fn client_arc(&self) -> Arc<C> {
        // SAFETY: By the invariants the request is out. It stays out while `self` is borrowed, as
        // making or firing the kick consumes `self`.
        unsafe { self.slot.client_arc() }
    }

    /// Whether a kick would change anything.
    pub(crate) fn is_due(&self) -> bool {
        matches!(
            self.slot.word().phase(),
            Phase::Armed | Phase::PageArmed | Phase::Running
        )
    }

    /// Makes the kick. The caller holds the lock of the lists, without which nobody runs the
    /// request. Afterwards the request may belong to anybody.
    ///
    /// If this returns true, the caller must put the request on a list.
    pub(crate) fn make(self) -> bool {
        self.slot.step(Step::Kick) == Some(Then::Queue)
    }
}

/// `ki_complete` of all requests.
///
/// # Safety
///
/// `kiocb` belongs to a request whose issue call has begun, and the caller is the request's peer.
/// Any context.
pub(super) unsafe extern "C" fn ki_complete<C: Client>(
    kiocb: *mut bindings::kiocb,
    result: c_long,
) {
    // SAFETY: By this function's requirements `kiocb` belongs to a request, so it lies in the
    // `Opaque` of a slot.
    let slot = unsafe { container_of!(Opaque::cast_from(kiocb).cast_mut(), Slot<C>, kiocb) };
    // SAFETY: The address of a slot is not NULL.
    let slot = unsafe { NonNull::new_unchecked(slot) };
    {
        // SAFETY: The caller is the request's peer, so the request is out and the slot is valid
        // until the step below.
        let slot = unsafe { slot.as_ref() };
        // SAFETY: The peer is an owner of the request until the step below. The request holds its
        // file, for which `prep_rw` initialised the kiocb. `end_write` may be called in any
        // context, like this function.
        unsafe { end_write(slot) };
        slot.result.set(result as usize);
    }
    Window::Complete.pass();
    // SAFETY: The peer has the request until the step, so the slot is valid. The step is the last
    // access unless it makes the request ours.
    match unsafe { slot.as_ref() }.step(Step::Complete) {
        Some(Then::Own) => {
            // SAFETY: The step returned `Own`: the run has left the request, it is ours, and nobody
            // else made an `Owned` of that step.
            C::complete(unsafe { Owned::from_slot(slot) }, result);
        }
        Some(_) => {}
        // A driver completed the request twice, or without having taken it. The event was already
        // delivered.
        None => {
            warn_on(true);
        }
    }
}
