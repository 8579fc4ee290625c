// SPDX-License-Identifier: MIT OR Apache-2.0

use std::{fmt, io, path::PathBuf};

/// A failed call: which one, and why.
///
/// Its message has all of it, with the limit's numbers where a limit is the reason.
#[derive(Debug)]
pub struct Error {
    call: &'static str,
    kind: ErrorKind,
    path: Option<PathBuf>,
    source: io::Error,
}

/// What the calls of this crate return.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a call failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// There is no device: the module is not loaded.
    NoDevice,
    /// There is no permission to open the device.
    PermissionDenied,
    /// The device is not raio's, or speaks another major version, or an older one that
    /// does not know what is asked for.
    Unsupported,
    /// A limit does not allow it.
    Limit(Limit),
    /// There is no room for a request: completions must be taken first.  The kernel
    /// says the same if it has no memory.
    Full,
    /// The request can't be cancelled: it runs where nothing can end it, a driver has
    /// it, or it has ended.  Its completion will come.
    Running,
    /// There is no such request: its completion was taken.
    Gone,
    /// The request was cancelled, and its completion will come: a thread ran it, and was
    /// interrupted, or [`Builder::cancel_event`](crate::Builder::cancel_event) wants it so.
    Cancelled,
    /// A signal came.
    Interrupted,
    /// The file of a request is not registered with its context, or not any more.  Or
    /// there is nothing to unregister.
    NotRegistered,
    /// The context belongs to the process that has forked this one.
    OtherProcess,
    /// There was an event of no request: the program has written to the ring.  It was
    /// dropped.
    StrayEvent,
    /// Anything else; see [`Error::raw_os_error`].
    Os,
}

/// A limit that was reached, with its numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Limit {
    /// What one context can have.
    Events {
        /// How many were wanted.
        wanted: u32,
        /// How many it can have.
        max: u32,
    },
    /// `fs.raio-max-nr`: the requests that all contexts take.
    System {
        /// How many the context would take: as many as wanted, rounded up to whole pages.
        wanted: u32,
        /// How many there are.
        used: u64,
        /// How many there can be.
        max: u64,
    },
    /// `fs.raio-max-user-nr`: the requests that all contexts of the user take.
    User {
        /// How many the context would take: as many as wanted, rounded up to whole pages.
        wanted: u32,
        /// How many the user has.
        used: u64,
        /// How many a user can have.
        max: u64,
    },
    /// `RLIMIT_MEMLOCK`, which counts the memory of rings and of registered buffers, in
    /// bytes.
    Memlock {
        /// How many were wanted.
        wanted: u64,
        /// How many the process has pinned; others of the user count as well.
        used: u64,
        /// How many it may pin.
        max: u64,
    },
    /// `IOV_MAX`: the buffers of a vectored request.
    Segments {
        /// How many it has.
        wanted: usize,
        /// How many it can have.
        max: usize,
    },
    /// The buffers that a context has registered.
    Buffers {
        /// How many were wanted.
        wanted: usize,
        /// How many it can have.
        max: usize,
    },
}

impl Error {
    pub(crate) fn new(call: &'static str, source: io::Error) -> Self {
        let kind = match source.kind() {
            io::ErrorKind::Interrupted => ErrorKind::Interrupted,
            _ => ErrorKind::Os,
        };
        Self {
            call,
            kind,
            path: None,
            source,
        }
    }

    pub(crate) fn errno(call: &'static str, kind: ErrorKind, errno: i32) -> Self {
        Self::new(call, io::Error::from_raw_os_error(errno)).with_kind(kind)
    }

    /// The module is older than what is asked for.
    pub(crate) fn older(call: &'static str, what: &'static str) -> Self {
        let text = format!("the module is older and has no {what}: load a newer one");
        Self::new(call, io::Error::new(io::ErrorKind::Unsupported, text))
            .with_kind(ErrorKind::Unsupported)
    }

    pub(crate) fn with_kind(self, kind: ErrorKind) -> Self {
        Self { kind, ..self }
    }

    pub(crate) fn with_path(self, path: PathBuf) -> Self {
        Self {
            path: Some(path),
            ..self
        }
    }

