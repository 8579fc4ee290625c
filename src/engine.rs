// SPDX-License-Identifier: GPL-2.0

//! Where requests wait that could not go on, and how they end: groups that keep an order, barriers,
//! kicks, cancel, deadlines, completion; and the creation of the threads that some of them need.
//!
//! Nothing here runs an operation: that is [`run`](crate::run), above. What changes a list does so under
//! `Context::queues`, and sees to it that somebody comes, under the same lock, so that nothing is
//! forgotten.

mod barrier;
pub(crate) mod cancel;
mod complete;
mod kick;
pub(crate) mod late;
mod look;
mod order;
pub(crate) mod threads;

use crate::sys::{
    fs::Faults,
    task::{
        Caller,
        FullTask,
        WorkerTask, //
    }, //
};
pub(crate) use barrier::{
    let_next_begin,
    release, //
};
pub(crate) use kick::kick;
pub(crate) use order::{
    join,
    leave,
    queue_in_order, //
};

/// Who runs a request.
#[derive(Clone, Copy)]
pub(crate) enum Place<'a> {
    /// The task that submits it, in submit.
    Submit(FullTask<'a>),
    /// A task of the process, in submit or getevents, or interrupted by task work.
    Own(FullTask<'a>),
    /// A task of the process that has woken it, on its way back from whatever call.
    Waker(FullTask<'a>),
    /// A thread of the process.
    Thread(WorkerTask<'a>),
}

impl<'a> Place<'a> {
    /// The task, for a call into a file.
    pub(crate) fn caller(self) -> Caller<'a> {
        match self {
            Place::Submit(task) | Place::Own(task) | Place::Waker(task) => Caller::Full(task),
            Place::Thread(task) => Caller::Worker(task),
        }
    }

    /// Whether it waits for the program's memory. Who has woken a request does not: it may be the one
    /// who serves that.
    pub(crate) fn faults(self) -> Faults<'a> {
        match self {
            Place::Waker(_) => Faults::Fail,
            _ => Faults::Wait(self.caller().may_fault()),
        }
    }

    pub(crate) fn is_submit(self) -> bool {
        matches!(self, Place::Submit(_))
    }

    pub(crate) fn is_thread(self) -> bool {
        matches!(self, Place::Thread(_))
    }
}
