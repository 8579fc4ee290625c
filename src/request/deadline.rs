// SPDX-License-Identifier: GPL-2.0

//! Deadlines: a timer cancels the request when its time is over.
//!
//! The request keeps its deadline. The timer is started after submission, if the request is not over by
//! then. The owner that ends the request sets `over` and then stops the timer; a timer that fires
//! meanwhile finds nothing to cancel.

use crate::{
    context::{
        self,
        Context, //
    },
    sys::{
        hrtimer::Alarm,
        module::ModuleRef,
        uaccess,
        uapi::{
            iocb,
            raio_deadline,
            RAIO_DEADLINE_ABS,
            RAIO_IOCB_FLAG_FIXED_BUFFER, //
        },
        wait, //
    }, //
};
use kernel::{
    prelude::*,
    sync::{
        atomic::{
            ordering::{
                Acquire,
                Release, //
            },
            Atomic, //
        },
        Arc, //
    }, //
};

/// A deadline, as the request holds it.
pub(crate) type Deadline = Arc<Alarm<Due>>;

/// The time of a request, and how to find the request.
pub(crate) struct Due {
    /// `None` once it is dropped.
    pub(crate) context: Option<Arc<Context>>,
    /// The `aio_key` of the request.
    pub(crate) key: u32,
    /// In nanoseconds of CLOCK_MONOTONIC.
    at: i64,
    /// The slack of the timer, in nanoseconds.
    slack: u64,
    /// The time was over before the request was.
    pub(crate) past: Atomic<bool>,
    /// The request is over.
    pub(crate) over: Atomic<bool>,
    /// Held because a timer that fires just as its request ends outlives the context.
    _module: ModuleRef,
}

/// Reads the deadline that `iocb` points to, and moves the index of the fixed buffer, if there is one,
/// from there into `iocb`. Returns the time in nanoseconds of CLOCK_MONOTONIC.
///
/// EFAULT, EINVAL. Process context, may sleep.
pub(crate) fn read(iocb: &mut iocb) -> Result<i64> {
    let deadline: raio_deadline = uaccess::read_struct(iocb.aio_reserved2)?;
    let fixed = iocb.aio_flags & RAIO_IOCB_FLAG_FIXED_BUFFER != 0;
    if deadline.flags & !RAIO_DEADLINE_ABS != 0 || deadline.buffer != 0 && !fixed {
        return Err(EINVAL);
    }
    iocb.aio_reserved2 = deadline.buffer.into();
    let ns = nanoseconds(deadline.time.tv_sec, deadline.time.tv_nsec)?;
    Ok(if deadline.flags & RAIO_DEADLINE_ABS != 0 {
        ns
    } else {
        wait::now().saturating_add(ns)
    })
}

/// A program's time in nanoseconds. EINVAL if it is not valid.
fn nanoseconds(seconds: i64, nanoseconds: i64) -> Result<i64> {
    const NS: i64 = 1_000_000_000;
    if seconds < 0 || !(0..NS).contains(&nanoseconds) {
        return Err(EINVAL);
    }
    Ok(seconds.saturating_mul(NS).saturating_add(nanoseconds))
}

impl Due {
    /// A deadline for the request that `key` names. ENOMEM. Process context.
    pub(crate) fn new(context: &Arc<Context>, key: u32, at: i64) -> Result<Deadline> {
        Alarm::new(Due {
            context: Some(context.clone()),
            key,
            at,
            slack: wait::timer_slack(),
            past: Atomic::new(false),
            over: Atomic::new(false),
            _module: ModuleRef::new(),
        })
    }

    /// Whether the time was over before the request was. Any context.
    pub(crate) fn is_past(&self) -> bool {
        self.past.load(Acquire)
    }
}

/// Starts the timer of a submitted request. Any context.
pub(crate) fn start(deadline: Deadline) {
    let at = deadline.at;
    start_at(deadline, at);
}

pub(crate) fn start_at(deadline: Deadline, at: i64) {
    if deadline.over.load(Acquire) {
        return;
    }
    let slack = deadline.slack;
    deadline.clone().start(at, slack);
    wait::order();
    // Pairs with `end`: either this task sees `over`, or `end` sees the timer.
    if deadline.over.load(Acquire) {
        deadline.stop();
    }
}

/// The request is over: the timer must not cancel it any more. Any context.
pub(crate) fn end(deadline: Deadline) {
    deadline.over.store(true, Release);
    wait::order();
    deadline.stop();
}

impl Drop for Due {
    fn drop(&mut self) {
        if let Some(context) = self.context.take() {
            context::put(context);
        }
    }
}

#[cfg(CONFIG_KUNIT = "y")]
#[kernel::macros::kunit_tests(raio_deadline)]
mod tests {
    use super::*;

    #[test]
    fn times() {
        assert_eq!(nanoseconds(0, 0), Ok(0));
        assert_eq!(nanoseconds(2, 3), Ok(2_000_000_003));
        assert_eq!(nanoseconds(i64::MAX, 999_999_999), Ok(i64::MAX));
        for (s, ns) in [(-1, 0), (0, -1), (0, 1_000_000_000), (i64::MIN, i64::MIN)] {
            assert_eq!(nanoseconds(s, ns), Err(EINVAL));
        }
    }
}
