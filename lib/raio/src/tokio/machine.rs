// SPDX-License-Identifier: MIT OR Apache-2.0

use super::{operation::Operation, state::SharedRef};
use crate::{
    data::{Data, Span},
    registered::sealed::File,
    request::Head,
    Completion, Readiness, Request, RwFlags,
};
use std::{
    future::Future,
    io, mem,
    os::fd::AsRawFd,
    pin::Pin,
    task::{Context, Poll},
};

/// How much of a transfer is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Extent {
    /// What one call would do on a stream that is not `O_NONBLOCK`.
    Call,
    /// All of it, or it is an error.
    All,
}

/// What is asked for, as one or more requests, one after the other: those of the kernel
/// that bring it forward, and, where a stream is `O_NONBLOCK` and says `EAGAIN`, polls.
pub(super) struct Machine<'a> {
    shared: SharedRef<'a>,
    pub(super) head: Head<'a>,
    extent: Extent,
    /// All of what is to be moved, if it is one piece.
    whole: Span,
    done: usize,
    /// The last poll said nothing but that there is an error, or the end.
    error_only: bool,
    /// There was a poll since something was moved.
    polled: bool,
    cancelled: bool,
    stage: Stage<'a>,
}

enum Stage<'a> {
    New(Data),
    Moving(Operation<'a>),
    /// What said `EAGAIN` has the buffers.
    Polling(Operation<'a>, Box<Completion>),
    Ended,
}

impl<'a> Machine<'a> {
    pub(super) fn new(shared: SharedRef<'a>, request: Request<'a>, extent: Extent) -> Self {
        let Request { head, data } = request;
        Self {
            shared,
            head,
            extent,
            whole: data.span(),
            done: 0,
            error_only: false,
            polled: false,
            cancelled: false,
            stage: Stage::New(data),
        }
    }

    /// Whether the kernel supports deadlines.
    pub(super) fn has_deadline(&self) -> bool {
        self.shared.has_deadline
    }

    /// Whether it waits for room.
    pub(super) fn is_queued(&self) -> bool {
        match &self.stage {
            Stage::Moving(operation) | Stage::Polling(operation, _) => operation.is_queued(),
            Stage::New(_) | Stage::Ended => false,
        }
    }

    /// Whether all is done, or as much as a read of a stream wants.
    pub(super) fn is_complete(&self) -> bool {
        let some = self.extent == Extent::Call && self.head.operation.is_read();
        self.left() == 0 || (some && self.done > 0)
    }

    fn left(&self) -> usize {
        self.whole.len - self.done
    }

    /// Submits no more requests, and cancels the one in flight.
    pub(super) fn cancel(&mut self) {
        self.cancelled = true;
        self.stage = match mem::replace(&mut self.stage, Stage::Ended) {
            Stage::New(data) => self.moving(data),
            begun => begun,
        };
        match &mut self.stage {
            Stage::Moving(operation) | Stage::Polling(operation, _) => operation.cancel(),
            Stage::New(_) | Stage::Ended => {}
        }
    }

    fn moving(&self, data: Data) -> Stage<'a> {
        let mut head = self.head;
        head.position = head.position.after(self.done);
        let request = Request { head, data };
        Stage::Moving(Operation::new(self.shared.clone(), request))
    }

    /// Goes on after what is done.
    fn go_on(&self, mut completion: Completion) -> Stage<'a> {
        self.moving(completion.take_data(self.whole.after(self.done)))
    }

    /// Waits until the file is ready.
    fn polling(&self, completion: Completion) -> Stage<'a> {
        let request = Request {
            head: self.head.poll(self.direction()),
            data: Data::None,
        };
        let operation = Operation::new(self.shared.clone(), request);
        Stage::Polling(operation, Box::new(completion))
    }

    fn direction(&self) -> Readiness {
        match self.head.operation.is_read() {
            true => Readiness::IN,
            false => Readiness::OUT,
        }
    }

    /// Whether EAGAIN is handled here, by a poll.  Not if an eventfd would count each try.
    fn waits(&self) -> bool {
        self.head.operation.is_transfer()
            && !self.head.flags.contains(RwFlags::NOWAIT)
            && self.head.eventfd.is_none()
            && !self.cancelled
            && !self.error_only
    }

    /// Whether a transfer that has moved something is to go on.
    fn wants_more(&self) -> bool {
        let short = || !self.head.operation.is_read() && self.is_nonblocking();
        self.left() > 0 && !self.cancelled && (self.extent == Extent::All || short())
    }

    /// The kernel goes on with a short write by itself, but for one to such a file.
    fn is_nonblocking(&self) -> bool {
        if self.head.flags.contains(RwFlags::NOWAIT) {
            return false;
        }
        let File::Open(fd) = self.head.file else {
            return false;
        };
        // SAFETY: It only asks.
        let flags = unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_GETFL) };
        flags >= 0 && flags & libc::O_NONBLOCK != 0
    }

    /// A transfer has ended.  Says what comes of all, if that is the end.
    fn moved(&mut self, completion: Completion) -> Option<Completion> {
        if self.whole.len == 0 {
            // Nothing that goes on, but it may have to wait.
            if is_again(&completion.result) && self.waits() {
                self.stage = self.polling(completion);
                return None;
            }
            return Some(self.end(completion));
        }
        self.done += completion.moved.min(self.left());
        match &completion.result {
            Ok(1..) if self.wants_more() => {
                (self.error_only, self.polled) = (false, false);
                self.stage = self.go_on(completion);
                None
            }
            Err(_) if is_again(&completion.result) && self.waits() => {
                self.stage = self.polling(completion);
                None
            }
            _ => Some(self.end(completion)),
        }
    }

    /// A poll has ended.
    fn after_poll(&mut self, poll: Completion, mut waiting: Completion) -> Option<Completion> {
        match poll.result {
            Ok(ready) => {
                let ready = Readiness::from_bits(ready as u16);
                // If it says EAGAIN now, another poll would say the same at once.
                self.polled = true;
                self.error_only = !ready.intersects(self.direction());
                self.stage = self.go_on(waiting);
                return None;
            }
            // The file can't be polled: the result is EAGAIN.
            Err(error) if error.raw_os_error() == Some(libc::EINVAL) => {}
            Err(error) => waiting.result = Err(error),
        }
        Some(self.end(waiting))
    }

    /// What comes of all.
    fn end(&self, completion: Completion) -> Completion {
        let cancelled = || io::Error::from_raw_os_error(libc::ECANCELED);
        let timed_out = completion.is_timed_out();
        let all = self.extent == Extent::All;
        let result = match completion.result {
            Ok(_) if all && self.left() > 0 => Err(match self.head.operation {
                _ if self.cancelled => cancelled(),
                operation if operation.is_read() => io::ErrorKind::UnexpectedEof.into(),
                _ => io::ErrorKind::WriteZero.into(),
            }),
            Ok(result) if self.whole.len == 0 => Ok(result),
            Err(_) if self.done > 0 && !all && !timed_out => Ok(self.done),
            Err(error) if self.cancelled && error.kind() == io::ErrorKind::WouldBlock => {
                Err(cancelled())
            }
            Ok(_) => Ok(self.done),
            Err(error) => Err(error),
        };
        let moved = match self.whole.len {
            0 => completion.moved,
            _ => self.done,
        };
        Completion {
            result,
            moved,
            ..completion
        }
    }
}

