// SPDX-License-Identifier: MIT OR Apache-2.0

use crate::sys;
use std::{ptr, time::Duration};

/// How long a call waits, and under which signal mask.
pub(crate) struct Wait<'a> {
    timeout: Option<sys::raio_timespec>,
    mask: Option<&'a libc::sigset_t>,
}

/// The size of the kernel's set, which is the first part of the C library's.
const SIGSET_SIZE: u64 = 8;
const _: () = assert!(size_of::<libc::sigset_t>() as u64 >= SIGSET_SIZE);

impl<'a> Wait<'a> {
    pub(crate) fn new(timeout: Option<Duration>, mask: Option<&'a libc::sigset_t>) -> Self {
        Self {
            timeout: timeout.map(timespec),
            mask,
        }
    }

    /// `timeout`, `sigmask` and `sigsetsize`; good while `self` is.
    pub(crate) fn fields(&self) -> (u64, u64, u64) {
        let timeout = self.timeout.as_ref().map_or(0, address);
        match self.mask {
            Some(mask) => (timeout, address(mask), SIGSET_SIZE),
            None => (timeout, 0, 0),
        }
    }
}

pub(crate) fn timespec(time: Duration) -> sys::raio_timespec {
    sys::raio_timespec {
        tv_sec: time.as_secs().try_into().unwrap_or(i64::MAX),
        tv_nsec: time.subsec_nanos().into(),
    }
}

/// Where it is, for the kernel to read.
pub(crate) fn address<T: ?Sized>(value: &T) -> u64 {
    ptr::from_ref(value).cast::<u8>().expose_provenance() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_time_is_no_negative_one() {
        let wait = Wait::new(Some(Duration::MAX), None);
        let timeout = wait.timeout.unwrap();
        assert_eq!((timeout.tv_sec, timeout.tv_nsec), (i64::MAX, 999_999_999));
        assert_eq!(Wait::new(None, None).fields(), (0, 0, 0));
    }
}
