// SPDX-License-Identifier: MIT OR Apache-2.0

use super::state::{SharedRef, Ticket};
use crate::{Completion, ErrorKind, Request, RequestId};
use std::{
    future::Future,
    io, mem,
    pin::Pin,
    task::{Context, Poll, Waker},
};

/// A request, from before it is submitted to its completion.
pub(super) struct Operation<'a> {
    shared: SharedRef<'a>,
    stage: Stage<'a>,
}

/// The right to have one request in flight.
struct Permit<'a>(Option<SharedRef<'a>>);

impl<'a> Permit<'a> {
    fn try_acquire(shared: &SharedRef<'a>) -> Option<Self> {
        shared.room.try_acquire().ok()?.forget();
        Some(Self(Some(shared.clone())))
    }

    /// None if the context is closed.
    async fn acquire(shared: SharedRef<'a>) -> Option<Self> {
        shared.room.acquire().await.ok()?.forget();
        Some(Self(Some(shared)))
    }

    /// It is returned by `State::deliver` instead.
    fn forget(mut self) {
        self.0 = None;
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        if let Some(shared) = &self.0 {
            shared.room.add_permits(1);
        }
    }
}

type Acquire<'a> = Pin<Box<dyn Future<Output = Option<Permit<'a>>> + Send + 'a>>;

enum Stage<'a> {
    New(Request<'a>),
    /// Waits for its turn.
    Queued(Request<'a>, Acquire<'a>),
    /// May be submitted.
    Ready(Request<'a>, Permit<'a>),
    /// The context has it.
    InFlight {
        key: usize,
        id: RequestId,
    },
    /// It was never submitted.
    Refused(Box<Completion>),
    Ended,
}

impl<'a> Operation<'a> {
    pub(super) fn new(shared: SharedRef<'a>, request: Request<'a>) -> Self {
        Self {
            shared,
            stage: Stage::New(request),
        }
    }

    /// One that was not taken.
    fn refuse(request: Request<'_>, error: io::Error) -> Completion {
        Completion::new(RequestId::NONE, request.into_parts(), Err(error), 0)
    }

    /// Whether it waits for room.
    pub(super) fn is_queued(&self) -> bool {
        matches!(self.stage, Stage::Queued(..) | Stage::Ready(..))
    }

    /// Cancels it, if it can be cancelled.  Its completion comes all the same.
    pub(super) fn cancel(&mut self) {
        match mem::replace(&mut self.stage, Stage::Ended) {
            Stage::New(request) | Stage::Queued(request, _) | Stage::Ready(request, _) => {
                let error = io::Error::from_raw_os_error(libc::ECANCELED);
                self.stage = Stage::Refused(Box::new(Self::refuse(request, error)));
            }
            Stage::InFlight { key, id } => {
                self.stage = Stage::InFlight { key, id };
                self.shared.with(|state, after| {
                    if let Ticket::Waiting(_) = state.tickets.get(key) {
                        // An error says that it runs, and ends by itself.
                        if let Ok(completion) = state.context.cancel(id) {
                            state.deliver(completion, after);
                        }
                    }
                });
            }
            other => self.stage = other,
        }
    }

