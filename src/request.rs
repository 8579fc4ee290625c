// SPDX-License-Identifier: GPL-2.0

//! Requests: from the credit to the event.
//!
//! This room owns what a request carries: its operation, its owner's data, the data that all may read,
//! and its deadline. It uses [`pure`](crate::pure) and [`context`](crate::context), and has no locks of
//! its own. The states are in [`pure::state`](crate::pure::state), the pool in
//! [`sys::request`](crate::sys::request).

pub(crate) mod deadline;
mod kind;
mod shared;

use crate::{
    context::{
        claims::Claim,
        Context, //
    },
    pure::{
        lists::List,
        policy::Policy, //
    },
    request::deadline::Deadline,
    sys::{
        eventfd::EventFd,
        request::{
            Owned,
            Run, //
        },
        sched::ThreadState,
        trace::About,
        uapi::{
            io_event,
            iocb, //
        }, //
    }, //
};
use kernel::{
    cred::Credential,
    prelude::*,
    sync::aref::ARef, //
};
pub(crate) use kind::{
    Op,
    What, //
};
pub(crate) use shared::Shared;

/// A request of a context.
pub(crate) type Request = Owned<Context>;

/// A request that is being run.
pub(crate) type Running = Run<Context>;

/// What a run takes over from the task that submitted the request.
#[derive(Clone)]
pub(crate) struct Submitter {
    /// `None` if they are the credentials of the context.
    pub(crate) cred: Option<ARef<Credential>>,
    pub(crate) state: ThreadState,
}

/// The data of a request that only its owner uses.
#[derive(Default)]
pub(crate) struct Private {
    pub(crate) op: Op,
    pub(crate) policy: Policy,
    /// The list that the request was taken from, if it was on one.
    pub(crate) from: Option<List>,
    /// The request was held, and has neither been armed nor moved data since.
    pub(crate) held: bool,
    /// The key of its group, or 0.
    pub(crate) key: usize,
    /// Whether the request has joined its group.
    pub(crate) joined: bool,
    /// The claim of the request to a thread of the process.
    pub(crate) claim: Option<Claim>,
    /// A thread has taken the request, which is accepted, and must not end before the request is over.
    pub(crate) counted: bool,
    /// The request begins when all requests before it are over.
    pub(crate) barrier: bool,
    /// The last try was one that does not wait.
    pub(crate) tried_nowait: bool,
    /// The credentials of the submitter, as in [`Submitter`].
    pub(crate) cred: Option<ARef<Credential>>,
    pub(crate) state: ThreadState,
    /// When the deadline is over, the request is cancelled.
    pub(crate) deadline: Option<Deadline>,
    /// The eventfd that counts its event.
    pub(crate) eventfd: Option<EventFd>,
}

impl Private {
    /// Begins an operation. The eventfd, which was set before, stays.
    fn begin(&mut self, op: Op, policy: &Policy, key: usize) {
        self.op = op;
        self.policy = *policy;
        self.from = None;
        self.held = false;
        self.key = key;
        self.joined = false;
        self.claim = None;
        self.counted = false;
        self.barrier = false;
        self.tried_nowait = false;
    }

    /// Whether the request has anything that [`leave`](crate::engine::leave) gives back.
    #[inline(always)]
    pub(crate) fn has_to_leave(&self) -> bool {
        self.joined || self.claim.is_some() || self.counted || self.deadline.is_some()
    }

    /// The submitter's data for a run.
    pub(crate) fn submitter(&self) -> Submitter {
        Submitter {
            cred: self.cred.clone(),
            state: self.state,
        }
    }
}

/// A request that is over, with its event still to be published.
pub(crate) struct Over {
    /// A new request in its place.
    pub(crate) request: Request,
    pub(crate) event: io_event,
}

/// A request that was not issued yet, and its credit. Drop gives back both.
pub(crate) struct Ticket(Option<Request>);

impl Ticket {
    /// A ticket for `request`, for whose event the caller holds a credit.
    pub(crate) fn new(request: Request) -> Self {
        Ticket(Some(request))
    }

    /// The request. From here on its event uses up the credit.
    pub(crate) fn redeem(mut self) -> Option<Request> {
        self.0.take()
    }

    /// The request, for preparation.
    pub(crate) fn request(&mut self) -> Option<&mut Request> {
        self.0.as_mut()
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if let Some(request) = self.0.take() {
            request.without_event();
        }
    }
}

impl Running {
    /// See [`Request::note_waiting`].
    pub(crate) fn note_waiting(&mut self, list: List) {
        let marks = shared::marks(self.private());
        let done = self.transfer().done();
        self.shared().note_waiting(list, marks, done);
    }
}

impl Request {
    /// Notes the iocb that the request was submitted with, and returns the key of the request.
    pub(crate) fn name(&mut self, address: u64, iocb: &iocb) -> u32 {
        self.shared().data.set(iocb.aio_data);
        self.shared().obj.set(address);
        let opcode = u32::from(iocb.aio_lio_opcode);
        self.shared().opcode.set(opcode);
        self.shared().fd.set(iocb.aio_fildes);
        let key = self.client().keys().make(self.index(), self.generation());
        self.shared().key.set(key);
        key
    }

    /// Begins an operation.
    pub(crate) fn begin(&mut self, op: Op, policy: &Policy, key: usize) {
        self.private().begin(op, policy, key);
        self.shared().note_begun(policy.accepted);
    }

    /// Notes the list that a kick, or the request's turn in its group, will put it on.
    pub(crate) fn note_waiting(&mut self, list: List) {
        let marks = shared::marks(self.private());
        let done = self.transfer().done();
        self.shared().note_waiting(list, marks, done);
    }

    /// The data of the request for tracepoints. Any context.
    pub(crate) fn about(&self, result: isize) -> About {
        self.shared().about(self.client(), result)
    }
}

/// The result of a request that has moved `done` bytes when `error` ended it.
pub(crate) fn result_of(done: usize, error: Error) -> isize {
    if done > 0 {
        done as isize
    } else {
        error.to_errno() as isize
    }
}

/// The result for the event. Restart codes become EINTR, since no system call can be restarted.
pub(crate) fn event_result(result: isize) -> isize {
    if is_restart(result) {
        EINTR.to_errno() as isize
    } else {
        result
    }
}

/// Whether `result` is a restart code: ERESTARTSYS, ERESTARTNOINTR, ERESTARTNOHAND,
/// ERESTART_RESTARTBLOCK.
pub(crate) fn is_restart(result: isize) -> bool {
    matches!(result, -512 | -513 | -514 | -516)
}

#[cfg(CONFIG_KUNIT = "y")]
#[kernel::macros::kunit_tests(raio_request)]
mod tests {
    use super::*;
    use crate::sys::compat::ECANCELED;

    #[test]
    fn restarts_are_not_shown() {
        for restart in [512, 513, 514, 516] {
            assert_eq!(event_result(-restart), -4);
        }
        for result in [0, 1, 512, 4096, isize::MAX, -4, -11, -515] {
            assert_eq!(event_result(result), result);
        }
    }

    #[test]
    fn what_was_moved_is_never_hidden() {
        assert_eq!(result_of(0, ECANCELED), -125);
        assert_eq!(result_of(7, EIO), 7);
    }
}
