// SPDX-License-Identifier: GPL-2.0

//! How requests wait, and how they end: groups that keep an order, barriers, kicks, cancel, deadlines,
//! completion; and the creation of threads of the process.
//!
//! Nothing here runs an operation: the room [`run`](crate::run) above does. This room uses
//! [`request`](crate::request), [`context`](crate::context) and [`pure`](crate::pure). It takes
//! `Context::queues`: each change to a list is made under that lock, and so is the wake-up of a task or
//! a thread for it, so that no request is forgotten.

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

/// Where a request is run.
#[derive(Clone, Copy)]
pub(crate) enum Place<'a> {
    /// By the task that submits it, in submit.
    Submit(FullTask<'a>),
    /// By a task of the process, in submit or getevents, or in task work that interrupted it.
    Own(FullTask<'a>),
    /// By the task of the process that woke it, in task work on return to user space.
    Waker(FullTask<'a>),
    /// A thread of the process.
    Thread(WorkerTask<'a>),
}

impl<'a> Place<'a> {
    /// The task, as the caller of a file's methods.
    pub(crate) fn caller(self) -> Caller<'a> {
        match self {
            Place::Submit(task) | Place::Own(task) | Place::Waker(task) => Caller::Full(task),
            Place::Thread(task) => Caller::Worker(task),
        }
    }

    /// Whether a run may wait for page faults. The waker must not: it may be the task that serves them.
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
