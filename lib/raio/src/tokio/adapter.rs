// SPDX-License-Identifier: MIT OR Apache-2.0

use super::{
    handle::Handle,
    transfer::{Incomplete, Transfer},
};
use crate::{registered::sealed::File, request::Position, Buffer, IoBuf, Slice};
use std::{
    fmt, io, mem,
    os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd},
    pin::Pin,
    task::{ready, Context, Poll},
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A file as tokio's [`AsyncRead`] and [`AsyncWrite`].
///
/// These borrow the memory of their callers only while they are polled, and the kernel
/// wants it for longer: so there are two buffers in here, and **each byte is copied
/// once**.  [`Handle::read`] and [`Handle::write`] do not copy.
///
/// It is one of two:
///
/// - a [stream](Self::stream): a socket, a pipe, a terminal;
/// - a [file](Self::file) with a position of its own.
///
/// **Reads** get what is there, up to the buffer.  If a read is dropped its bytes stay in
/// here for the next.
///
/// **Writes** are taken when they are copied, as those of `tokio::fs::File`: an error
/// comes from the next write, flush or shutdown.  Flush waits until all is written;
/// **without it, what was written may be lost when this is dropped**.  Flush does not make it
/// durable.
///
/// **Shutdown** flushes, and tells the peer of a socket that nothing more comes.
///
/// ```no_run
/// # async fn example(raio: raio::tokio::Handle, socket: std::net::TcpStream) -> std::io::Result<()> {
/// use tokio::io::{AsyncReadExt, AsyncWriteExt};
///
/// let mut stream = raio::tokio::Io::stream(&raio, socket);
/// stream.write_all(b"hello").await?;
/// stream.flush().await?;
/// let mut answer = String::new();
/// stream.read_to_string(&mut answer).await?;
/// stream.shutdown().await?;
/// # Ok(())
/// # }
/// ```
pub struct Io {
    handle: Handle,
    fd: OwnedFd,
    /// Of a file: that of the next byte, as the caller sees it.
    position: Option<u64>,
    reading: Reading,
    writing: Writing,
    capacity: usize,
}

type Read = Transfer<'static, Buffer>;
type Write = Transfer<'static, Slice<Buffer>, Incomplete>;

enum Reading {
    /// The bytes from the first number on, up to the second, are to be given away.
    Idle(Buffer, usize, usize),
    /// What it reads is not wanted any more, if the flag is set.
    Busy(Box<Read>, bool),
}

enum Writing {
    Idle(Buffer),
    Busy(Box<Write>),
}

impl Io {
    /// The size of each of the two buffers, if not told otherwise.
    pub const CAPACITY: usize = 16 << 10;

    /// A stream.
    ///
    /// A socket of tokio goes in by `into_std()`, which leaves it `O_NONBLOCK`: that does
    /// not matter here.
    pub fn stream(handle: &Handle, fd: impl Into<OwnedFd>) -> Self {
        Self::new(handle, fd.into(), None)
    }

    /// A file, from that position on.
    pub fn file(handle: &Handle, fd: impl Into<OwnedFd>, position: u64) -> Self {
        Self::new(handle, fd.into(), Some(position))
    }

    fn new(handle: &Handle, fd: OwnedFd, position: Option<u64>) -> Self {
        Self {
            handle: handle.clone(),
            fd,
            position,
            reading: Reading::Idle(Buffer::new(0), 0, 0),
            writing: Writing::Idle(Buffer::new(0)),
            capacity: Self::CAPACITY,
        }
    }

    /// Another size of each of the two buffers, which are made when they are needed.
    ///
    /// # Panics
    ///
    /// If it is 0.
    pub fn with_capacity(mut self, capacity: usize) -> Self {
        assert!(capacity > 0, "no room for a byte");
        self.capacity = capacity;
        self
    }

    /// Of a [file](Self::file): the position of the next byte that is read or written.
    pub fn position(&self) -> Option<u64> {
        self.position
    }

    /// Goes elsewhere in a [file](Self::file).  Of a stream it does nothing.
    pub fn set_position(&mut self, position: u64) {
        if self.position.is_some() && self.position != Some(position) {
            self.position = Some(position);
            self.forget_read();
        }
    }

    /// What was read ahead is not what comes next.
    fn forget_read(&mut self) {
        match &mut self.reading {
            Reading::Idle(_, begin, end) => *begin = *end,
            Reading::Busy(_, stale) => *stale = true,
        }
    }

    fn advance(&mut self, bytes: usize) {
        if let Some(position) = &mut self.position {
            *position += bytes as u64;
        }
    }

