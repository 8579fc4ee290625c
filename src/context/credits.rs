// SPDX-License-Identifier: GPL-2.0

//! The requests of a context, and the credits for their events.

use super::Context;
use crate::sys::{
    request::Owned,
    util::array::Stock, //
};
use kernel::{
    fs::File,
    prelude::*,
    sync::{
        aref::ARef,
        atomic::ordering::{
            Acquire,
            Release, //
        },
        Arc, //
    }, //
};

impl Context {
    /// Takes the freed requests back into the pool and releases with `put` the files that they kept.
    /// Returns whether all requests are back. The context must be dead, so that nobody takes requests.
    /// Process context, may sleep if `put` does.
    pub(crate) fn close_pool(&self, put: fn(ARef<File>)) -> bool {
        // `put` must not run under the lock.
        let Some(mut free) = self.submit.lock().free.take() else {
            return false;
        };
        let closed = self.pool.close(&mut free, put);
        self.submit.lock().free = Some(free);
        closed
    }

    /// Releases the files that freed requests kept. Only for a task of the process.
    pub(crate) fn release_files(&self) {
        if let Some(free) = &mut self.submit.lock().free {
            self.pool.release_files(free);
        }
    }

    /// The number of requests without an event, and of credits that may still become such requests.
    pub(crate) fn outstanding(&self) -> u32 {
        // In this order. Once the context is dead, `published` only grows and `taken` only shrinks,
        // both to the same value. So the difference is not zero too early.
        let published = self.shown_published.load(Acquire);
        self.taken.load(Acquire).wrapping_sub(published)
    }

    /// Takes up to `wanted` credits, and returns their number.
    ///
    /// EAGAIN if there is none because the ring is full. EINVAL if the context is dead. Process
    /// context, may sleep.
    #[inline(always)]
    pub(crate) fn take_credits(&self, wanted: u32) -> Result<u32> {
        let mut submit = self.submit.lock();
        if submit.dead {
            return Err(EINVAL);
        }
        let mut credits = submit.credits.take(wanted);
        if credits < wanted {
            // Read the head first, so that it is not beyond the tail.
            let head = self.head();
            let (slot, published) = self.tail();
            submit
                .credits
                .settle(published, self.shape.unread(head, slot));
            credits += submit.credits.take(wanted - credits);
        }
        self.taken.store(submit.credits.taken(), Release);
        if credits > 0 {
            Ok(credits)
        } else {
            Err(EAGAIN)
        }
    }

    /// Takes a request. The caller holds the credit for its event.
    ///
    /// EINVAL if the context is dead, ENOMEM, EAGAIN. Process context, may sleep.
    pub(crate) fn take(self: &Arc<Self>) -> Result<Owned<Context>> {
        let mut submit = self.submit.lock();
        self.pool.take(self, submit.free.as_mut().ok_or(EINVAL)?)
    }

    /// Takes up to `wanted` requests into `into`, which must be empty, or as many as it holds. As
    /// [`Self::take`].
    pub(crate) fn take_some<const N: usize>(
        self: &Arc<Self>,
        wanted: usize,
        into: &mut Stock<Owned<Context>, N>,
    ) {
        let mut submit = self.submit.lock();
        let Some(free) = &mut submit.free else {
            return;
        };
        for _ in 0..wanted.min(N) {
            match self.pool.take(self, free) {
                Ok(request) => into.push(request),
                Err(_) => break,
            }
        }
    }

    /// Gives back `n` credits that no event will use. Process context.
    pub(crate) fn give_back_credits(&self, n: u32) {
        {
            let mut submit = self.submit.lock();
            submit.credits.give_back(n);
            self.taken.store(submit.credits.taken(), Release);
        }
        self.events.wake(0);
    }
}
