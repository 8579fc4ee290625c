// SPDX-License-Identifier: MIT OR Apache-2.0

use super::{
    machine::{Extent, Machine},
    state::SharedRef,
};
use crate::{
    data::Data, registered::sealed::File, request::Position, Buffer, Completion, IoBuf, IoBufMut,
    Operation, Request, RwFlags,
};
use std::{
    fmt,
    future::Future,
    io, mem,
    pin::Pin,
    task::{ready, Context, Poll},
};

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
    pub(super) machine: Machine<'a>,
    pub(super) give_back: fn(Completion) -> B,
    fail: fn(usize, io::Error) -> E,
}

impl<'a, B, E> Transfer<'a, B, E> {
    fn new(
        shared: SharedRef<'a>,
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

    pub(super) fn finish(&self, mut completion: Completion) -> Transferred<B, E> {
        let result = mem::replace(&mut completion.result, Ok(0));
        let moved = completion.moved;
        let result = result.map_err(|error| (self.fail)(moved, error));
        (result, (self.give_back)(completion))
    }
}

/// The error of a transfer, which says how much of it is to be done.
pub(super) trait Failure {
    const EXTENT: Extent;

    /// After so many bytes.
    fn new(moved: usize, error: io::Error) -> Self;
}

impl Failure for io::Error {
    const EXTENT: Extent = Extent::Call;

    fn new(_: usize, error: io::Error) -> Self {
        error
    }
}

impl Failure for Incomplete {
    const EXTENT: Extent = Extent::All;

    fn new(moved: usize, source: io::Error) -> Self {
        Self { moved, source }
    }
}

impl<'a, B: IoBuf, E> Transfer<'a, B, E> {
    pub(super) fn read(shared: SharedRef<'a>, at: (File<'a>, Position), buffer: B) -> Self
    where
        B: IoBufMut,
        E: Failure,
    {
        let give_back = |completion: Completion| {
            let moved = completion.moved;
            let mut buffer: B = buffer_of(completion);
            // SAFETY: So many bytes were read into it, from its start on, and there was
            // room for them: see `Machine::moved`.
            unsafe { buffer.set_buf_init(moved) };
            buffer
        };
        Self::one(shared, Operation::Read, at, Data::read(buffer), give_back)
    }

    pub(super) fn write(shared: SharedRef<'a>, at: (File<'a>, Position), buffer: B) -> Self
    where
        E: Failure,
    {
        Self::one(shared, Operation::Write, at, Data::write(buffer), buffer_of)
    }

    fn one(
        shared: SharedRef<'a>,
        operation: Operation,
        (file, position): (File<'a>, Position),
        data: Data,
        give_back: fn(Completion) -> B,
    ) -> Self
    where
        E: Failure,
    {
        let request = Request::new(operation, file, data, position);
        Self::new(shared, request, E::EXTENT, give_back, E::new)
    }
}

impl<'a> Transfer<'a, Vec<Buffer>> {
    pub(super) fn vectored(shared: SharedRef<'a>, request: Request<'a>) -> Self {
        let give_back = |completion: Completion| completion.buffers;
        Self::new(shared, request, Extent::Call, give_back, Failure::new)
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