    /// The file and where, for a transfer that this owns.
    fn target(&self) -> (File<'static>, Position) {
        // SAFETY: It is open as long as `self.fd`, which lives as long as the transfers: they
        // leave `self` only to be dropped, and there is no way to take `fd` out of it.
        let fd = unsafe { BorrowedFd::borrow_raw(self.fd.as_raw_fd()) };
        let position = self.position.map_or(Position::Current, Position::At);
        (File::Open(fd), position)
    }

    fn start_read(&self, buffer: Buffer) -> Reading {
        let buffer = sized(buffer, self.capacity);
        let read = Transfer::read(self.handle.owned(), self.target(), buffer);
        Reading::Busy(Box::new(read), false)
    }

    fn start_write(&self, buffer: Buffer, bytes: &[u8]) -> Writing {
        let mut buffer = sized(buffer, self.capacity);
        buffer[..bytes.len()].copy_from_slice(bytes);
        let part = buffer.slice(..bytes.len());
        let write = Transfer::write(self.handle.owned(), self.target(), part);
        Writing::Busy(Box::new(write))
    }

    /// Waits for the write that there is.
    fn poll_written(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Writing::Busy(write) = &mut self.writing else {
            return Poll::Ready(Ok(()));
        };
        let (result, part) = ready!(poll(&mut **write, cx));
        self.writing = Writing::Idle(part.into_inner());
        Poll::Ready(result.map(drop).map_err(io::Error::from))
    }
}

fn poll<F: std::future::Future + Unpin>(future: &mut F, cx: &mut Context<'_>) -> Poll<F::Output> {
    Pin::new(future).poll(cx)
}

/// The buffer, or a new one if it is not of that size.
fn sized(buffer: Buffer, capacity: usize) -> Buffer {
    match buffer.len() == capacity {
        true => buffer,
        false => Buffer::new(capacity),
    }
}

impl AsyncRead for Io {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        to: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if to.remaining() == 0 {
            return Poll::Ready(Ok(()));
        }
        // Of a file, what was written before is to be seen.
        if this.position.is_some() {
            ready!(this.poll_written(cx))?;
        }
        loop {
            match &mut this.reading {
                Reading::Idle(buffer, begin, end) if *begin < *end => {
                    let len = to.remaining().min(*end - *begin);
                    to.put_slice(&buffer[*begin..*begin + len]);
                    *begin += len;
                    this.advance(len);
                    return Poll::Ready(Ok(()));
                }
                Reading::Idle(buffer, ..) => {
                    let buffer = mem::replace(buffer, Buffer::new(0));
                    this.reading = this.start_read(buffer);
                }
                Reading::Busy(read, stale) => {
                    let stale = *stale;
                    let (result, buffer) = ready!(poll(&mut **read, cx));
                    let (result, len) = match result {
                        Ok(len) => (Ok(()), len),
                        Err(error) => (Err(error), 0),
                    };
                    this.reading = Reading::Idle(buffer, 0, len);
                    if stale {
                        this.forget_read();
                    } else if len == 0 {
                        return Poll::Ready(result);
                    }
                }
            }
        }
    }
}

impl AsyncWrite for Io {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        ready!(this.poll_written(cx))?;
        if bytes.is_empty() {
            return Poll::Ready(Ok(0));
        }
        let bytes = &bytes[..bytes.len().min(this.capacity)];
        if let Writing::Idle(buffer) = &mut this.writing {
            let buffer = mem::replace(buffer, Buffer::new(0));
            this.writing = this.start_write(buffer, bytes);
        }
        if this.position.is_some() {
            this.forget_read();
        }
        // It begins here, and may be over at once.
        if let Poll::Ready(Err(error)) = this.poll_written(cx) {
            return Poll::Ready(Err(error));
        }
        this.advance(bytes.len());
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_written(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_written(cx))?;
        if self.position.is_some() {
            return Poll::Ready(Ok(()));
        }
        // SAFETY: It only ends what can be written to a socket.
        if unsafe { libc::shutdown(self.fd.as_raw_fd(), libc::SHUT_WR) } == 0 {
            return Poll::Ready(Ok(()));
        }
        let error = io::Error::last_os_error();
        Poll::Ready(match error.raw_os_error() {
            // Of others, and of a socket that has no peer any more, there is nothing to end.
            Some(libc::ENOTSOCK | libc::ENOTCONN) => Ok(()),
            _ => Err(error),
        })
    }
}

impl AsFd for Io {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl fmt::Debug for Io {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Io")
            .field("fd", &self.fd)
            .field("position", &self.position)
            .finish_non_exhaustive()
    }
}
