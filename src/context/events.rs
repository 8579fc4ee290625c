// SPDX-License-Identifier: GPL-2.0

//! The events of a context: how they get into the ring, and how tasks wait for them.

use super::{
    queues,
    Context, //
};
use crate::{
    sys::{
        mm::Header,
        uapi::io_event,
        wait::{
            self,
            Deadline,
            Shown,
            Woken, //
        }, //
    },
    window::Window, //
};
use kernel::{
    current,
    prelude::*,
    sync::{
        atomic::ordering::{
            Acquire,
            Full,
            Release, //
        },
        Arc, //
    }, //
};

/// How often getevents tries to consume events while the program changes `head`.
const REAP_TRIES: usize = 16;

impl Context {
    /// Wakes all tasks that sleep in getevents, or wait for the end of the context. Any context.
    pub(crate) fn wake_waiters(&self) {
        self.events.wake(usize::MAX);
    }

    /// Wakes tasks that wait for the end of the context. Any context.
    pub(crate) fn wake_drain(&self) {
        self.events.wake(0);
    }

    /// Waits for `ready`, woken as tasks that wait for the end of the context are. Sleeps.
    pub(crate) fn wait_for_drain(&self, ready: impl Fn() -> bool) {
        self.events.wait_uninterruptible(ready);
    }

    pub(super) fn header(&self) -> Option<Header<'_>> {
        self.pages.header()
    }

    /// The next slot to be consumed, according to the program.
    pub(super) fn head(&self) -> u32 {
        self.header()
            .map_or(0, |header| self.shape.reduce(header.head.load(Acquire)))
    }

    /// Puts `event` in the ring. This uses up the credit of its request. Any context.
    #[inline]
    pub(crate) fn publish(&self, event: io_event) {
        self.publish_all(core::slice::from_ref(&event));
    }

    /// Puts `events` in the ring, as [`Self::publish`].
    pub(crate) fn publish_all(&self, events: &[io_event]) {
        let shown = self.put_in_ring(events);
        self.member.wake_pollers(&shown);
    }

    /// As [`Self::publish`], in a wake function. An epoll set may link pollers to the waking task, so
    /// the work queue wakes them a moment later.
    pub(crate) fn publish_in_wake(&self, event: io_event, arc: impl Fn() -> Arc<Context>) {
        self.put_in_ring(core::slice::from_ref(&event));
        if self.member.has_pollers() {
            self.set_woken_in_wake();
            queues::wake_pollers_later(self, arc);
        }
    }

    fn put_in_ring(&self, events: &[io_event]) -> Shown {
        let slot = {
            let mut tail = self.tail.lock();
            let mut slot = tail.slot;
            for event in events {
                self.pages.write_event(self.shape.offset(slot), event);
                slot = self.shape.next(slot);
            }
            let published = tail.published.wrapping_add(events.len() as u32);
            tail.slot = slot;
            tail.published = published;
            self.shown_slot.store(slot, Release);
            self.shown_published.store(published, Release);
            if let Some(header) = self.header() {
                header.tail.store(slot, Release);
            }
            slot
        };
        let shown = wait::order();
        if self.events.has_sleepers(&shown) {
            self.events
                .wake_all(self.shape.unread(self.head(), slot) as usize);
        }
        shown
    }

    /// The slot of the next event, and the number of events published in all.
    pub(super) fn tail(&self) -> (u32, u32) {
        let tail = self.tail.lock();
        (tail.slot, tail.published)
    }

    /// The number of events in the ring.
    pub(super) fn unread(&self) -> u32 {
        self.shape
            .unread(self.head(), self.shown_slot.load(Acquire))
    }

    /// Sleeps until the ring has `wanted` events, there is something to run, the context is dead,
    /// `deadline` is over, or a signal is pending.
    pub(crate) fn wait(&self, wanted: usize, deadline: Deadline) -> Woken {
        // The ring never has more events than that.
        let wanted = wanted.min(self.shape.capacity() as usize);
        queues::begin_wait(self);
        let woken = self.events.wait(wanted, deadline, || {
            self.unread() as usize >= wanted || self.is_dead() || queues::has_work_for_waiter(self)
        });
        queues::end_wait(self);
        woken
    }

    /// Consumes up to `nr` events, copies them to the array at `to`, and returns their number. Consumes
    /// none if fewer than `least` are in the ring, unless the ring is full.
    ///
    /// The program may consume events meanwhile, by a compare-exchange of `head`.
    ///
    /// EFAULT if the array can't be written; then no event is consumed. If the program keeps changing
    /// `head`, none is consumed either: returns 0, or EINTR if a signal is pending. Process context,
    /// sleeps.
    pub(crate) fn reap(&self, least: usize, nr: usize, to: usize) -> Result<usize> {
        let least = least.min(self.shape.capacity() as usize);
        let _reap = self.reap.lock();
        let Some(header) = self.header() else {
            return Ok(0);
        };
        for _ in 0..REAP_TRIES {
            let seen = header.head.load(Acquire);
            let first = self.shape.reduce(seen);
            // In this order: events published between the two loads make the check below stricter.
            let published = self.shown_published.load(Acquire);
            let slot = self.shown_slot.load(Acquire);
            let unread = self.shape.unread(first, slot);
            let nr = nr.min(unread as usize) as u32;
            if nr == 0 {
                return Ok(0);
            }
            if (unread as usize) < least {
                // Report EFAULT to the caller now, and not when the other events are there.
                self.copy_events(first, 1, to)?;
                return Ok(0);
            }
            let head = self.copy_events(first, nr, to)?;
            Window::Reap.pass_asleep();
            {
                let tail = self.tail.lock();
                // Within one lap, an unchanged `head` means that no other consumer took these events.
                let since = tail.published.wrapping_sub(published);
                if since < self.shape.slots().saturating_sub(unread)
                    && header.head.cmpxchg(seen, head, Full).is_ok()
                {
                    return Ok(nr as usize);
                }
            }
            if current!().signal_pending() {
                return Err(EINTR);
            }
        }
        Ok(0)
    }

    /// Copies `nr` events from slot `first` on to the array at `to`, and returns the slot after them.
    /// EFAULT.
    fn copy_events(&self, first: u32, nr: u32, to: usize) -> Result<u32> {
        let (mut slot, mut left, mut to) = (first, nr, to);
        while left > 0 {
            let run = self.shape.run(slot, left);
            self.pages
                .copy_to_user(self.shape.offset(slot), run as usize, to)?;
            to = to.wrapping_add(run as usize * size_of::<io_event>());
            slot = self.shape.advance(slot, run);
            left -= run;
        }
        Ok(slot)
    }

    /// Whether there are events to consume.
    pub(crate) fn has_events(&self) -> bool {
        !self.is_dead() && self.unread() > 0
    }
}
