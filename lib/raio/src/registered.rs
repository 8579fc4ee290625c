// SPDX-License-Identifier: MIT OR Apache-2.0

//! By what requests name buffers and files that are registered with a context.

use std::{
    num::NonZeroU64,
    os::fd::{AsFd, BorrowedFd},
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
/// [`Context::register_files`](crate::Context::register_files): requests to that context
/// take it in place of an open file.
///
/// It does not keep the file open, the context does.  When the context has unregistered
/// its files, and in any other context, requests with it are refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FixedFile(Place);

impl FixedFile {
    pub(crate) fn new(place: Place) -> Self {
        Self(place)
    }

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{sys, Buffer, Readiness, Request};
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
}
