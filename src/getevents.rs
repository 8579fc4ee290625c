// SPDX-License-Identifier: GPL-2.0

//! io_getevents.

use crate::{
    context::Context,
    retry,
    sys::{
        task::FullTask,
        uapi::raio_timespec,
        wait::{
            Deadline,
            Woken, //
        }, //
    }, //
};
use kernel::{
    current,
    prelude::*,
    sync::Arc, //
};

/// How long a call may wait.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Timeout {
    /// Not at all.
    Zero,
    /// So many nanoseconds.
    After(i64),
    /// Until there are events.
    Never,
}

impl Timeout {
    /// The timeout that a program passed. EINVAL if it is negative.
    ///
    /// As with native aio, nanoseconds above a second's count are just added, and what can't be
    /// told in nanoseconds is for ever. A negative sum makes native aio wait for ever as well.
    pub(crate) fn new(timespec: raio_timespec) -> Result<Self> {
        const NS: i64 = 1_000_000_000;
        let sum = timespec.tv_sec.checked_mul(NS);
        let sum = sum.and_then(|ns| ns.checked_add(timespec.tv_nsec));
        match sum {
            Some(0) => Ok(Timeout::Zero),
            Some(ns) if ns > 0 => Ok(Timeout::After(ns)),
            None if timespec.tv_sec > 0 => Ok(Timeout::Never),
            _ => Err(EINVAL),
        }
    }
}

/// While it lives the current task is known to look at the lists before it sleeps or goes.
struct Call<'a>(&'a Arc<Context>);

impl<'a> Call<'a> {
    #[inline]
    fn begin(context: &'a Arc<Context>) -> Self {
        context.begin_call();
        Call(context)
    }
}

impl Drop for Call<'_> {
    #[inline]
    fn drop(&mut self) {
        self.0.end_call();
    }
}

/// Copies at least `min_nr` and at most `nr` events to the array at `events`, and returns their
/// number: less than `min_nr` after a timeout, after a signal, or if the context ended.
///
/// EINVAL if `min_nr` or `nr` is out of range, or the context ended with none; EFAULT if `events`
/// can't be written; EINTR for a signal with none. Process context, sleeps.
pub(crate) fn getevents(
    context: &Arc<Context>,
    task: FullTask<'_>,
    min_nr: i64,
    nr: i64,
    events: u64,
    timeout: Timeout,
) -> Result<usize> {
    if min_nr < 0 || min_nr > nr {
        return Err(EINVAL);
    }
    let (min_nr, nr) = (usize::try_from(min_nr)?, usize::try_from(nr)?);
    let deadline = match timeout {
        Timeout::After(ns) => Deadline::after(ns),
        _ => Deadline::Never,
    };
    let mut may_wait = timeout != Timeout::Zero;
    let _call = Call::begin(context);
    let mut got = 0;
    loop {
        retry::run_own(context, task);
        let to = (events as usize).wrapping_add(got * size_of::<crate::sys::uapi::io_event>());
        let result = context.reap(nr - got, to);
        got += result.unwrap_or(0);
        if got >= min_nr && (got > 0 || result.is_ok()) {
            break;
        }
        if got == 0 {
            result?;
        }
        if context.is_dead() {
            return if got > 0 { Ok(got) } else { Err(EINVAL) };
        }
        if !may_wait || result.is_err() {
            break;
        }
        // Whatever ended the wait, look once more what is there.
        // But what is left to run may need a thread, which can be created only after a signal.
        may_wait =
            context.wait(min_nr - got, deadline) == Woken::Ready && !current!().signal_pending();
    }
    if got == 0 && current!().signal_pending() {
        return Err(EINTR);
    }
    Ok(got)
}

#[cfg(CONFIG_KUNIT = "y")]
#[kernel::macros::kunit_tests(raio_getevents)]
mod tests {
    use super::*;

    fn timeout(tv_sec: i64, tv_nsec: i64) -> Result<Timeout> {
        Timeout::new(raio_timespec { tv_sec, tv_nsec })
    }

    #[test]
    fn timeouts() {
        assert_eq!(timeout(0, 0), Ok(Timeout::Zero));
        assert_eq!(timeout(0, 1), Ok(Timeout::After(1)));
        assert_eq!(timeout(2, 3), Ok(Timeout::After(2_000_000_003)));
    }

    #[test]
    fn nanoseconds_are_added() {
        assert_eq!(timeout(0, 2_000_000_000), Ok(Timeout::After(2_000_000_000)));
        assert_eq!(timeout(1, -1), Ok(Timeout::After(999_999_999)));
    }

    #[test]
    fn too_long_is_for_ever() {
        assert_eq!(timeout(i64::MAX, 0), Ok(Timeout::Never));
        assert_eq!(
            timeout(i64::MAX / 1_000_000_000, i64::MAX),
            Ok(Timeout::Never)
        );
    }

    #[test]
    fn negative_is_refused() {
        assert_eq!(timeout(-1, 0), Err(EINVAL));
        assert_eq!(timeout(0, -1), Err(EINVAL));
        assert_eq!(timeout(i64::MIN, 0), Err(EINVAL));
    }
}
