// SPDX-License-Identifier: GPL-2.0

//! What everybody may look at of a request, while somebody has it.

use super::{
    event_result,
    result_of,
    Op,
    Private, //
};
use crate::{
    context::Context,
    pure::lists::{
        Links,
        List, //
    },
    sys::{
        poll::Mask,
        trace::About,
        uapi::io_event,
        util::once::Once, //
    }, //
};
use kernel::prelude::*;

/// Its retry may be left to who wakes it.
const BY_WAKER: u32 = 1 << 0;
/// An eventfd counts its event.
const WATCHED: u32 = 1 << 1;
/// The wake is its result, if that says what is ready.
const FIRED: u32 = 1 << 2;
/// It is done whatever becomes of the context.
const ACCEPTED: u32 = 1 << 3;
/// What its wake says is to be kept for its retry.
const TOLD: u32 = 1 << 4;
/// It begins when all before it are over.
const BARRIER: u32 = 1 << 5;
/// It was cancelled while it waits for a page, and its event is in the ring.
const IN_RING: u32 = 1 << 6;
/// Above these the number of a list.
const LIST: u32 = 16;

/// What everybody may look at.
#[derive(Default)]
pub(crate) struct Shared {
    /// `aio_data`.
    pub(super) data: Once<u64>,
    /// The address of the iocb.
    pub(super) obj: Once<u64>,
    /// Guarded by the lock of the lists.
    pub(crate) links: Links,
    /// The list that a kick puts it on, [`LIST`], and what is known of it where it is woken, and by
    /// who ends its context: [`BY_WAKER`] and so on.
    marks: Once<u32>,
    /// The bytes that were moved when it was armed on a page; of a POLL what its wake said.
    moved: Once<usize>,
    /// `aio_lio_opcode` and `aio_fildes`, for tracepoints.
    pub(super) opcode: Once<u32>,
    pub(super) fd: Once<u32>,
    /// Its key, for the same.
    pub(super) key: Once<u32>,
}

impl Shared {
    /// Whether the request was submitted by the iocb at `address`.
    pub(crate) fn is_of(&self, address: u64) -> bool {
        self.obj.get() == address
    }

    /// Its event, if its result is `result`.
    pub(crate) fn event(&self, result: isize) -> io_event {
        io_event {
            data: self.data.get(),
            obj: self.obj.get(),
            res: event_result(result) as i64,
            res2: 0,
        }
    }

    /// What tracepoints tell of it.
    pub(crate) fn about(&self, context: &Context, result: isize) -> About {
        About {
            ctx: context.id() as u64,
            iocb: self.obj.get(),
            key: self.key.get(),
            opcode: self.opcode.get() as u16,
            fd: self.fd.get(),
            result: result as i64,
        }
    }

    /// The event of a request that is cancelled while it waits for a page.
    pub(crate) fn cancelled_event(&self) -> io_event {
        self.event(result_of(self.moved.get(), ECANCELED))
    }

    /// As [`Self::cancelled_event`], by its deadline.
    pub(crate) fn late_event(&self) -> io_event {
        self.event_of_late(self.moved.get())
    }

    /// Its event, if its deadline has ended it when it had moved `done` bytes.
    pub(crate) fn event_of_late(&self, done: usize) -> io_event {
        io_event {
            res2: done as i64,
            ..self.event(ETIME.to_errno() as isize)
        }
    }

    /// Says where a kick puts the request, what else who wakes it has to know, and what was moved
    /// until now. Before it is armed.
    pub(crate) fn note_waiting(&self, list: List, marks: u32, moved: usize) {
        self.marks.set(marks | (list as u32) << LIST);
        self.moved.set(moved);
    }

    /// As [`Self::note_waiting`], of a read that a page holds.
    pub(crate) fn note_page(&self, list: List, moved: usize) {
        let marks = self.marks.get() & !(u32::MAX << LIST);
        self.marks.set(marks | (list as u32) << LIST);
        self.moved.set(moved);
    }

    /// It begins. Until it waits, that is all who ends its context has to know.
    pub(super) fn note_begun(&self, accepted: bool) {
        self.marks.set(if accepted { ACCEPTED } else { 0 });
    }

    fn has(&self, mark: u32) -> bool {
        self.marks.get() & mark != 0
    }

    /// Whether a retry may be left to who made the kick.
    pub(crate) fn is_by_waker(&self) -> bool {
        self.has(BY_WAKER)
    }

    /// It may not, this time. By who has just made it Queued, under the lock of the lists.
    pub(crate) fn set_not_by_waker(&self) {
        self.marks.set(self.marks.get() & !BY_WAKER);
    }

    /// Its event is in the ring, or will be in a moment, though it still waits for a page. Under the lock of
    /// the lists, without which nobody takes it from there.
    pub(crate) fn set_in_ring(&self) {
        self.marks.set(self.marks.get() | IN_RING);
    }

    /// Whether that is so.
    pub(crate) fn is_in_ring(&self) -> bool {
        self.has(IN_RING)
    }

    /// Whether somebody looks at an eventfd for its event.
    pub(crate) fn is_watched(&self) -> bool {
        self.has(WATCHED)
    }

    /// Whether a wake that says what is ready ends it.
    pub(crate) fn is_fired(&self) -> bool {
        self.has(FIRED)
    }

    /// Keeps what the wake says of a request that has to know; under the lock of the wait queue.
    pub(crate) fn keep_told(&self, told: impl Fn() -> Mask) {
        if !self.has(TOLD) {
            return;
        }
        // A second wake says nothing of the first.
        match told() {
            0 => {}
            told => self.moved.set(told as usize),
        }
    }

    /// What the last wake of a POLL said; 0 if it said nothing, or was no wake.
    pub(crate) fn told(&self) -> Mask {
        self.moved.get() as Mask
    }

    /// Whether it is done whatever becomes of the context.
    pub(crate) fn is_accepted(&self) -> bool {
        self.has(ACCEPTED)
    }

    /// Whether it begins when all before it are over.
    pub(crate) fn is_barrier(&self) -> bool {
        self.has(BARRIER)
    }

    /// Where a kick puts the request.
    pub(crate) fn kicked_to(&self) -> List {
        List::from_number(self.marks.get() >> LIST)
    }
}

/// What of a request is marked when it waits.
pub(super) fn marks(private: &Private) -> u32 {
    let mark = |is: bool, mark| if is { mark } else { 0 };
    mark(private.policy.by_waker, BY_WAKER)
        | mark(private.policy.accepted, ACCEPTED)
        | mark(private.barrier, BARRIER)
        | match (&private.op, private.eventfd.is_some()) {
            (Op::Poll { .. }, true) => WATCHED | TOLD,
            (Op::Poll { .. }, false) => FIRED,
            (_, watched) => mark(watched, WATCHED),
        }
}
