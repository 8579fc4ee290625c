// SPDX-License-Identifier: MIT OR Apache-2.0

//! Buffers and files that a context's requests name by their index.

use crate::{
    data::IoVec,
    device::{memlock_limit, page_size},
    sys,
    wait::address,
    Buffer, Context, Error, ErrorKind, Limit, Result,
};
use std::{
    num::NonZeroU64,
    os::fd::{AsFd, AsRawFd, BorrowedFd},
    sync::atomic::{AtomicU64, Ordering},
};

/// One call that has registered buffers or files.  No other of this process is ever
/// the same, whatever the context.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Registration(NonZeroU64);

impl Registration {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        Self(NonZeroU64::MIN.saturating_add(COUNT.fetch_add(1, Ordering::Relaxed)))
    }
}

/// What a registration knows a buffer or file by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Place {
    registration: Registration,
    index: u32,
}

impl Place {
    pub(crate) fn new(registration: Registration, index: u32) -> Self {
        Self {
            registration,
            index,
        }
    }

    /// The index, if this is the registration that there is.
    pub(crate) fn index_in(self, current: Option<Registration>) -> Option<u32> {
        (current == Some(self.registration)).then_some(self.index)
    }
}

/// What a context has registered now.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Registered {
    pub(crate) buffers: Option<Registration>,
    pub(crate) files: Option<Registration>,
}

impl Registered {
    pub(crate) const NONE: Self = Self {
        buffers: None,
        files: None,
    };
}

/// A file that was registered with a context, by
/// [`Context::register_files`]: requests to that context take it in place of an open
/// file.
///
/// It does not keep the file open, the context does.  When the context has unregistered
/// its files, and in any other context, requests with it are refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FixedFile(Place);

impl FixedFile {
    pub(crate) fn index_in(self, registered: &Registered) -> Option<u32> {
        self.0.index_in(registered.files)
    }
}

/// What a request is for: an open file, by a reference to anything that is [`AsFd`], or
/// a [`FixedFile`].
///
/// It can't be implemented for other types.
pub trait Target<'fd>: sealed::Target<'fd> {}

impl<'fd, T: AsFd + ?Sized> Target<'fd> for &'fd T {}
impl Target<'_> for FixedFile {}

pub(crate) mod sealed {
    use super::{AsFd, BorrowedFd, FixedFile};

    /// The file of a request.
    #[derive(Clone, Copy, Debug)]
    pub enum File<'fd> {
        None,
        Open(BorrowedFd<'fd>),
        Fixed(FixedFile),
    }

    pub trait Target<'fd> {
        fn file(self) -> File<'fd>;
    }

    impl<'fd, T: AsFd + ?Sized> Target<'fd> for &'fd T {
        fn file(self) -> File<'fd> {
            File::Open(self.as_fd())
        }
    }

    impl<'fd> Target<'fd> for FixedFile {
        fn file(self) -> File<'fd> {
            File::Fixed(self)
        }
    }
}

impl Context {
    /// The largest number of buffers that a context can have registered.
    pub const MAX_BUFFERS: usize = 1 << 14;

    /// Pins the memory of these buffers once, so that requests with them need not do so
    /// each time: reads and writes of one buffer, to this context.  Nothing has to be
    /// said with the request.
    ///
    /// With other contexts, and in vectored requests, they are buffers as all others; so
    /// they are again when they were unregistered.  A buffer is known to the context that
    /// has registered it last.
    ///
    /// The memory, up to the capacities, counts for `RLIMIT_MEMLOCK`: until
    /// [`unregister_buffers`](Self::unregister_buffers) or the end of the context, even if
    /// a buffer is dropped.  A buffer can have 1 GiB, and a context
    /// [`MAX_BUFFERS`](Self::MAX_BUFFERS).
    ///
    /// If the context has registered buffers the error is `EBUSY`: they are registered
    /// all at once.
    pub fn register_buffers(&mut self, buffers: &mut [Buffer]) -> Result<()> {
        let iovecs: Vec<IoVec> = buffers.iter().map(Buffer::memory).collect();
        // SAFETY: The array is one of as many iovecs, and outlives the call.  What the
        // kernel writes to the memory later is what requests are to read, which name
        // it only by buffers that own it: see `Buffer`.
        unsafe {
            self.register(
                sys::RAIO_REGISTER_BUFFERS,
                iovecs.len(),
                address(&iovecs[..]),
            )
        }
        .map_err(|error| explain_buffers(error, &iovecs))?;
        let registration = Registration::new();
        self.registered.buffers = Some(registration);
        for (buffer, index) in buffers.iter_mut().zip(0..) {
            // SAFETY: Its memory was registered under that index.
            unsafe { buffer.set_place(Place::new(registration, index)) };
        }
        Ok(())
    }

    /// Unpins the buffers; those of requests in flight when these have ended.
    pub fn unregister_buffers(&mut self) -> Result<()> {
        // SAFETY: There is no array.
        unsafe { self.register(sys::RAIO_UNREGISTER_BUFFERS, 0, 0) }?;
        self.registered.buffers = None;
        Ok(())
    }

