// SPDX-License-Identifier: MIT OR Apache-2.0

use crate::{sys, wait::timespec};
use std::time::{Duration, Instant};

/// When a request is to be over.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Deadline {
    /// After that time from its submission on.
    After(Duration),
    At(Instant),
}

impl Deadline {
    /// The same for all requests that one is made of, of which the first is made now.
    #[cfg(feature = "tokio")]
    pub(crate) fn into_absolute(self) -> Self {
        match self {
            // One that is too far away never comes.
            Self::After(time) => Instant::now().checked_add(time).map_or(self, Self::At),
            Self::At(_) => self,
        }
    }

    /// As the kernel takes it, from now on.
    pub(crate) fn to_raw(self) -> sys::raio_deadline {
        let left = match self {
            Self::After(time) => time,
            // An `Instant` does not tell its number.
            Self::At(instant) => instant.saturating_duration_since(Instant::now()),
        };
        sys::raio_deadline {
            time: timespec(left),
            flags: 0,
            buffer: 0,
        }
    }
}
