// SPDX-License-Identifier: GPL-2.0

//! The system's limit on requests: `fs.raio-nr` and `fs.raio-max-nr`.

use crate::sys::sysctl::{
    Entry,
    Sysctls, //
};
use kernel::{
    prelude::*,
    sync::atomic::{
        ordering::Relaxed,
        Atomic, //
    }, //
};

/// Sum of the `nr_events` that contexts were set up for.
static NR: Atomic<usize> = Atomic::new(0);
/// Its limit.
static MAX_NR: Atomic<usize> = Atomic::new(0x10000);

/// Registers the sysctls.
pub(crate) fn sysctls() -> Result<Sysctls> {
    Sysctls::register(
        c"fs",
        &[
            Entry {
                name: c"raio-nr",
                value: &NR,
                mode: 0o444,
            },
            Entry {
                name: c"raio-max-nr",
                value: &MAX_NR,
                mode: 0o644,
            },
        ],
    )
}

/// `fs.raio-nr` and `fs.raio-max-nr`.
pub(crate) fn now() -> (usize, usize) {
    (NR.load(Relaxed), MAX_NR.load(Relaxed))
}

/// What `nr` and another `n` make, if that is within `max`.
fn sum_within(nr: usize, n: usize, max: usize) -> Option<usize> {
    nr.checked_add(n).filter(|&sum| sum <= max)
}

/// A context's share, given back when this is dropped.
pub(crate) struct Share(usize);

impl Share {
    /// Takes a share for `n` requests. EAGAIN beyond the limit.
    pub(crate) fn take(n: u32) -> Result<Self> {
        let n = n as usize;
        let mut nr = NR.load(Relaxed);
        loop {
            let Some(sum) = sum_within(nr, n, MAX_NR.load(Relaxed)) else {
                return Err(EAGAIN);
            };
            match NR.cmpxchg(nr, sum, Relaxed) {
                Ok(_) => return Ok(Share(n)),
                Err(now) => nr = now,
            }
        }
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        NR.fetch_sub(self.0, Relaxed);
    }
}

#[cfg(CONFIG_KUNIT = "y")]
#[kernel::macros::kunit_tests(raio_limit)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_itself_is_allowed() {
        assert_eq!(sum_within(0, 8, 8), Some(8));
        assert_eq!(sum_within(7, 1, 8), Some(8));
        assert_eq!(sum_within(8, 1, 8), None);
    }

    #[test]
    fn a_limit_below_what_is_there() {
        assert_eq!(sum_within(9, 1, 8), None);
    }

    #[test]
    fn sums_do_not_overflow() {
        assert_eq!(sum_within(usize::MAX, 1, usize::MAX), None);
    }
}