    /// Looks these files up once, so that requests need not do so each time.  Requests
    /// are made with what this returns, in the order of the files.
    ///
    /// ```no_run
    /// # use raio::{Buffer, Context, Request};
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let mut context = Context::new(8)?;
    /// let mut buffers = [Buffer::new(4096)];
    /// context.register_buffers(&mut buffers)?;
    /// let file = std::fs::File::open("/etc/os-release")?;
    /// let fixed = context.register_files(&[file])?[0];
    /// let [buffer] = buffers;
    /// context.submit_one(Request::read_at(fixed, buffer, 0))?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// The files stay open until [`unregister_files`](Self::unregister_files) or the end of
    /// the context.  There can be as many as the process may have open.
    ///
    /// If the context has registered files the error is `EBUSY`: they are registered all
    /// at once.
    pub fn register_files(&mut self, files: &[impl AsFd]) -> Result<Vec<FixedFile>> {
        let fds: Vec<i32> = files.iter().map(|file| file.as_fd().as_raw_fd()).collect();
        // Memory is short before they are registered, not after.
        let mut fixed = Vec::with_capacity(fds.len());
        // SAFETY: The array is one of as many numbers, and outlives the call.
        unsafe { self.register(sys::RAIO_REGISTER_FILES, fds.len(), address(&fds[..])) }?;
        let registration = Registration::new();
        self.registered.files = Some(registration);
        let place = |index| Place::new(registration, index);
        fixed.extend((0..).take(fds.len()).map(place).map(FixedFile));
        Ok(fixed)
    }

    /// Lets go of the files; those of requests in flight when these have ended.
    pub fn unregister_files(&mut self) -> Result<()> {
        // SAFETY: There is no array.
        unsafe { self.register(sys::RAIO_UNREGISTER_FILES, 0, 0) }?;
        self.registered.files = None;
        Ok(())
    }
}

/// Which limit did not allow it to register that memory.
fn explain_buffers(error: Error, iovecs: &[IoVec]) -> Error {
    let limit = match error.raw_os_error() {
        Some(libc::EINVAL) if iovecs.len() > Context::MAX_BUFFERS => Some(Limit::Buffers {
            wanted: iovecs.len(),
            max: Context::MAX_BUFFERS,
        }),
        Some(libc::ENOMEM) => {
            let page = page_size();
            memlock_limit(iovecs.iter().map(|iovec| iovec.pinned(page)).sum())
        }
        _ => None,
    };
    match limit {
        Some(limit) => error.with_kind(ErrorKind::Limit(limit)),
        None => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Readiness, Request};
    use std::fs::File;

    const FIXED_BUFFER: u32 = sys::RAIO_IOCB_FLAG_FIXED_BUFFER;
    const FIXED_FILE: u32 = sys::RAIO_IOCB_FLAG_FIXED_FILE;

    fn now(registration: Registration) -> Registered {
        Registered {
            buffers: Some(registration),
            files: Some(registration),
        }
    }

    fn registered_buffer(place: Place) -> Buffer {
        let mut buffer = Buffer::from(vec![0; 8]);
        // SAFETY: It is never submitted.
        unsafe { buffer.set_place(place) };
        buffer
    }

    #[test]
    fn a_buffer_has_an_index_where_it_is_registered() {
        let (here, elsewhere) = (Registration::new(), Registration::new());
        let file = File::open("/dev/null").unwrap();
        let request = Request::read_at(&file, registered_buffer(Place::new(here, 7)), 0);
        let iocb = request.iocb(0, &now(here), u64::MAX);
        assert_eq!((iocb.aio_flags, iocb.aio_reserved2), (FIXED_BUFFER, 7));
        for other in [now(elsewhere), Registered::NONE] {
            let iocb = request.iocb(0, &other, u64::MAX);
            assert_eq!((iocb.aio_flags, iocb.aio_reserved2), (0, 0));
        }
    }

    #[test]
    fn a_buffer_of_the_same_memory_is_not_the_same() {
        let here = Registration::new();
        let file = File::open("/dev/null").unwrap();
        let buffer = registered_buffer(Place::new(here, 0));
        let address = buffer.address();
        let again = Buffer::from(buffer.into_vec());
        assert_eq!(again.address(), address);
        let iocb = Request::write_at(&file, again, 0).iocb(0, &now(here), u64::MAX);
        assert_eq!(iocb.aio_flags, 0);
    }

    #[test]
    fn some_are_never_known_by_an_index() {
        let here = Registration::new();
        let file = File::open("/dev/null").unwrap();
        let mut empty = Buffer::new(0);
        // SAFETY: As above.
        unsafe { empty.set_place(Place::new(here, 0)) };
        let vector = vec![registered_buffer(Place::new(here, 0))];
        for request in [
            Request::read_at(&file, empty, 0),
            Request::read_vectored_at(&file, vector, 0),
            Request::fsync(&file),
        ] {
            let iocb = request.iocb(0, &now(here), u64::MAX);
            assert_eq!((iocb.aio_flags, iocb.aio_reserved2), (0, 0));
        }
    }

    #[test]
    fn a_file_has_an_index_where_it_is_registered() {
        let (here, elsewhere) = (Registration::new(), Registration::new());
        let file = FixedFile(Place::new(here, 7));
        for request in [
            Request::read_at(file, Buffer::new(1), 0),
            Request::write_vectored_at(file, Vec::new(), 0),
            Request::fdsync(file),
            Request::poll(file, Readiness::IN),
        ] {
            let iocb = request.iocb(0, &now(here), u64::MAX);
            assert_eq!((iocb.aio_flags, iocb.aio_fildes), (FIXED_FILE, 7));
            assert!(!request.lacks_file(&now(here)));
            for other in [now(elsewhere), Registered::NONE] {
                let iocb = request.iocb(0, &other, u64::MAX);
                assert_eq!((iocb.aio_flags, iocb.aio_fildes), (0, u32::MAX));
                assert!(request.lacks_file(&other));
            }
        }
    }

    #[test]
    fn what_is_pinned_are_whole_pages() {
        let pinned = |base, len| IoVec { base, len }.pinned(4096);
        assert_eq!(pinned(4096, 4096), 4096);
        assert_eq!(pinned(8191, 2), 8192);
        assert_eq!(pinned(0, 0), 0);
    }
}