    /// The call that failed, as `"RAIO_IOC_SUBMIT"`.
    pub fn call(&self) -> &'static str {
        self.call
    }

    /// Why it failed.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The limit that was reached, if one was.
    pub fn limit(&self) -> Option<Limit> {
        match self.kind {
            ErrorKind::Limit(limit) => Some(limit),
            _ => None,
        }
    }

    /// The `errno`, where the failure was the kernel's.
    pub fn raw_os_error(&self) -> Option<i32> {
        self.source.raw_os_error()
    }

    /// The error below, without the call.
    pub fn into_io_error(self) -> io::Error {
        self.source
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.call)?;
        if let Some(path) = &self.path {
            write!(f, " {}", path.display())?;
        }
        f.write_str(": ")?;
        match self.kind {
            ErrorKind::Limit(limit) => limit.fmt(f),
            ErrorKind::NoDevice => write!(
                f,
                "{}; is the module loaded? As root: modprobe raio",
                self.source
            ),
            ErrorKind::PermissionDenied => write!(
                f,
                "{}; the udev rule 70-raio.rules lets users open it",
                self.source
            ),
            ErrorKind::Full => write!(f, "no room for a request: {}", self.source),
            ErrorKind::Running => {
                f.write_str("the request runs, or has ended: its completion will come")
            }
            ErrorKind::Gone => f.write_str("there is no such request in flight"),
            ErrorKind::Cancelled => {
                f.write_str("the request is cancelled: its completion will come")
            }
            ErrorKind::OtherProcess => {
                f.write_str("the context belongs to the process that forked this one")
            }
            ErrorKind::NotRegistered => f.write_str("not registered with the context"),
            ErrorKind::StrayEvent => f.write_str("an event of no request was in the ring"),
            ErrorKind::Unsupported | ErrorKind::Interrupted | ErrorKind::Os => self.source.fmt(f),
        }
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Events { wanted, max } => {
                write!(f, "{wanted} events: a context can have {max}")
            }
            Self::System { wanted, used, max } => write!(
                f,
                "{wanted} requests: fs.raio-max-nr is {max}, of which {used} are in use"
            ),
            Self::User { wanted, used, max } => write!(
                f,
                "{wanted} requests: fs.raio-max-user-nr is {max}, of which {used} are in use"
            ),
            Self::Memlock { wanted, used, max } => write!(
                f,
                "{wanted} bytes to be pinned: RLIMIT_MEMLOCK is {max}, of which {used} are in use"
            ),
            Self::Segments { wanted, max } => {
                write!(f, "{wanted} buffers: a request can have {max}")
            }
            Self::Buffers { wanted, max } => {
                write!(f, "{wanted} buffers: a context can have {max} registered")
            }
        }
    }
}

impl std::error::Error for Error {
    /// What is below the error of the operating system, whose text is in the message.
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.source()
    }
}

impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        Self::new(error.source.kind(), error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_call_limit_and_numbers() {
        let limit = Limit::User {
            wanted: 70000,
            used: 128,
            max: 32768,
        };
        let error = Error::errno("RAIO_IOC_SETUP", ErrorKind::Limit(limit), libc::EAGAIN);
        assert_eq!(
            error.to_string(),
            "RAIO_IOC_SETUP: 70000 requests: fs.raio-max-user-nr is 32768, of which 128 are in use"
        );
        assert_eq!(error.limit(), Some(limit));
        assert_eq!(error.raw_os_error(), Some(libc::EAGAIN));
        assert_eq!(io::Error::from(error).kind(), io::ErrorKind::WouldBlock);
    }

    #[test]
    fn says_how_to_get_a_device() {
        let error = Error::errno("open", ErrorKind::NoDevice, libc::ENOENT)
            .with_path("/dev/raio".into())
            .to_string();
        assert!(error.starts_with("open /dev/raio: No such file"), "{error}");
        assert!(error.ends_with("modprobe raio"), "{error}");
    }

    #[test]
    fn a_signal_is_a_kind_of_its_own() {
        let error = Error::new(
            "RAIO_IOC_GETEVENTS",
            io::Error::from_raw_os_error(libc::EINTR),
        );
        assert_eq!(error.kind(), ErrorKind::Interrupted);
    }
}