fn is_again(result: &io::Result<usize>) -> bool {
    matches!(result, Err(error) if error.kind() == io::ErrorKind::WouldBlock)
}

impl Future for Machine<'_> {
    type Output = Completion;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Completion> {
        loop {
            let this = &mut *self;
            let over = match mem::replace(&mut this.stage, Stage::Ended) {
                Stage::New(data) => {
                    this.head.deadline =
                        this.head.deadline.map(|deadline| deadline.into_absolute());
                    this.stage = this.moving(data);
                    None
                }
                Stage::Moving(mut operation) => match Pin::new(&mut operation).poll(cx) {
                    Poll::Ready(completion) => {
                        let over = this.moved(completion);
                        if this.polled && matches!(this.stage, Stage::Polling(..)) {
                            // Another reader was faster.  It may be a task of this runtime,
                            // which has to run to finish.
                            cx.waker().wake_by_ref();
                            return Poll::Pending;
                        }
                        over
                    }
                    Poll::Pending => {
                        this.stage = Stage::Moving(operation);
                        return Poll::Pending;
                    }
                },
                Stage::Polling(mut operation, waiting) => match Pin::new(&mut operation).poll(cx) {
                    Poll::Ready(poll) => this.after_poll(poll, *waiting),
                    Poll::Pending => {
                        this.stage = Stage::Polling(operation, waiting);
                        return Poll::Pending;
                    }
                },
                Stage::Ended => panic!("polled after it was ready"),
            };
            if let Some(completion) = over {
                return Poll::Ready(completion);
            }
        }
    }
}
