// SPDX-License-Identifier: GPL-2.0

//! What differs from one series of kernels to another.
//!
//! `raio_since_X_Y` comes from Kbuild: the kernel is of series X.Y or later. No other file of the
//! module looks at the version. Documentation/porting.md says how a series is added or dropped.

#[cfg(raio_since_7_3)]
mod series {
    use crate::sys::bindings;
    pub(crate) use kernel::{
        error::code::{
            ECANCELED,
            EINPROGRESS,
            EOPNOTSUPP,
            ETIME, //
        },
        new_spinlock_irq,
        sync::SpinLockIrq, //
    };
    use kernel::{
        module,
        sync::barrier, //
    };

    pub(in crate::sys) const HRTIMER_NORESTART: bindings::hrtimer_restart =
        bindings::hrtimer_restart::HRTIMER_NORESTART;

    /// `THIS_MODULE`.
    pub(in crate::sys) const fn this_module() -> *mut bindings::module {
        module::this_module::<crate::LocalModule>().as_ptr()
    }

    /// `smp_mb()`. Any context.
    #[inline(always)]
    pub(in crate::sys) fn smp_mb() {
        barrier::smp_mb(barrier::Full);
    }
}

#[cfg(not(raio_since_7_3))]
mod series {
    use crate::sys::bindings;
    use kernel::{
        error::Error,
        prelude::*,
        sync::lock::{
            Backend,
            Lock, //
        }, //
    };

    pub(in crate::sys) use kernel::sync::barrier::smp_mb;

    const fn error(errno: u32) -> Error {
        // SAFETY: The number is one of `errno.h`, and an `Error` is the negative of one, in a
        // `NonZeroI32`: it is not 0, and at least -MAX_ERRNO. The compiler compares the sizes. (The
        // kernel crate's own conversion is not a const function.)
        unsafe { core::mem::transmute::<i32, Error>(-(errno as i32)) }
    }

    pub(crate) const ECANCELED: Error = error(bindings::ECANCELED);
    pub(crate) const EINPROGRESS: Error = error(bindings::EINPROGRESS);
    pub(crate) const EOPNOTSUPP: Error = error(bindings::EOPNOTSUPP);
    pub(crate) const ETIME: Error = error(bindings::ETIME);

    pub(in crate::sys) const HRTIMER_NORESTART: bindings::hrtimer_restart =
        bindings::hrtimer_restart_HRTIMER_NORESTART;

    /// `THIS_MODULE`.
    pub(in crate::sys) const fn this_module() -> *mut bindings::module {
        extern "C" {
            static __this_module: u8;
        }
        (&raw const __this_module).cast_mut().cast()
    }

    /// A spin lock that is held with interrupts off.
    ///
    /// Two of them that one context holds must be released in reverse order: each guard restores
    /// the state that it found.
    pub(crate) type SpinLockIrq<T> = Lock<T, SpinLockIrqBackend>;

    pub(crate) struct SpinLockIrqBackend;

    // SAFETY: `spin_lock_irqsave()` ensures mutual exclusion, and `relock` is the default one.
    unsafe impl Backend for SpinLockIrqBackend {
        type State = bindings::spinlock_t;
        // The interrupt state before the lock was taken.
        type GuardState = usize;

        #[inline]
        unsafe fn init(
            ptr: *mut Self::State,
            name: *const c_char,
            key: *mut bindings::lock_class_key,
        ) {
            // SAFETY: By the requirements of the trait, `ptr` is valid for writes, and `name` and
            // `key` live as long as the lock does.
            unsafe { bindings::__spin_lock_init(ptr, name, key) }
        }

        #[inline]
        unsafe fn lock(ptr: *mut Self::State) -> usize {
            // SAFETY: By the requirements of the trait, `ptr` is an initialised lock.
            unsafe { bindings::raio_helper_spin_lock_irqsave(ptr) }
        }

        #[inline]
        unsafe fn unlock(ptr: *mut Self::State, flags: &usize) {
            // SAFETY: By the requirements of the trait, `ptr` is an initialised lock that the caller
            // holds, and `flags` are what `lock` returned.
            unsafe { bindings::raio_helper_spin_unlock_irqrestore(ptr, *flags) }
        }

        #[inline]
        unsafe fn try_lock(_ptr: *mut Self::State) -> Option<usize> {
            // Nobody tries.
            None
        }

        #[inline]
        unsafe fn assert_is_held(ptr: *mut Self::State) {
            // SAFETY: By the requirements of the trait, `ptr` is an initialised lock.
            unsafe { bindings::spin_assert_is_held(ptr) }
        }
    }

    macro_rules! new_spinlock_irq {
        ($inner:expr, $name:literal) => {
            $crate::sys::compat::SpinLockIrq::new(
                $inner,
                ::kernel::optional_name!($name),
                ::kernel::static_lock_class!(),
            )
        };
    }
    pub(crate) use new_spinlock_irq;
}

pub(crate) use series::*;
