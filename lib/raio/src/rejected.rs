// SPDX-License-Identifier: MIT OR Apache-2.0

use crate::{Error, Request};
use std::{fmt, io};

/// A request that was not taken, and why.
pub struct Rejected<'fd>(Box<(Request<'fd>, Error)>);

impl<'fd> Rejected<'fd> {
    pub(crate) fn new(request: Request<'fd>, error: Error) -> Self {
        Self(Box::new((request, error)))
    }

    /// Why.
    pub fn error(&self) -> &Error {
        &self.0 .1
    }

    /// The request, with its buffers, and why it was not taken.
    pub fn into_parts(self) -> (Request<'fd>, Error) {
        *self.0
    }
}

impl From<Rejected<'_>> for Error {
    fn from(rejected: Rejected<'_>) -> Self {
        rejected.into_parts().1
    }
}

impl From<Rejected<'_>> for io::Error {
    fn from(rejected: Rejected<'_>) -> Self {
        Error::from(rejected).into()
    }
}

impl fmt::Debug for Rejected<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rejected")
            .field("request", &self.0 .0)
            .field("error", &self.0 .1)
            .finish()
    }
}

impl fmt::Display for Rejected<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error().fmt(f)
    }
}

impl std::error::Error for Rejected<'_> {}
