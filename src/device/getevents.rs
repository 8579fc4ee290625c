// SPDX-License-Identifier: GPL-2.0

//! io_getevents.

use crate::{
    context::Context,
    run,
    sys::{
        signal,
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

/// How long a call waits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Timeout {
    /// Not at all.
    Zero,
    /// At most this many nanoseconds.
    After(i64),
    /// Until there are events.
    Never,
}

impl Timeout {
    /// The timeout that a program passed.
    ///
    /// As in native aio, `tv_nsec` may be more than a second: it is added, modulo 2^64. A time that is
    /// negative or too large for nanoseconds means to wait for ever.
    pub(crate) fn new(timespec: raio_timespec) -> Self {
        const NS: i64 = 1_000_000_000;
        // As in `timespec64_to_ktime()`.
        if timespec.tv_sec >= i64::MAX / NS {
            return Timeout::Never;
        }
        match timespec
            .tv_sec
            .wrapping_mul(NS)
            .wrapping_add(timespec.tv_nsec)
        {
            0 => Timeout::Zero,
            ns if ns > 0 => Timeout::After(ns),
            _ => Timeout::Never,
        }
    }
}

/// While it exists, the current task counts as one that checks the lists before it sleeps or returns.
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

/// Copies at least `min_nr` and at most `nr` events to the array at `events`, and returns their number:
/// less than `min_nr` after a timeout, after a signal, or if the context ended.
///
/// EINVAL if `min_nr` or `nr` is out of range, or the context ended and there was no event. EFAULT if
/// `events` can't be written. EINTR for a signal, if there was no event. ERESTARTNOINTR, if there was
/// no event, when task work and no signal interrupts the wait; with `once` the result may be less than
/// `min_nr` instead. Process context, sleeps.
pub(crate) fn getevents(
    context: &Arc<Context>,
    task: FullTask<'_>,
    min_nr: i64,
    nr: i64,
    events: u64,
    timeout: Timeout,
    once: bool,
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
    let mut may_restart = false;
    let _call = Call::begin(context);
    let mut got = 0;
    loop {
        run::run_own(context, task);
        let to = (events as usize).wrapping_add(got * size_of::<crate::sys::uapi::io_event>());
        // Leave fewer events in the ring: once it has consumed some, the call can't be restarted.
        let least = if may_wait || may_restart {
            min_nr - got
        } else {
            0
        };
        let result = context.reap(least, nr - got, to);
        got += result.unwrap_or(0);
        if got >= min_nr && (got > 0 || result.is_ok()) {
            break;
        }
        if got == 0 {
            // The program keeps changing `head`, and a signal is pending.
            if result == Err(EINTR) {
                may_restart = !once;
                break;
            }
            result?;
        }
        if context.is_dead() {
            if least > 0 && result.is_ok() {
                (may_wait, may_restart) = (false, false);
                continue;
            }
            return if got > 0 { Ok(got) } else { Err(EINVAL) };
        }
        if may_restart && result.is_ok() && !signal::is_only_notified() {
            // A signal came meanwhile, and ends the call instead.
            may_restart = false;
            continue;
        }
        if !may_wait || result.is_err() {
            break;
        }
        // Whatever ended the wait, check the ring once more. Do not wait again if a signal is pending:
        // a request may need a thread, which can only be created after the signal is handled.
        let woken = context.wait(min_nr - got, deadline);
        may_wait = woken == Woken::Ready && !current!().signal_pending();
        may_restart =
            !may_wait && !once && got == 0 && woken != Woken::Timeout && signal::is_only_notified();
    }
    if got > 0 || !current!().signal_pending() {
        return Ok(got);
    }
    // Task work, for another context for example, is no signal to the program.
    if !signal::is_only_notified() {
        Err(EINTR)
    } else if may_restart {
        Err(ERESTARTNOINTR)
    } else {
        Ok(0)
    }
}

#[cfg(CONFIG_KUNIT = "y")]
#[kernel::macros::kunit_tests(raio_getevents)]
mod tests {
    use super::*;

    fn timeout(tv_sec: i64, tv_nsec: i64) -> Timeout {
        Timeout::new(raio_timespec { tv_sec, tv_nsec })
    }

    #[test]
    fn timeouts() {
        assert_eq!(timeout(0, 0), Timeout::Zero);
        assert_eq!(timeout(0, 1), Timeout::After(1));
        assert_eq!(timeout(2, 3), Timeout::After(2_000_000_003));
    }

    #[test]
    fn nanoseconds_are_added() {
        assert_eq!(timeout(0, 2_000_000_000), Timeout::After(2_000_000_000));
        assert_eq!(timeout(1, -1), Timeout::After(999_999_999));
    }

    #[test]
    fn too_long_is_for_ever() {
        assert_eq!(timeout(i64::MAX, 0), Timeout::Never);
        assert_eq!(timeout(i64::MAX / 1_000_000_000, 0), Timeout::Never);
    }

    #[test]
    fn negative_is_for_ever() {
        assert_eq!(timeout(-1, 0), Timeout::Never);
        assert_eq!(timeout(0, -1), Timeout::Never);
        assert_eq!(timeout(0, i64::MIN), Timeout::Never);
    }
}
