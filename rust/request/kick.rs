// SPDX-License-Identifier: GPL-2.0

//! Who gives a request back: wakers and drivers.

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

/// That a wait entry of a request was woken.
///
/// # Invariants
///
/// Slot and client are valid for `'a`, and the request is out until the kick is made or fired: the
/// entry is on the wait queue of its file, whose lock is held for `'a`, or is that of a page, and
/// off its queue. In the latter case, and from [`Self::fire`] on, the pool is held.
pub(crate) struct Kick<'a, C: Client> {
    slot: &'a Slot<C>,
    /// Whether whoever called has to release the pool.
    held: &'a Cell<bool>,
    /// What the wait queue said, and its file, if it is a file's.
    file: Option<(&'a File, Woken)>,
}

/// What firing came to.
pub(crate) enum Fired<'a, C: Client> {
    /// The request is the waker's, with the events that the queue told, some of which it waits for.
    Own(Owned<C>, Mask),
    /// It is not known what is ready, or not all: it can still be kicked.
    No(Kick<'a, C>),
}

/// Tells the client that the page of a request was unlocked.
///
/// # Safety
///
/// The request is out, Running or PageArmed, and its page entry, which was just taken off its
/// queue, comes back to nobody else. Any context.
pub(super) unsafe fn kick_page<C: Client>(slot: NonNull<Slot<C>>) {
    // SAFETY: By the requirement nobody takes the request from there before it is kicked.
    let pool = unsafe { slot.as_ref() }.pool();
    // SAFETY: The request is out, so its client is there, with the pool in it; and from `hold` on
    // both are, with all slots, until the release, which is the last access.
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

/// Tells the client that an entry of a request was woken, if that would change anything.
///
/// # Safety
///
/// The entry is on the wait queue of the request's file, whose lock is held. Any context.
pub(super) unsafe fn kick_file<C: Client>(slot: NonNull<Slot<C>>, woken: Woken) {
    let held = Cell::new(false);
    // SAFETY: By the requirement the lock is held, and the request out: whoever frees it
    // takes the entry off before, and waits for the lock. Where `fire` takes it off, the pool is
    // held.
    let (pool, kick) = unsafe {
        let slot = slot.as_ref();
        (slot.pool(), Kick::of_file(slot, woken, &held))
    };
    if kick.is_due() {
        C::kick(kick);
    }
    if held.get() {
        // SAFETY: `fire` has held it, so that it is valid until this, the last access.
        unsafe { pool.as_ref().release() };
    }
}

impl<'a, C: Client> Kick<'a, C> {
    /// # Safety
    ///
    /// The entry is on the wait queue of the request's file, whose lock is held for `'a`; and the
    /// pool is released after `'a` if `held` says so.
    unsafe fn of_file(slot: &'a Slot<C>, woken: Woken, held: &'a Cell<bool>) -> Self {
        // SAFETY: The entry is on the file's wait queue, whose lock is held for `'a`: whoever
        // gives back the file takes the entry off first, and waits for the lock. Until then nobody
        // writes there.
        let file = unsafe { (*slot.file.get()).as_deref() };
        let file = file.map(|file| (file, woken));
        // INVARIANT: By the requirement.
        Kick { slot, held, file }
    }

    /// Takes the request from its wait queue, if what that said is all that it waits for.
    pub(crate) fn fire(self) -> Fired<'a, C> {
        let Some((_, woken)) = self.file.filter(|(_, woken)| woken.ready != 0) else {
            return Fired::No(self);
        };
        if !self.is_armed_on_one() {
            return Fired::No(self);
        }
        // SAFETY: The request is out, see the invariants, so its client is there, with the pool in
        // it.
        let pool = unsafe { self.slot.pool().as_ref() };
        pool.hold();
        match self.slot.step(Step::Fire) {
            Some(Then::Own) => {
                // INVARIANT: Who called releases it.
                self.held.set(true);
                // SAFETY: The step just said that the request is ours. This is called by the wake
                // function of the entry, so it is on its queue, whose lock is held, see the
                // invariants; that is all that `take_off` wants, in any context.
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

    /// What the wait queue told, if that is all that the request waits for; else 0.
    pub(crate) fn told(&self) -> Mask {
        match self.file {
            Some((_, woken)) if woken.ready != 0 && self.is_armed_on_one() => woken.told,
            _ => 0,
        }
    }

    /// Whether it waits for this queue alone. While it is still being armed, who does so looks again.
    fn is_armed_on_one(&self) -> bool {
        // The entries are those that it was armed with.
        self.slot.word_acquired().phase() == Phase::Armed && self.slot.entries.is_sole()
    }

    /// Whether who made it is about to sleep, as far as can be seen: it has filled a pipe.
    pub(crate) fn is_by_sleeper(&self) -> bool {
        self.file.is_some_and(|(file, _)| fs::is_pipe_full(file))
    }

    /// The object that the request belongs to.
    pub(crate) fn client(&self) -> &'a C {
        // SAFETY: By the invariants it is valid for `'a`: the request is out and is not freed
        // for as long as the lock of its file's queue is held, or the pool is held.
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
        // SAFETY: By the invariants the request is out, and stays so while `self` is borrowed, as
        // to make or fire the kick takes it.
        unsafe { self.slot.client_arc() }
    }

    /// Whether a kick would change anything.
    pub(crate) fn is_due(&self) -> bool {
        matches!(
            self.slot.word().phase(),
            Phase::Armed | Phase::PageArmed | Phase::Running
        )
    }

    /// Makes the kick, after which the request may be anybody's; the caller holds the lock of the
    /// lists, without which nobody runs it.
    ///
    /// If it says yes, the request must be put on a list.
    pub(crate) fn make(self) -> bool {
        self.slot.step(Step::Kick) == Some(Then::Queue)
    }
}

/// `ki_complete` of all requests.
///
/// # Safety
///
/// `kiocb` is that of a request whose issue call has begun, and the caller is its peer. Any
/// context.
pub(super) unsafe extern "C" fn ki_complete<C: Client>(
    kiocb: *mut bindings::kiocb,
    result: c_long,
) {
    // SAFETY: By the requirement `kiocb` is that of a request, so it lies in the `Opaque` of a
    // slot.
    let slot = unsafe { container_of!(Opaque::cast_from(kiocb).cast_mut(), Slot<C>, kiocb) };
    // SAFETY: It is the address of a slot, which is not NULL.
    let slot = unsafe { NonNull::new_unchecked(slot) };
    {
        // SAFETY: The caller is the request's peer: it is out, so the slot is valid, until the step
        // below.
        let slot = unsafe { slot.as_ref() };
        // SAFETY: The peer, an owner, has the request until the step below, and the request its
        // file, for which `prep_rw` initialised the kiocb. It may be called in any context, as
        // this.
        unsafe { end_write(slot) };
        slot.result.set(result as usize);
    }
    Window::Complete.pass();
    // SAFETY: The peer has the request until the step, so the slot is valid. The step is the last
    // access unless it makes the request ours.
    match unsafe { slot.as_ref() }.step(Step::Complete) {
        Some(Then::Own) => {
            // SAFETY: The step just said that the request is ours: the run has left it, and nobody
            // else made an `Owned` of that step.
            C::complete(unsafe { Owned::from_slot(slot) }, result);
        }
        Some(_) => {}
        // A driver that completes twice, or what it did not take. The event is there already.
        None => {
            kernel::warn_on!(true);
        }
    }
}