    fn submit(
        &mut self,
        request: Request<'a>,
        permit: Permit<'a>,
        waker: Waker,
    ) -> Poll<Completion> {
        // Dropped after the lock is released: it wakes a task.
        let mut unused = None;
        let shared = self.shared.clone();
        shared.with(|state, after| {
            if state.closing {
                unused = Some(permit);
                return Poll::Ready(Self::refuse(request, closed()));
            }
            let key = state.tickets.insert();
            match state.context.submit_one(request.with_user_data(key as u64)) {
                Ok(id) => {
                    // `deliver` gives it back.
                    permit.forget();
                    self.stage = Stage::InFlight { key, id };
                }
                Err(rejected) => {
                    state.tickets.remove(key);
                    let (request, error) = rejected.into_parts();
                    if error.kind() != ErrorKind::Full || state.context.in_flight() == 0 {
                        unused = Some(permit);
                        return Poll::Ready(Self::refuse(request, error.into_io_error()));
                    }
                    // The kernel has no room though we have: a request that was
                    // cancelled while it waited for a page keeps its place.
                    state.waiting.push(waker);
                    self.stage = Stage::Ready(request, permit);
                    return Poll::Pending;
                }
            }
            // It may have ended already.  If this fails, it fails for the driver as well.
            let _ = state.reap(after);
            match state.tickets.get(key) {
                Ticket::Waiting(slot) => {
                    *slot = Some(waker);
                    Poll::Pending
                }
                _ => {
                    self.stage = Stage::Ended;
                    completed(state.tickets.remove(key))
                }
            }
        })
    }

    fn wait(&mut self, key: usize, id: RequestId, waker: Waker) -> Poll<Completion> {
        // What the ticket had is dropped without the lock.
        let (_old, poll) = self.shared.with(|state, _| {
            if let (Ticket::Waiting(old), false) = (state.tickets.get(key), state.ended) {
                return (
                    old.replace(waker).map(|old| Ticket::Waiting(Some(old))),
                    Poll::Pending,
                );
            }
            match state.tickets.remove(key) {
                done @ Ticket::Done(_) => (None, completed(done)),
                other => (Some(other), lost(id)),
            }
        });
        if poll.is_ready() {
            self.stage = Stage::Ended;
        } else {
            self.stage = Stage::InFlight { key, id };
        }
        poll
    }
}

fn completed(ticket: Ticket) -> Poll<Completion> {
    match ticket {
        Ticket::Done(completion) => Poll::Ready(completion),
        _ => lost(RequestId::NONE),
    }
}

/// The error of requests that come too late.
pub(super) fn closed() -> io::Error {
    io::Error::new(io::ErrorKind::BrokenPipe, "the context is shut down")
}

/// The context can't be used any more, as after a fork; it keeps the buffer.
fn lost(id: RequestId) -> Poll<Completion> {
    let nothing = Request::noop().into_parts();
    Poll::Ready(Completion::new(id, nothing, Err(closed()), 0))
}

impl Future for Operation<'_> {
    type Output = Completion;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Completion> {
        loop {
            match mem::replace(&mut self.stage, Stage::Ended) {
                Stage::New(request) => {
                    self.stage = match Permit::try_acquire(&self.shared) {
                        Some(permit) => Stage::Ready(request, permit),
                        None => {
                            let acquire = Permit::acquire(self.shared.clone());
                            Stage::Queued(request, Box::pin(acquire))
                        }
                    };
                }
                Stage::Queued(request, mut acquire) => match acquire.as_mut().poll(cx) {
                    Poll::Ready(Some(permit)) => self.stage = Stage::Ready(request, permit),
                    Poll::Ready(None) => return Poll::Ready(Self::refuse(request, closed())),
                    Poll::Pending => {
                        self.stage = Stage::Queued(request, acquire);
                        return Poll::Pending;
                    }
                },
                Stage::Ready(request, permit) => {
                    return self.submit(request, permit, cx.waker().clone());
                }
                Stage::InFlight { key, id } => return self.wait(key, id, cx.waker().clone()),
                Stage::Refused(completion) => return Poll::Ready(*completion),
                Stage::Ended => panic!("polled after it was ready"),
            }
        }
    }
}

impl Drop for Operation<'_> {
    fn drop(&mut self) {
        let Stage::InFlight { key, id } = self.stage else {
            return;
        };
        let _old = self.shared.with(|state, after| {
            if let Ticket::Waiting(_) = state.tickets.get(key) {
                let old = mem::replace(state.tickets.get(key), Ticket::Detached);
                if let Ok(completion) = state.context.cancel(id) {
                    state.deliver(completion, after);
                }
                return old;
            }
            state.tickets.remove(key)
        });
    }
}
