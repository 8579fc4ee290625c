// SPDX-License-Identifier: MIT OR Apache-2.0

use crate::{Completion, Context, Result};
use std::{
    mem,
    ops::Deref,
    sync::{Arc, Mutex, PoisonError},
    task::Waker,
};
use tokio::sync::Semaphore;

/// What handles, futures and the driver share.
///
/// A permit of `room` is one request that may be in flight.
pub(super) struct Shared {
    pub(super) room: Semaphore,
    /// Requests can have deadlines.
    pub(super) has_deadline: bool,
    state: Mutex<State>,
}

/// What keeps it: a handle that is borrowed, so that a future that is forgotten keeps
/// nothing, or what is not tied to a handle.
#[derive(Clone)]
pub(super) enum SharedRef<'a> {
    Borrowed(&'a Shared),
    Owned(Arc<Shared>),
}

impl Deref for SharedRef<'_> {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        match self {
            Self::Borrowed(shared) => shared,
            Self::Owned(shared) => shared,
        }
    }
}

pub(super) struct State {
    pub(super) context: Context,
    pub(super) tickets: Tickets,
    /// No request is taken any more.
    pub(super) closing: bool,
    /// No completion will come any more.
    pub(super) ended: bool,
    /// Wakers of those that wait for any completion, or for the end.
    pub(super) waiting: Vec<Waker>,
    pub(super) driver: Option<Waker>,
    completions: Vec<Completion>,
}

/// What is done after the lock is released: wakers run code of others.
#[derive(Default)]
pub(super) struct After {
    wakers: Vec<Waker>,
    permits: usize,
}

impl Shared {
    pub(super) fn new(context: Context) -> Self {
        Self {
            room: Semaphore::new(context.capacity().min(Semaphore::MAX_PERMITS)),
            has_deadline: context.has_deadline(),
            state: Mutex::new(State {
                context,
                tickets: Tickets::default(),
                closing: false,
                ended: false,
                waiting: Vec::new(),
                driver: None,
                completions: Vec::new(),
            }),
        }
    }

    /// Does something under the lock.  Wakers are cloned before and dropped after.
    pub(super) fn with<T>(&self, action: impl FnOnce(&mut State, &mut After) -> T) -> T {
        let mut after = After::default();
        let value = {
            // Nothing that is done under it leaves the state half changed.
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            let value = action(&mut state, &mut after);
            if after.permits > 0 || state.ended {
                after.wakers.append(&mut state.waiting);
            }
            // epoll does not wake the driver for completions that another task has reaped.
            if state.closing && state.context.in_flight() == 0 {
                after.wakers.extend(state.driver.take());
            }
            value
        };
        self.room.add_permits(after.permits);
        after.wakers.into_iter().for_each(Waker::wake);
        value
    }

    pub(super) fn close(&self) {
        self.room.close();
        self.with(|state, after| {
            state.closing = true;
            after.wakers.extend(state.driver.take());
        });
    }
}

impl State {
    /// Reaps completions and delivers them.  Returns their number.
    pub(super) fn reap(&mut self, after: &mut After) -> Result<usize> {
        self.take(after, Context::reap)
    }

    /// Cancels all that can be cancelled.
    pub(super) fn cancel_all(&mut self, after: &mut After) -> Result<usize> {
        self.take(after, Context::cancel_all)
    }

    /// Waits until all have ended.
    pub(super) fn wait_for_all(&mut self, after: &mut After) -> Result<usize> {
        self.take(after, |context, completions| {
            context.getevents(context.in_flight(), None, completions)
        })
    }

    fn take(
        &mut self,
        after: &mut After,
        call: impl FnOnce(&mut Context, &mut Vec<Completion>) -> Result<usize>,
    ) -> Result<usize> {
        let mut completions = mem::take(&mut self.completions);
        let result = call(&mut self.context, &mut completions);
        for completion in completions.drain(..) {
            self.deliver(completion, after);
        }
        self.completions = completions;
        result
    }

    /// No completion comes any more: wakes all who wait for one.
    pub(super) fn end(&mut self, after: &mut After) {
        self.ended = true;
        after.wakers.extend(self.tickets.wakers());
    }

    /// Stores a completion in its ticket, or drops it if its future was dropped.
    pub(super) fn deliver(&mut self, completion: Completion, after: &mut After) {
        after.permits += 1;
        after.wakers.extend(self.tickets.finish(completion));
    }
}

/// The state of each future's request.  The user data of a request is the index of its
/// ticket.
///
/// It is not the slot of the request: a completion is kept until its future is polled,
/// and the slot is another request's by then.
#[derive(Default)]
pub(super) struct Tickets {
    tickets: Vec<Ticket>,
    free: Vec<usize>,
}

pub(super) enum Ticket {
    Free,
    /// The request is in flight; the waker of its future, if that was polled.
    Waiting(Option<Waker>),
    Done(Completion),
    /// The future was dropped.
    Detached,
}

impl Tickets {
    /// A new one, `Waiting` without a waker.
    pub(super) fn insert(&mut self) -> usize {
        let ticket = Ticket::Waiting(None);
        match self.free.pop() {
            Some(key) => {
                self.tickets[key] = ticket;
                key
            }
            None => {
                self.tickets.push(ticket);
                self.tickets.len() - 1
            }
        }
    }

    /// Frees a ticket, and returns what was in it.
    pub(super) fn remove(&mut self, key: usize) -> Ticket {
        self.free.push(key);
        mem::replace(&mut self.tickets[key], Ticket::Free)
    }

    pub(super) fn get(&mut self, key: usize) -> &mut Ticket {
        &mut self.tickets[key]
    }

    /// The wakers of all futures that wait.
    fn wakers(&mut self) -> impl Iterator<Item = Waker> + '_ {
        self.tickets.iter_mut().filter_map(|ticket| match ticket {
            Ticket::Waiting(waker) => waker.take(),
            _ => None,
        })
    }

    /// A request has ended.  Returns the waker of its future.
    fn finish(&mut self, completion: Completion) -> Option<Waker> {
        let key = completion.user_data as usize;
        match self.tickets.get_mut(key)? {
            ticket @ Ticket::Waiting(_) => match mem::replace(ticket, Ticket::Done(completion)) {
                Ticket::Waiting(waker) => waker,
                _ => None,
            },
            Ticket::Detached => {
                self.remove(key);
                None
            }
            Ticket::Free | Ticket::Done(_) => None,
        }
    }
}
