// SPDX-License-Identifier: GPL-2.0

//! A wait queue whose waiters state a level: they are woken only when that much is there.
//!
//! The kernel crate's `CondVar` has neither that nor timeouts finer than a jiffy.
//!
//! C header: [`include/linux/wait.h`](srctree/include/linux/wait.h)

use super::{
    bindings,
    compat, //
};
use core::{
    marker::PhantomPinned,
    ptr, //
};
use kernel::{
    container_of,
    prelude::*,
    sync::{
        LockClassKey, //
    },
    types::Opaque, //
};

/// The time at which a wait gives up.
#[derive(Clone, Copy)]
pub(crate) enum Deadline {
    /// No timeout.
    Never,
    /// At this time of CLOCK_MONOTONIC, in ns.
    At(i64),
}

impl Deadline {
    /// The time `ns` nanoseconds from now.
    pub(crate) fn after(ns: i64) -> Self {
        Deadline::At(now().saturating_add(ns))
    }
}

/// The time of CLOCK_MONOTONIC, in ns. Any context.
pub(crate) fn now() -> i64 {
    // SAFETY: Reads a clock, under a sequence count: in any context but an NMI, and raio has no NMI
    // code.
    unsafe { bindings::ktime_get() }
}

/// The reason why a wait ended.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Woken {
    /// The condition holds.
    Ready,
    /// The deadline has passed.
    Timeout,
    /// A signal is pending.
    Signal,
}

/// Proof that a full barrier was passed since something was written.
pub(crate) struct Shown(());

/// Orders earlier writes before the check for waiters, as in `wq_has_sleeper()`. It pairs with the
/// barriers in `prepare_to_wait_event()` and in `poll_wait()`. Any context.
#[inline]
pub(crate) fn order() -> Shown {
    compat::smp_mb();
    Shown(())
}

/// waitqueue_active(): whether there are entries. Any context.
///
/// # Safety
///
/// `head` is an initialised wait queue.
#[inline]
pub(super) unsafe fn has_entries(head: *mut bindings::wait_queue_head) -> bool {
    // SAFETY: By this function's requirements the head is valid. The word may be written meanwhile,
    // under the queue's lock. It is read once, as a whole, and not followed.
    unsafe {
        let list = &raw mut (*head).head;
        !ptr::eq((&raw const (*list).next).read_volatile(), list)
    }
}

/// A wait queue.
#[pin_data]
pub(crate) struct WaitQueue {
    #[pin]
    head: Opaque<bindings::wait_queue_head>,
    #[pin]
    _pin: PhantomPinned,
}

// SAFETY: A `wait_queue_head` is bound to no task. It is pinned, as waiters point to it.
unsafe impl Send for WaitQueue {}
// SAFETY: Everything done through a shared reference takes the lock of the head, or reads a word
// once.
unsafe impl Sync for WaitQueue {}

/// A task on a wait queue.
struct Waiter {
    entry: bindings::wait_queue_entry,
    level: usize,
}

/// The wake function of a [`Waiter`]: wakes it if the level in `key` is at least its own.
///
/// # Safety
///
/// `entry` is the entry of a [`Waiter`], on a queue whose lock is held.
unsafe extern "C" fn wake_at_level(
    entry: *mut bindings::wait_queue_entry,
    mode: c_uint,
    flags: c_int,
    key: *mut c_void,
) -> c_int {
    // SAFETY: By this function's requirements `entry` is a field of a `Waiter`.
    let waiter = unsafe { container_of!(entry, Waiter, entry) };
    // SAFETY: The waiter is valid: before it goes it leaves the queue, whose lock is held. `level`
    // was written before the entry was queued, and does not change.
    if key.addr() < unsafe { (*waiter).level } {
        return 0;
    }
    // SAFETY: The function has the same requirements as this one, an entry on a queue whose lock is
    // held, and gets the arguments of this call. `init_wait_entry()` set the task, which sleeps.
    // The function itself does not sleep.
    unsafe { bindings::autoremove_wake_function(entry, mode, flags, key) }
}

impl WaitQueue {
    /// Initialises a queue; use [`new_wait_queue!`].
    pub(crate) fn new(name: &'static CStr, key: Pin<&'static LockClassKey>) -> impl PinInit<Self> {
        pin_init!(Self {
            // SAFETY: `slot` is valid for writes, and pinned; `name` and `key` live for ever. The
            // call writes memory, and registers the lock with lockdep: any context.
            head <- Opaque::ffi_init(|slot| unsafe {
                bindings::__init_waitqueue_head(slot, name.as_char_ptr(), key.as_ptr())
            }),
            _pin: PhantomPinned,
        })
    }

    /// Wakes all waiters whose level is at most `level`. Any context.
    ///
    /// The caller must write what the waiters check before this call, which orders it.
    #[inline]
    pub(crate) fn wake(&self, level: usize) {
        if self.has_sleepers(&order()) {
            self.wake_all(level);
        }
    }

