// SPDX-License-Identifier: MIT OR Apache-2.0

use std::{fmt, io};

/// A failed call: which one, and why.
#[derive(Debug)]
pub struct Error {
    call: &'static str,
    source: io::Error,
}

/// What the calls of this crate return.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    pub(crate) fn new(call: &'static str, source: io::Error) -> Self {
        Self { call, source }
    }

    /// The call that failed, as `"RAIO_IOC_SUBMIT"`.
    pub fn call(&self) -> &'static str {
        self.call
    }

    /// The `errno`, where the failure was the kernel's.
    pub fn raw_os_error(&self) -> Option<i32> {
        self.source.raw_os_error()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.call, self.source)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.source)
    }
}

impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        Self::new(error.source.kind(), error)
    }
}
