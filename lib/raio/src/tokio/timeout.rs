// SPDX-License-Identifier: MIT OR Apache-2.0

use super::transfer::{Transfer, Transferred};
use std::{
    fmt,
    future::Future,
    io,
    pin::Pin,
    task::{ready, Context, Poll},
    time::{Duration, Instant},
};
use tokio::time::{sleep_until, Sleep};

/// A [`Transfer`] that is cancelled when its time is over.
///
/// Where the module has deadlines the kernel does that
/// ([`Info::has_deadline`](crate::Info::has_deadline)).  Where it has not, and while the
/// request waits for room, a timer of tokio does, which the runtime must have enabled.
///
/// What can't be cancelled (a driver has it) ends as it ends, later.
///
/// ```no_run
/// # use std::time::Duration;
/// # async fn example(raio: raio::tokio::Handle, socket: std::net::TcpStream) -> std::io::Result<()> {
/// let read = raio.read_exact(&socket, vec![0; 512]);
/// match read.timeout(Duration::from_secs(1)).await {
///     Ok((result, buffer)) => println!("{} bytes: {buffer:?}", result?),
///     Err(late) => println!("no more than {:?}", &late.buffer[..late.moved]),
/// }
/// # Ok(())
/// # }
/// ```
#[must_use = "it does nothing until it is polled"]
pub struct Timeout<'a, B, E = io::Error> {
    transfer: Transfer<'a, B, E>,
    time: Duration,
    /// Known when it was polled, if it is not too far away.
    deadline: Option<Instant>,
    timer: Option<Pin<Box<Sleep>>>,
    fired: bool,
}

impl<'a, B, E> Transfer<'a, B, E> {
    /// Cancels it after that time, from when it is polled first.  See [`Timeout`].
    pub fn timeout(self, time: Duration) -> Timeout<'a, B, E> {
        Timeout::new(self, time)
    }
}

impl<'a, B, E> Timeout<'a, B, E> {
    fn new(transfer: Transfer<'a, B, E>, time: Duration) -> Self {
        Self {
            transfer,
            time,
            deadline: None,
            timer: None,
            fired: false,
        }
    }

    /// [`Transfer::cancel`].
    pub fn cancel(mut self) -> Self {
        self.transfer.machine.cancel();
        self
    }

    /// Whether it is up to us to look at the clock, and the time is over.
    fn is_over(&mut self, cx: &mut Context<'_>) -> bool {
        let machine = &self.transfer.machine;
        let Some(deadline) = self.deadline.filter(|_| !self.fired) else {
            return false;
        };
        if machine.has_deadline() && !machine.is_queued() {
            return false;
        }
        let timer = self
            .timer
            .get_or_insert_with(|| Box::pin(sleep_until(deadline.into())));
        timer.as_mut().poll(cx).is_ready()
    }
}

impl<B, E> Future for Timeout<'_, B, E> {
    type Output = Result<Transferred<B, E>, TimedOut<B>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        if this.deadline.is_none() {
            this.deadline = Instant::now().checked_add(this.time);
            let kernel = this.transfer.machine.has_deadline();
            if let Some(deadline) = this.deadline.filter(|_| kernel) {
                this.transfer.machine.head.deadline_at(deadline);
            }
        }
        let completion = match Pin::new(&mut this.transfer.machine).poll(cx) {
            Poll::Ready(completion) => completion,
            Poll::Pending if this.is_over(cx) => {
                this.fired = true;
                this.transfer.machine.cancel();
                ready!(Pin::new(&mut this.transfer.machine).poll(cx))
            }
            Poll::Pending => return Poll::Pending,
        };
        let late = match &completion.result {
            Ok(_) => this.fired && !this.transfer.machine.is_complete(),
            Err(_) => completion.is_timed_out() || (this.fired && completion.is_cancelled()),
        };
        Poll::Ready(match late {
            false => Ok(this.transfer.finish(completion)),
            true => Err(TimedOut {
                moved: completion.moved,
                buffer: (this.transfer.give_back)(completion),
            }),
        })
    }
}

impl<B, E> fmt::Debug for Timeout<'_, B, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Timeout")
            .field("time", &self.time)
            .finish_non_exhaustive()
    }
}

/// The time was over before the transfer was.
#[non_exhaustive]
pub struct TimedOut<B> {
    /// How many bytes were moved until then: of a read, they are in the buffer.
    pub moved: usize,
    /// The buffer of the transfer, or the buffers.
    pub buffer: B,
}

impl<B> fmt::Debug for TimedOut<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TimedOut")
            .field("moved", &self.moved)
            .finish_non_exhaustive()
    }
}

impl<B> fmt::Display for TimedOut<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "timed out after {} bytes", self.moved)
    }
}

impl<B> std::error::Error for TimedOut<B> {}

impl<B> From<TimedOut<B>> for io::Error {
    fn from(late: TimedOut<B>) -> Self {
        Self::new(io::ErrorKind::TimedOut, late.to_string())
    }
}
