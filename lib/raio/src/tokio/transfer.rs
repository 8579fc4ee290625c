// SPDX-License-Identifier: MIT OR Apache-2.0

use super::{
    machine::{Extent, Machine},
    state::Shared,
};
use crate::{data::Data, Buffer, Completion, IoBuf, IoBufMut, Request, RwFlags};
use std::{
    fmt,
    future::Future,
    io, mem,
    pin::Pin,
    sync::Arc,
    task::{ready, Context, Poll},
    time::{Duration, Instant},
};
use tokio::time::{sleep_until, Sleep};

/// What a transfer comes to: the number of bytes or the error, and its buffer or
/// buffers.
pub type Transferred<B, E = io::Error> = (Result<usize, E>, B);

/// A read or write, as a future.
///
/// It does nothing until it is polled.  Dropping it cancels it, and then what was read is
/// lost, with the buffer: [`cancel`](Self::cancel) and [`timeout`](Self::timeout) lose
/// nothing.
///
/// ```no_run
/// # async fn example(raio: raio::tokio::Handle, socket: std::net::TcpStream) {
/// let mut read = raio.read(&socket, Vec::with_capacity(4096));
/// tokio::select! {
///     (result, buffer) = &mut read => println!("{result:?}: {buffer:?}"),
///     _ = tokio::task::yield_now() => {
///         // It may be that it was over just then: the bytes are here.
///         let (result, buffer) = read.cancel().await;
///         println!("{result:?}: {buffer:?}");
///     }
/// }
/// # }
/// ```
///
/// `E` is [`io::Error`], or [`Incomplete`] of what is to move all.
///
/// What is in flight can't be touched:
///
/// ```compile_fail,E0382
/// # async fn example(raio: raio::tokio::Handle, socket: std::net::TcpStream) {
/// let buffer = vec![0; 512];
/// let read = raio.read(&socket, buffer);
/// println!("{}", buffer[0]);
/// # }
/// ```
///
/// nor be borrowed beforehand:
///
/// ```compile_fail,E0597
/// # async fn example(raio: raio::tokio::Handle, socket: std::net::TcpStream) {
/// let bytes = [1; 512];
/// let _ = raio.write(&socket, &bytes[..]).await;
/// # }
/// ```
#[must_use = "it does nothing until it is polled"]
pub struct Transfer<'a, B, E = io::Error> {
    machine: Machine<'a>,
    give_back: fn(Completion) -> B,
    fail: fn(usize, io::Error) -> E,
}

impl<'a, B, E> Transfer<'a, B, E> {
    fn new(
        shared: &Arc<Shared>,
        request: Request<'a>,
        extent: Extent,
        give_back: fn(Completion) -> B,
        fail: fn(usize, io::Error) -> E,
    ) -> Self {
        Self {
            machine: Machine::new(shared, request, extent),
            give_back,
            fail,
        }
    }

    /// One try: what can't go on ends with [`WouldBlock`](io::ErrorKind::WouldBlock).
    ///
    /// Without this it waits, also if the file is `O_NONBLOCK`.
    pub fn nonblocking(self) -> Self {
        self.with_flags(RwFlags::NOWAIT)
    }

    /// How it reads or writes: these flags as well.
    pub fn with_flags(mut self, flags: RwFlags) -> Self {
        self.machine.head.flags |= flags;
        self
    }

    /// [`Request::with_barrier`].  The error is
    /// [`Unsupported`](io::ErrorKind::Unsupported) if the module has none.
    pub fn with_barrier(mut self) -> Self {
        self.machine.head.barrier();
        self
    }

    /// Cancels it, if it can be cancelled.  It is to be polled on: it gives the buffer back,
    /// with the number of bytes if some were moved, or else `ECANCELED`.  Nothing of
    /// what was read is lost.
    ///
    /// What can't be cancelled (a driver has it) ends as it ends.
    pub fn cancel(mut self) -> Self {
        self.machine.cancel();
        self
    }

    /// Cancels it after that time, from when it is polled first.  See [`Timeout`].
    pub fn timeout(self, time: Duration) -> Timeout<'a, B, E> {
        Timeout {
            transfer: self,
            time,
            deadline: None,
            timer: None,
            fired: false,
        }
    }

    fn finish(&self, mut completion: Completion) -> Transferred<B, E> {
        let result = mem::replace(&mut completion.result, Ok(0));
        let moved = completion.moved;
        let result = result.map_err(|error| (self.fail)(moved, error));
        (result, (self.give_back)(completion))
    }
}

impl<'a, B: IoBufMut, E> Transfer<'a, B, E> {
    pub(super) fn read(
        shared: &Arc<Shared>,
        mut request: Request<'a>,
        buffer: B,
        extent: Extent,
        fail: fn(usize, io::Error) -> E,
    ) -> Self {
        request.data = Data::read(buffer);
        let give_back = |completion: Completion| {
            let moved = completion.moved;
            let mut buffer: B = buffer_of(completion);
            // SAFETY: So many bytes were read into it, from its start on, and there was
            // room for them: see `Machine::moved`.
            unsafe { buffer.set_buf_init(moved) };
            buffer
        };
        Self::new(shared, request, extent, give_back, fail)
    }
}

impl<'a, B: IoBuf, E> Transfer<'a, B, E> {
    pub(super) fn write(
        shared: &Arc<Shared>,
        mut request: Request<'a>,
        buffer: B,
        extent: Extent,
        fail: fn(usize, io::Error) -> E,
    ) -> Self {
        request.data = Data::write(buffer);
        Self::new(shared, request, extent, buffer_of, fail)
    }
}

impl<'a> Transfer<'a, Vec<Buffer>> {
    pub(super) fn vectored(shared: &Arc<Shared>, request: Request<'a>) -> Self {
        let give_back = |completion: Completion| completion.buffers;
        Self::new(shared, request, Extent::Call, give_back, |_, error| error)
    }
}

fn buffer_of<B: IoBuf>(mut completion: Completion) -> B {
    completion
        .take_buf()
        .expect("the context belongs to the process that forked this one, and has the buffer")
}

impl<B, E> Future for Transfer<'_, B, E> {
    type Output = Transferred<B, E>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let completion = ready!(Pin::new(&mut self.machine).poll(cx));
        Poll::Ready(self.finish(completion))
    }
}

impl<B, E> fmt::Debug for Transfer<'_, B, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transfer").finish_non_exhaustive()
    }
}

/// Not all was moved.
#[derive(Debug)]
#[non_exhaustive]
pub struct Incomplete {
    /// How many bytes were.
    pub moved: usize,
    /// Why there were no more.  The end of the file is
    /// [`UnexpectedEof`](io::ErrorKind::UnexpectedEof).
    pub source: io::Error,
}

impl Incomplete {
    pub(super) fn new(moved: usize, source: io::Error) -> Self {
        Self { moved, source }
    }
}

impl fmt::Display for Incomplete {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "after {} bytes: {}", self.moved, self.source)
    }
}

impl std::error::Error for Incomplete {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.source()
    }
}

impl From<Incomplete> for io::Error {
    fn from(error: Incomplete) -> Self {
        Self::new(error.source.kind(), error)
    }
}

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

impl<B, E> Timeout<'_, B, E> {
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
        if machine.shared().has_deadline && !machine.is_queued() {
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
            let kernel = this.transfer.machine.shared().has_deadline;
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
