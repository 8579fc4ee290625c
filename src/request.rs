// SPDX-License-Identifier: GPL-2.0

//! Requests: from the credit to the event.

use crate::{
    context::Context,
    op::{
        self,
        Op, //
    },
    sys::{
        request::{
            Client,
            Owned,
            Pool, //
        },
        uapi::{
            io_event,
            iocb, //
        }, //
    }, //
};
use kernel::{
    cred::Credential,
    prelude::*,
    sync::{
        aref::ARef,
        atomic::{
            ordering::Relaxed,
            Atomic, //
        }, //
    }, //
};

/// A request of a context.
pub(crate) type Request = Owned<Context>;

/// What io_cancel may look at.
pub(crate) struct Shared {
    /// `aio_data`.
    data: Atomic<u64>,
    /// The address of the iocb.
    obj: Atomic<u64>,
}

impl Default for Shared {
    fn default() -> Self {
        Shared {
            data: Atomic::new(0),
            obj: Atomic::new(0),
        }
    }
}

impl Shared {
    /// Whether the request was submitted by the iocb at `address`.
    pub(crate) fn is_of(&self, address: u64) -> bool {
        self.obj.load(Relaxed) == address
    }
}

/// What a request that is run later needs.
#[derive(Default)]
pub(crate) struct Private {
    /// The operation, if it is on a work queue.
    pub(crate) queued: Option<Op>,
    /// The credentials at submission, if the operation needs them.
    pub(crate) cred: Option<ARef<Credential>>,
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
        if let Some(mut request) = self.0.take() {
            request.end_private();
            request.client().give_back_credit();
        }
    }
}

impl Request {
    /// Says by which iocb the request was submitted, and returns its key.
    pub(crate) fn name(&mut self, address: u64, iocb: &iocb) -> u32 {
        self.shared().data.store(iocb.aio_data, Relaxed);
        self.shared().obj.store(address, Relaxed);
        self.client().keys().make(self.index(), self.generation())
    }

    /// Gives back what the request holds for its operation.
    fn end_private(&mut self) {
        *self.private() = Private::default();
        self.set_file(None);
    }

    /// Publishes the event of the request, and brings it home. Any context.
    pub(crate) fn complete(mut self, result: isize) {
        let event = io_event {
            data: self.shared().data.load(Relaxed),
            obj: self.shared().obj.load(Relaxed),
            res: event_result(result) as i64,
            res2: 0,
        };
        // Before the event: who sees it may expect the file to be let go of. (A last reference
        // that is dropped in an interrupt goes a moment later.)
        self.end_private();
        self.client().publish(event);
    }
}

/// The result as programs see it: there is no system call that could be restarted.
fn event_result(result: isize) -> isize {
    // ERESTARTSYS, ERESTARTNOINTR, ERESTARTNOHAND, ERESTART_RESTARTBLOCK.
    match result {
        -512 | -513 | -514 | -516 => EINTR.to_errno() as isize,
        _ => result,
    }
}

impl Client for Context {
    type Shared = Shared;
    type Private = Private;

    fn pool(&self) -> &Pool<Self> {
        self.pool()
    }

    fn complete(request: Request, result: isize) {
        request.complete(result);
    }

    fn run(request: Request) {
        op::run(request);
    }
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
}
