// SPDX-License-Identifier: GPL-2.0

//! Retries: where requests wait that could not go on, and who runs them then.
//!
//! A request that can't go on is armed on a wait queue, or put on a [`List`]; a kick takes it from
//! the one to the other. It is run by one of four, see [`Place`], all of them of its process: so
//! that what it costs is the process's, and whoever it has to wait for is waited for by none else.
//!
//! Who wants the result of a request runs it, as a rule. A kick wakes a task that sleeps in
//! getevents; or, if nobody sleeps there, says in the ring's header that there is something to run,
//! and leaves it to whoever comes. Who makes a pipe ready runs it on his way back to his program, if he
//! is of the process. If the context is watched by other means, an eventfd or a poller, a thread is woken
//! at once; and else if nobody has come within two ticks. Where there is no thread, or no thread may run
//! it, a task of the process is interrupted for it ([`Context::summoned`]).
//!
//! What is held is tried a few at a time, after longer and longer pauses, and at once when something of
//! the context was woken.
//!
//! Whoever takes a request off a list has its run; whoever puts one there sees to it that somebody
//! comes, under the same lock, so that nothing is forgotten. The work queue of the module runs no
//! request: it only looks whether somebody has to be woken ([`Context::looks`]).

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
    /// A task of the process, in submit or getevents, or summoned.
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
