// SPDX-License-Identifier: GPL-2.0

//! Requests: from the credit to the event.

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

/// Who has submitted a request, as far as whoever runs it has to be that.
#[derive(Clone)]
pub(crate) struct Submitter {
    /// None if they are those of the context.
    pub(crate) cred: Option<ARef<Credential>>,
    pub(crate) state: ThreadState,
}

/// What a request's owner keeps with it.
#[derive(Default)]
pub(crate) struct Private {
    pub(crate) op: Op,
    pub(crate) policy: Policy,
    /// The list that it was taken from, if it was on one.
    pub(crate) from: Option<List>,
    /// It was held, and has neither been armed nor moved data since.
    pub(crate) held: bool,
    /// Its group, or 0.
    pub(crate) key: usize,
    /// Whether it has joined its group.
    pub(crate) joined: bool,
    /// Whether it has a claim to a thread of the process.
    pub(crate) claim: Option<Claim>,
    /// A thread has taken it, and does not end before it has: it was accepted.
    pub(crate) counted: bool,
    /// It begins when all before it are over.
    pub(crate) barrier: bool,
    /// Its last try was one that does not wait.
    pub(crate) tried_nowait: bool,
    /// Who has submitted it.
    pub(crate) cred: Option<ARef<Credential>>,
    pub(crate) state: ThreadState,
    /// When it is cancelled.
    pub(crate) deadline: Option<Deadline>,
    /// The eventfd that counts its event.
    pub(crate) eventfd: Option<EventFd>,
}

impl Private {
    /// Begins with an operation. The eventfd, which comes first, stays.
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

    /// Whether it has anything of its context.
    #[inline(always)]
    pub(crate) fn has_to_leave(&self) -> bool {
        self.joined || self.claim.is_some() || self.counted || self.deadline.is_some()
    }

    /// Who has submitted it.
    pub(crate) fn submitter(&self) -> Submitter {
        Submitter {
            cred: self.cred.clone(),
            state: self.state,
        }
    }
}

/// What is left of a request that is over.
pub(crate) struct Over {
    /// Another one in its place.
    pub(crate) request: Request,
    pub(crate) event: io_event,
}

/// A request that was not issued yet, with its credit. Dropped, it gives back both.
pub(crate) struct Ticket(Option<Request>);

impl Ticket {
    /// For a request whose credit was just taken.
    pub(crate) fn new(request: Request) -> Self {
        Ticket(Some(request))
    }

    /// The request, whose credit is used up by its event from here on.
    pub(crate) fn redeem(mut self) -> Option<Request> {
        self.0.take()
    }

    /// The request, to be prepared.
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
    /// As [`Request::note_waiting`].
    pub(crate) fn note_waiting(&mut self, list: List) {
        let marks = shared::marks(self.private());
        let done = self.transfer().done();
        self.shared().note_waiting(list, marks, done);
    }
}

impl Request {
    /// Says by which iocb the request was submitted, and returns its key.
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

    /// Begins with an operation.
    pub(crate) fn begin(&mut self, op: Op, policy: &Policy, key: usize) {
        self.private().begin(op, policy, key);
        self.shared().note_begun(policy.accepted);
    }

    /// Says where it goes when it is kicked, or waits for its turn.
    pub(crate) fn note_waiting(&mut self, list: List) {
        let marks = shared::marks(self.private());
        let done = self.transfer().done();
        self.shared().note_waiting(list, marks, done);
    }

    /// What tracepoints tell of the request. Any context.
    pub(crate) fn about(&self, result: isize) -> About {
        self.shared().about(self.client(), result)
    }
}

/// What a request comes to that has moved `done` bytes when `error` ended it.
pub(crate) fn result_of(done: usize, error: Error) -> isize {
    if done > 0 {
        done as isize
    } else {
        error.to_errno() as isize
    }
}

/// The result as programs see it: there is no system call that could be restarted.
pub(crate) fn event_result(result: isize) -> isize {
    if is_restart(result) {
        EINTR.to_errno() as isize
    } else {
        result
    }
}

/// Whether it says to restart a system call: ERESTARTSYS, ERESTARTNOINTR, ERESTARTNOHAND,
/// ERESTART_RESTARTBLOCK.
pub(crate) fn is_restart(result: isize) -> bool {
    matches!(result, -512 | -513 | -514 | -516)
}

#[cfg(CONFIG_KUNIT = "y")]
#[kernel::macros::kunit_tests(raio_request)]
mod tests {
    use super::*;

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
