// SPDX-License-Identifier: GPL-2.0

//! Timers that fire once, for objects with a reference count; what is done then is the work queue's.
//!
//! C header: [`include/linux/hrtimer.h`](srctree/include/linux/hrtimer.h)
//!
//! The kernel crate's `HrTimer` is cancelled by waiting for its callback, which who is in it, or in an
//! interrupt, must not.

use super::{
    bindings,
    workqueue, //
};
use core::{
    marker::PhantomPinned,
    ops::Deref, //
};
use kernel::{
    container_of,
    impl_has_work,
    new_work,
    prelude::*,
    sync::Arc,
    types::Opaque,
    workqueue::{
        Work,
        WorkItem, //
    }, //
};

/// A value with a timer.
#[pin_data]
pub(crate) struct Alarm<T> {
    #[pin]
    timer: Opaque<bindings::hrtimer>,
    #[pin]
    _pin: PhantomPinned,
    /// What is done when it has fired: many may fire in one interrupt.
    #[pin]
    work: Work<Alarm<T>>,
    value: T,
}

impl_has_work! {
    impl{T: Alarmed} HasWork<Alarm<T>> for Alarm<T> { self.work }
}

// SAFETY: A timer is bound to no task, and the value is `Send`.
unsafe impl<T: Send> Send for Alarm<T> {}
// SAFETY: What is called by a shared reference takes the lock of the timer's base; the value is
// `Sync`.
unsafe impl<T: Sync> Sync for Alarm<T> {}

/// What has a timer.
pub(crate) trait Alarmed: Send + Sync + Sized + 'static {
    /// It has fired. Work of the module's queue: process context, should not sleep for long.
    fn fired(this: Arc<Alarm<Self>>);
}

impl<T> Deref for Alarm<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T: Alarmed> Alarm<T> {
    /// `value` with a timer, which is not started. ENOMEM. Process context.
    pub(crate) fn new(value: T) -> Result<Arc<Self>> {
        Arc::pin_init(
            pin_init!(Alarm {
                // SAFETY: The place is valid, and stays where it is, as it is pinned. The function is
                // one for an `Alarm` of this type. Memory is written: any context.
                timer <- Opaque::ffi_init(|timer| unsafe {
                    bindings::hrtimer_setup(
                        timer,
                        Some(fire::<T>),
                        bindings::CLOCK_MONOTONIC as c_int,
                        bindings::hrtimer_mode_HRTIMER_MODE_ABS_SOFT,
                    );
                }),
                _pin: PhantomPinned,
                work <- new_work!("Alarm::work"),
                value,
            }),
            GFP_KERNEL_ACCOUNT,
        )
    }

    /// Starts the timer, which is not running, for `at`, in nanoseconds of CLOCK_MONOTONIC; it may be
    /// late by `slack`. Any context.
    pub(crate) fn start(self: Arc<Self>, at: i64, slack: u64) {
        let this = Arc::into_raw(self);
        // SAFETY: It was set up by `new`. The timer has that reference from here on, so that all of it
        // stays until it has fired, or was stopped. Any context.
        unsafe {
            bindings::hrtimer_start_range_ns(
                Opaque::cast_into(&raw const (*this).timer),
                at,
                slack,
                bindings::hrtimer_mode_HRTIMER_MODE_ABS_SOFT,
            );
        }
    }

    /// Stops the timer, if it runs and does not fire just now. Any context.
    pub(crate) fn stop(self: &Arc<Self>) {
        // SAFETY: It was set up by `new`. The call does not wait for the callback. Any context.
        let stopped = unsafe { bindings::hrtimer_try_to_cancel(self.timer.get()) };
        if stopped == 1 {
            // SAFETY: The timer was started, and will not fire: the reference that `start` gave it is
            // ours, as the call says so only once.
            drop(unsafe { Arc::from_raw(Arc::as_ptr(self)) });
        }
    }
}

impl<T: Alarmed> WorkItem for Alarm<T> {
    type Pointer = Arc<Self>;

    fn run(this: Arc<Self>) {
        T::fired(this);
    }
}

/// # Safety
///
/// `timer` is that of an [`Alarm`] of a `T`, and was started.
unsafe extern "C" fn fire<T: Alarmed>(timer: *mut bindings::hrtimer) -> bindings::hrtimer_restart {
    // SAFETY: By the requirement it lies in an `Alarm`, of which it has a reference, that `start` gave
    // it, and gives up here. Who has called does not look at the timer afterwards.
    let this = unsafe {
        let this = container_of!(Opaque::cast_from(timer).cast_mut(), Alarm<T>, timer);
        Arc::from_raw(this.cast_const())
    };
    // It is not queued: it was started once more, if at all, by that work.
    let _ = workqueue::queue().enqueue(this);
    bindings::hrtimer_restart::HRTIMER_NORESTART
}
