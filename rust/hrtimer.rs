// SPDX-License-Identifier: GPL-2.0

//! One-shot timers of reference-counted objects. The work queue does what is to be done when they
//! fire.
//!
//! C header: [`include/linux/hrtimer.h`](srctree/include/linux/hrtimer.h)
//!
//! The kernel crate's `HrTimer` can only be cancelled by waiting for its callback. The callback
//! itself, and code in an interrupt, must not do that.

use super::{
    bindings,
    compat,
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
    /// Does the work after the timer has fired: many timers may fire in one interrupt.
    #[pin]
    work: Work<Alarm<T>>,
    value: T,
}

impl_has_work! {
    impl{T: Alarmed} HasWork<Alarm<T>> for Alarm<T> { self.work }
}

// SAFETY: A timer is bound to no task, and the value is `Send`.
unsafe impl<T: Send> Send for Alarm<T> {}
// SAFETY: Functions that are called through a shared reference take the lock of the timer's base;
// the value is `Sync`.
unsafe impl<T: Sync> Sync for Alarm<T> {}

/// A value that has a timer.
pub(crate) trait Alarmed: Send + Sync + Sized + 'static {
    /// The timer has fired. Called in work of the module's queue: process context, should not sleep
    /// for long.
    fn fired(this: Arc<Alarm<Self>>);
}

impl<T> Deref for Alarm<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T: Alarmed> Alarm<T> {
    /// Creates a timer for `value`, without starting it. ENOMEM. Process context.
    pub(crate) fn new(value: T) -> Result<Arc<Self>> {
        Arc::pin_init(
            pin_init!(Alarm {
                // SAFETY: The place is valid, and does not move, as it is pinned. The function is
                // one for an `Alarm` of this type. This only writes memory: any context.
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

    /// Starts the timer, which must not be running. It fires at `at`, in nanoseconds of
    /// CLOCK_MONOTONIC, or up to `slack` later. Any context.
    pub(crate) fn start(self: Arc<Self>, at: i64, slack: u64) {
        let this = Arc::into_raw(self);
        // SAFETY: `new` set up the timer. From here on the timer has that reference, so the object
        // lives until the timer has fired or was stopped. Any context.
        unsafe {
            bindings::hrtimer_start_range_ns(
                Opaque::cast_into(&raw const (*this).timer),
                at,
                slack,
                bindings::hrtimer_mode_HRTIMER_MODE_ABS_SOFT,
            );
        }
    }

    /// Stops the timer if it runs and its callback is not running. Any context.
    pub(crate) fn stop(self: &Arc<Self>) {
        // SAFETY: `new` set up the timer. The call does not wait for the callback. Any context.
        let stopped = unsafe { bindings::hrtimer_try_to_cancel(self.timer.get()) };
        if stopped == 1 {
            // SAFETY: The timer was started and will not fire. The call returns 1 only once, so the
            // reference that `start` gave to the timer is ours now.
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

/// The callback of the timer.
///
/// # Safety
///
/// `timer` belongs to an [`Alarm`] of a `T`, and was started.
unsafe extern "C" fn fire<T: Alarmed>(timer: *mut bindings::hrtimer) -> bindings::hrtimer_restart {
    // SAFETY: By this function's requirements the timer lies in an `Alarm`. It has the reference to
    // that which `start` gave it, and gives it up here. The caller does not access the timer
    // afterwards.
    let this = unsafe {
        let this = container_of!(Opaque::cast_from(timer).cast_mut(), Alarm<T>, timer);
        Arc::from_raw(this.cast_const())
    };
    // The work is not queued yet: if the timer was started again at all, that work did it.
    let _ = workqueue::queue().enqueue(this);
    compat::HRTIMER_NORESTART
}
