// SPDX-License-Identifier: MIT OR Apache-2.0

use super::{
    driver::drive,
    machine::{Extent, Machine},
    operation::closed,
    state::{Shared, SharedRef},
    transfer::{Incomplete, Transfer},
};
use crate::{
    registered::sealed::Target as _, request::Position, Buffer, Completion, Context, IoBuf,
    IoBufMut, Output, Readiness, Request,
};
use std::{
    fmt,
    future::{poll_fn, Future},
    io,
    os::fd::AsFd,
    sync::Arc,
    task::Poll,
};
use tokio::io::{unix::AsyncFd, Interest};

/// A context on a tokio runtime.  Clones are the same one.
///
/// Nothing of a request is started before its future is polled.
#[derive(Clone)]
pub struct Handle(Arc<Owner>);

/// Closes when the last handle is gone; the driver holds what is inside.
struct Owner(Arc<Shared>);

impl Drop for Owner {
    fn drop(&mut self) {
        self.0.close();
    }
}

impl Handle {
    /// A context for up to that many requests at a time, whose completions are taken
    /// by a task of the current runtime.
    ///
    /// # Panics
    ///
    /// Outside of a runtime, and in one without I/O
    /// ([`enable_io`](tokio::runtime::Builder::enable_io)).
    pub fn new(nr_events: u32) -> io::Result<Self> {
        Self::from_context(Context::new(nr_events)?)
    }

