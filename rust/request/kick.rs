// SPDX-License-Identifier: GPL-2.0

//! Who gives a request back: wakers and drivers.

use super::{
    Client,
    Owned,
    Slot, //
};
use crate::{
    state::{
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
    }, //
};
use core::ptr::NonNull;
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
/// The request is valid until [`Self::make`], or, if it is the entry of a file's wait queue, for
/// as long as the lock of that queue is held; and the entry of a page is off its queue.
pub(crate) struct Kick<'a, C: Client> {
    slot: &'a Slot<C>,
    /// What the wait queue said, and its file, if it is a file's.
    file: Option<(&'a File, Woken)>,
}

/// What firing came to.
pub(crate) enum Fired<'a, C: Client> {
    /// The request is the waker's, with these events.
    Own(Owned<C>, Mask),
    /// It is not known what is ready, or not all: it can still be kicked.
    No(Kick<'a, C>),
}

impl<'a, C: Client> Kick<'a, C> {
    /// # Safety
    ///
    /// As the invariants say.
    pub(in crate::sys) unsafe fn new(slot: &'a Slot<C>) -> Self {
        // INVARIANT: By the requirement.
        Kick { slot, file: None }
    }

    /// # Safety
    ///
    /// The entry is on the wait queue of the request's file, whose lock is held for `'a`.
    pub(in crate::sys) unsafe fn of_file(slot: &'a Slot<C>, woken: Woken) -> Self {
        // SAFETY: The entry is on the file's wait queue, whose lock is held for `'a`: whoever lets
        // go of the file takes the entry off first, and waits for the lock. Until then nobody
        // writes there.
        let file = unsafe { (*slot.file.get()).as_deref() };
        let file = file.map(|file| (file, woken));
        // INVARIANT: By the requirement.
        Kick { slot, file }
    }

    /// Takes the request from its wait queue, if what that said is all that it waits for.
    pub(crate) fn fire(self) -> Fired<'a, C> {
        let Some((_, woken)) = self.file.filter(|(_, woken)| woken.ready != 0) else {
            return Fired::No(self);
        };
        // While it is still being armed, who does so looks again.
        if self.slot.word().phase() != Phase::Armed || !self.slot.entries.is_sole() {
            return Fired::No(self);
        }
        match self.slot.step(Step::Fire) {
            Some(Then::Own) => {
                // SAFETY: The step just said that the request is ours. This is called by the wake
                // function of the entry, so it is on its queue, whose lock is held, see the
                // invariants; that is all that `take_off` wants, in any context.
                let request = unsafe {
                    woken.take_off();
                    Owned::from_slot(NonNull::from(self.slot))
                };
                Fired::Own(request, woken.ready)
            }
            _ => Fired::No(self),
        }
    }

    /// Whether who made it is about to sleep, as far as can be seen: it has filled a pipe.
    pub(crate) fn is_by_sleeper(&self) -> bool {
        self.file.is_some_and(|(file, _)| fs::is_pipe_full(file))
    }

    /// The object that the request belongs to.
    pub(crate) fn client(&self) -> &'a C {
        // SAFETY: By the invariants the request is out, and so its client is there, until the kick
        // is made or fired. From there on who has the reference relies on the lock of the lists,
        // see `make`, or on the request that it got by `fire`.
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
pub(in crate::sys) unsafe extern "C" fn ki_complete<C: Client>(
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
        unsafe { fs::end_write(slot) };
        slot.result.set(result as usize);
    }
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