    /// Whether there are waiters. `_shown` proves that what they check was written before. Any
    /// context.
    #[inline]
    pub(crate) fn has_sleepers(&self, _shown: &Shown) -> bool {
        // SAFETY: `new` initialised the queue, which is valid as `self` is borrowed.
        unsafe { has_entries(self.head.get()) }
    }

    /// Like [`Self::wake`], without the check for waiters.
    pub(crate) fn wake_all(&self, level: usize) {
        // SAFETY: `new` initialised the queue. The call takes the queue's lock with interrupts off,
        // and locks of the scheduler inside: any context in which none of these is held. All
        // entries are of `Waiter`s, whose wake function uses the key as a level, and does not
        // follow it.
        unsafe {
            bindings::__wake_up(
                self.head.get(),
                bindings::TASK_NORMAL,
                0,
                ptr::without_provenance_mut(level),
            );
        }
    }

    /// Sleeps until `ready` returns true, `deadline` passes, or a signal is pending. Wakes of less
    /// than `level` do not wake it.
    ///
    /// `ready` is called with the task in a sleeping state, so it must not sleep itself. Process
    /// context.
    pub(crate) fn wait(&self, level: usize, deadline: Deadline, ready: impl Fn() -> bool) -> Woken {
        self.wait_in_state(bindings::TASK_INTERRUPTIBLE, level, deadline, ready)
    }

    /// Like [`Self::wait`] for any level, but neither a signal nor a deadline ends it.
    pub(crate) fn wait_uninterruptible(&self, ready: impl Fn() -> bool) {
        self.wait_in_state(bindings::TASK_UNINTERRUPTIBLE, 0, Deadline::Never, ready);
    }

    fn wait_in_state(
        &self,
        state: u32,
        level: usize,
        deadline: Deadline,
        ready: impl Fn() -> bool,
    ) -> Woken {
        let waiter = Opaque::<Waiter>::uninit();
        let waiter = waiter.get();
        // SAFETY: `waiter` is valid for writes. From here on it is initialised, for the current
        // task. It stays in place until this function returns, when it is off the queue.
        let entry = unsafe {
            (&raw mut (*waiter).level).write(level);
            let entry = &raw mut (*waiter).entry;
            bindings::init_wait_entry(entry, 0);
            (*entry).func = Some(wake_at_level);
            entry
        };

        let woken = loop {
            // SAFETY: Queue and entry are initialised, and the entry is on this queue or on none;
            // `finish_wait()` below takes it off again. By this function's requirements the task is
            // in process context, so it may go to sleep.
            let signal =
                unsafe { bindings::prepare_to_wait_event(self.head.get(), entry, state as c_int) };
            if ready() {
                break Woken::Ready;
            }
            if signal != 0 {
                break Woken::Signal;
            }
            if !sleep(deadline) {
                break if ready() {
                    Woken::Ready
                } else {
                    Woken::Timeout
                };
            }
        };
        // SAFETY: The entry is initialised, and on this queue or on none. The call sets the task
        // running. If the entry is still queued, the call takes the queue's lock; else a wake
        // function took the entry off as its last access. So no wake function uses `entry`
        // afterwards.
        unsafe { bindings::finish_wait(self.head.get(), entry) };
        woken
    }
}

/// The timer slack of the current task, in nanoseconds. Process context.
pub(crate) fn timer_slack() -> u64 {
    // SAFETY: Reads a number that any task has, of the current task, in process context.
    unsafe { bindings::raio_helper_timer_slack() }
}

/// Sleeps in the state that the task is in; returns false when the deadline has passed. Process
/// context.
pub(super) fn sleep(deadline: Deadline) -> bool {
    let (mut at, slack);
    let expires = match deadline {
        Deadline::Never => {
            slack = 0;
            ptr::null_mut()
        }
        Deadline::At(ns) => {
            at = ns;
            slack = timer_slack();
            &raw mut at
        }
    };
    // SAFETY: `expires` is NULL or points to a time that outlives the call. The call sleeps, which
    // by this function's requirements is allowed: process context. If the task is not in a sleeping
    // state, it returns at once.
    unsafe {
        bindings::schedule_hrtimeout_range(expires, slack, bindings::hrtimer_mode_HRTIMER_MODE_ABS)
            != 0
    }
}

/// Sleeps for 50 to 100 microseconds, uninterruptibly. Process context.
pub(crate) fn pause_briefly() {
    // SAFETY: The current task pauses, with a timer on its stack. It sleeps, which by this
    // function's requirements is allowed: process context, without spinlocks.
    unsafe { bindings::usleep_range_state(50, 100, bindings::TASK_UNINTERRUPTIBLE) };
}

/// Creates a [`WaitQueue`] initialiser with a lock class of its own.
macro_rules! new_wait_queue {
    ($name:literal) => {
        $crate::sys::wait::WaitQueue::new(kernel::c_str!($name), kernel::static_lock_class!())
    };
}
pub(crate) use new_wait_queue;