    /// The same with a context that was made already.  It must have no requests.
    ///
    /// # Panics
    ///
    /// As [`new`](Self::new).
    pub fn from_context(context: Context) -> io::Result<Self> {
        if context.in_flight() > 0 {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "the context has requests in flight",
            ));
        }
        // The same open file, by another number: epoll wants one that stays.
        let fd = context.as_fd().try_clone_to_owned()?;
        // SAFETY: An `OwnedFd` is always the same number, open until it is dropped, and
        // there is no way to get at it but through the `AsyncFd`, which has no `mut` use.
        let fd = unsafe { AsyncFd::register_with_interest(fd, Interest::READABLE)? };
        let shared = Arc::new(Shared::new(context));
        tokio::spawn(drive(Arc::clone(&shared), fd));
        Ok(Self(Arc::new(Owner(shared))))
    }

    fn shared(&self) -> &Shared {
        &self.0 .0
    }

    pub(super) fn owned(&self) -> SharedRef<'static> {
        SharedRef::Owned(Arc::clone(&self.0 .0))
    }

    fn by_ref(&self) -> SharedRef<'_> {
        SharedRef::Borrowed(self.shared())
    }

    /// The number of requests that can be in flight at a time.
    pub fn capacity(&self) -> usize {
        self.shared().with(|state, _| state.context.capacity())
    }

    /// The number of requests that are in flight now.
    pub fn in_flight(&self) -> usize {
        self.shared().with(|state, _| state.context.in_flight())
    }

    /// Does what the request says.
    ///
    /// One that is not taken has the error in its completion, as one that fails later.
    /// Its user data is not kept.  As all transfers here it waits though the file is
    /// `O_NONBLOCK`, but for one with an eventfd, which would count each try, and for
    /// one that is [`nonblocking`](Request::nonblocking).
    pub fn submit<'a>(
        &'a self,
        request: Request<'a>,
    ) -> impl Future<Output = Completion> + Send + 'a {
        Machine::new(self.by_ref(), request, Extent::Call)
    }

    fn done<'a>(
        &'a self,
        request: Request<'a>,
    ) -> impl Future<Output = io::Result<()>> + Send + 'a {
        let operation = self.submit(request);
        async move { operation.await.result.map(drop) }
    }

    /// Reads from a stream, or at the position of the open file, which it moves.
    ///
    /// It waits for data, also if the file is `O_NONBLOCK`.  It is 0 at the end.
    pub fn read<'a, B: IoBufMut>(&'a self, fd: &'a impl AsFd, buffer: B) -> Transfer<'a, B> {
        let at = (fd.file(), Position::Current);
        Transfer::read(self.by_ref(), at, buffer)
    }

    /// Writes to a stream, or at the position of the open file, which it moves.
    ///
    /// It goes on until all is written, also if the file is `O_NONBLOCK`; fewer bytes are
    /// written if there is an error after these.
    pub fn write<'a, B: IoBuf>(&'a self, fd: &'a impl AsFd, buffer: B) -> Transfer<'a, B> {
        let at = (fd.file(), Position::Current);
        Transfer::write(self.by_ref(), at, buffer)
    }

    /// Reads from that offset of a file.
    pub fn read_at<'a, B: IoBufMut>(
        &'a self,
        fd: &'a impl AsFd,
        buffer: B,
        offset: u64,
    ) -> Transfer<'a, B> {
        let at = (fd.file(), Position::At(offset));
        Transfer::read(self.by_ref(), at, buffer)
    }

    /// Writes to that offset of a file.
    pub fn write_at<'a, B: IoBuf>(
        &'a self,
        fd: &'a impl AsFd,
        buffer: B,
        offset: u64,
    ) -> Transfer<'a, B> {
        let at = (fd.file(), Position::At(offset));
        Transfer::write(self.by_ref(), at, buffer)
    }

    /// [`read`](Self::read) until the buffer is full: up to its capacity.  The end before
    /// that is an error, which tells how much was read.
    pub fn read_exact<'a, B: IoBufMut>(
        &'a self,
        fd: &'a impl AsFd,
        buffer: B,
    ) -> Transfer<'a, B, Incomplete> {
        let at = (fd.file(), Position::Current);
        Transfer::read(self.by_ref(), at, buffer)
    }

    /// [`write`](Self::write) until all is written; an error tells how much was.
    pub fn write_all<'a, B: IoBuf>(
        &'a self,
        fd: &'a impl AsFd,
        buffer: B,
    ) -> Transfer<'a, B, Incomplete> {
        let at = (fd.file(), Position::Current);
        Transfer::write(self.by_ref(), at, buffer)
    }

    /// [`read_exact`](Self::read_exact), from that offset of a file.
    pub fn read_exact_at<'a, B: IoBufMut>(
        &'a self,
        fd: &'a impl AsFd,
        buffer: B,
        offset: u64,
    ) -> Transfer<'a, B, Incomplete> {
        let at = (fd.file(), Position::At(offset));
        Transfer::read(self.by_ref(), at, buffer)
    }

    /// [`write_all`](Self::write_all), to that offset of a file.
    pub fn write_all_at<'a, B: IoBuf>(
        &'a self,
        fd: &'a impl AsFd,
        buffer: B,
        offset: u64,
    ) -> Transfer<'a, B, Incomplete> {
        let at = (fd.file(), Position::At(offset));
        Transfer::write(self.by_ref(), at, buffer)
    }

    /// [`Request::read_vectored_at`].
    pub fn read_vectored_at<'a>(
        &'a self,
        fd: &'a impl AsFd,
        buffers: Vec<Buffer>,
        offset: u64,
    ) -> Transfer<'a, Vec<Buffer>> {
        let request = Request::read_vectored_at(fd, buffers, offset);
        Transfer::vectored(self.by_ref(), request)
    }

    /// [`Request::write_vectored_at`].
    pub fn write_vectored_at<'a>(
        &'a self,
        fd: &'a impl AsFd,
        buffers: Vec<Buffer>,
        offset: u64,
    ) -> Transfer<'a, Vec<Buffer>> {
        let request = Request::write_vectored_at(fd, buffers, offset);
        Transfer::vectored(self.by_ref(), request)
    }

    /// [`Request::read_vectored`].
    pub fn read_vectored<'a>(
        &'a self,
        fd: &'a impl AsFd,
        buffers: Vec<Buffer>,
    ) -> Transfer<'a, Vec<Buffer>> {
        Transfer::vectored(self.by_ref(), Request::read_vectored(fd, buffers))
    }

    /// [`Request::write_vectored`].  To a file that is `O_NONBLOCK` it may write less
    /// than all.
    pub fn write_vectored<'a>(
        &'a self,
        fd: &'a impl AsFd,
        buffers: Vec<Buffer>,
    ) -> Transfer<'a, Vec<Buffer>> {
        Transfer::vectored(self.by_ref(), Request::write_vectored(fd, buffers))
    }

    /// [`Request::fsync`].
    pub fn fsync<'a>(
        &'a self,
        fd: &'a impl AsFd,
    ) -> impl Future<Output = io::Result<()>> + Send + 'a {
        self.done(Request::fsync(fd))
    }

    /// [`Request::fdsync`].
    pub fn fdsync<'a>(
        &'a self,
        fd: &'a impl AsFd,
    ) -> impl Future<Output = io::Result<()>> + Send + 'a {
        self.done(Request::fdsync(fd))
    }

    /// [`Request::poll`]: waits until the file is ready for one of the events.
    pub fn poll<'a>(
        &'a self,
        fd: &'a impl AsFd,
        events: Readiness,
    ) -> impl Future<Output = io::Result<Readiness>> + Send + 'a {
        let operation = self.submit(Request::poll(fd, events));
        async move {
            let completion = operation.await;
            match completion.output() {
                Ok(Output::Ready(readiness)) => Ok(readiness),
                _ => Err(completion.result.err().unwrap_or_else(closed)),
            }
        }
    }

    /// Takes no more requests, cancels those that can be cancelled, and waits until
    /// the others have ended.  Their futures have what came of them.
    pub async fn shutdown(&self) {
        self.shared().close();
        poll_fn(|cx| {
            let waker = cx.waker().clone();
            self.shared().with(|state, _| {
                if state.ended {
                    return Poll::Ready(());
                }
                state.waiting.push(waker);
                Poll::Pending
            })
        })
        .await;
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle")
            .field("capacity", &self.capacity())
            .field("in_flight", &self.in_flight())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn handles_and_futures_can_go_to_other_threads() {
        fn send<T: Send>(_: impl FnOnce(&'static Handle) -> T) {}
        static FILE: std::sync::OnceLock<std::io::Stdin> = std::sync::OnceLock::new();
        fn send_sync<T: Send + Sync>() {}
        send_sync::<Handle>();
        send(|handle| handle.submit(Request::noop()));
        send(|handle| handle.shutdown());
        send(|handle| handle.read_at(FILE.get_or_init(std::io::stdin), Buffer::new(1), 0));
    }
}
