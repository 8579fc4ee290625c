// SPDX-License-Identifier: GPL-2.0

//! The data of a request that others may read while a run or a peer owns it.

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
        compat::{
            ECANCELED,
            ETIME, //
        },
        poll::Mask,
        trace::About,
        uapi::io_event,
        util::once::Once, //
    }, //
};

/// The waker may run the retry.
const BY_WAKER: u32 = 1 << 0;
/// An eventfd counts the event.
const WATCHED: u32 = 1 << 1;
/// The wake is the result, if it says what is ready.
const FIRED: u32 = 1 << 2;
/// The request is carried out whatever becomes of the context.
const ACCEPTED: u32 = 1 << 3;
/// The retry needs the events that the wake says are ready.
const TOLD: u32 = 1 << 4;
/// The request begins when all requests before it are over.
const BARRIER: u32 = 1 << 5;
/// The request was cancelled while it waits for a page, and its event is in the ring.
const IN_RING: u32 = 1 << 6;
/// The bits from this one on are the number of a list.
const LIST: u32 = 16;

/// The data of a request that others may read.
#[derive(Default)]
pub(crate) struct Shared {
    /// `aio_data`.
    pub(super) data: Once<u64>,
    /// The address of the iocb.
    pub(super) obj: Once<u64>,
    /// Guarded by the lock of the lists.
    pub(crate) links: Links,
    /// The list that a kick puts the request on, from bit [`LIST`] on, and marks for the waker and for
    /// the task that ends the context: [`BY_WAKER`] and so on.
    marks: Once<u32>,
    /// The bytes that were moved when the request was armed on a page. For a POLL, the events of its
    /// wake.
    moved: Once<usize>,
    /// `aio_lio_opcode` and `aio_fildes`, for tracepoints.
    pub(super) opcode: Once<u32>,
    pub(super) fd: Once<u32>,
    /// The key, for tracepoints.
    pub(super) key: Once<u32>,
}

impl Shared {
    /// Whether the request was submitted by the iocb at `address`.
    pub(crate) fn is_of(&self, address: u64) -> bool {
        self.obj.get() == address
    }

    /// The event of the request with result `result`.
    pub(crate) fn event(&self, result: isize) -> io_event {
        io_event {
            data: self.data.get(),
            obj: self.obj.get(),
            res: event_result(result) as i64,
            res2: 0,
        }
    }

    /// The data of the request for tracepoints.
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

    /// As [`Self::cancelled_event`], for a request that its deadline cancels.
    pub(crate) fn late_event(&self) -> io_event {
        self.event_of_late(self.moved.get())
    }

    /// The event of a request that its deadline ended after `done` bytes.
    pub(crate) fn event_of_late(&self, done: usize) -> io_event {
        io_event {
            res2: done as i64,
            ..self.event(ETIME.to_errno() as isize)
        }
    }

    /// Notes the list that a kick puts the request on, the marks for the waker, and the bytes moved so
    /// far. Called before the request is armed.
    pub(crate) fn note_waiting(&self, list: List, marks: u32, moved: usize) {
        self.marks.set(marks | (list as u32) << LIST);
        self.moved.set(moved);
    }

    /// As [`Self::note_waiting`], for a read that waits for a page.
    pub(crate) fn note_page(&self, list: List, moved: usize) {
        let marks = self.marks.get() & !(u32::MAX << LIST);
        self.marks.set(marks | (list as u32) << LIST);
        self.moved.set(moved);
    }

    /// The request begins. Until it waits, others only need to know whether it is accepted.
    pub(super) fn note_begun(&self, accepted: bool) {
        self.marks.set(if accepted { ACCEPTED } else { 0 });
    }

    fn has(&self, mark: u32) -> bool {
        self.marks.get() & mark != 0
    }

    /// Whether the waker may run the retry.
    pub(crate) fn is_by_waker(&self) -> bool {
        self.has(BY_WAKER)
    }

    /// The waker may not run this retry. The caller has just made the request Queued, and holds the
    /// lock of the lists.
    pub(crate) fn set_not_by_waker(&self) {
        self.marks.set(self.marks.get() & !BY_WAKER);
    }

    /// The event of the request is in the ring, or will be in a moment, although the request still
    /// waits for a page. The caller holds the lock of the lists, without which nobody takes the request
    /// off the page.
    pub(crate) fn set_in_ring(&self) {
        self.marks.set(self.marks.get() | IN_RING);
    }

    /// Whether [`Self::set_in_ring`] was called.
    pub(crate) fn is_in_ring(&self) -> bool {
        self.has(IN_RING)
    }

    /// Whether an eventfd counts the event.
    pub(crate) fn is_watched(&self) -> bool {
        self.has(WATCHED)
    }

    /// Whether a wake that says what is ready completes the request.
    pub(crate) fn is_fired(&self) -> bool {
        self.has(FIRED)
    }

    /// Keeps the events of the wake, if the request needs them. The caller holds the lock of the wait
    /// queue.
    pub(crate) fn keep_told(&self, told: impl Fn() -> Mask) {
        if !self.has(TOLD) {
            return;
        }
        // A second wake without events must not hide the events of the first.
        match told() {
            0 => {}
            told => self.moved.set(told as usize),
        }
    }

    /// The events of the last wake of a POLL. 0 if the wake named none, or there was none.
    pub(crate) fn told(&self) -> Mask {
        self.moved.get() as Mask
    }

    /// Whether the request is carried out whatever becomes of the context.
    pub(crate) fn is_accepted(&self) -> bool {
        self.has(ACCEPTED)
    }

    /// Whether the request begins when all requests before it are over.
    pub(crate) fn is_barrier(&self) -> bool {
        self.has(BARRIER)
    }

    /// The list that a kick puts the request on.
    pub(crate) fn kicked_to(&self) -> List {
        List::from_number(self.marks.get() >> LIST)
    }
}

/// The marks of a request that is about to wait.
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
