// SPDX-License-Identifier: GPL-2.0

//! Values that may be deferred, but not while the task sleeps.
//!
//! A block plug calls back when its task is about to sleep, for any reason, and when the plug ends.
//!
//! C header: [`include/linux/blkdev.h`](srctree/include/linux/blkdev.h) (`struct blk_plug_cb`)

use super::array::Array;
use crate::sys::bindings;
use core::{
    cell::{
        Cell,
        UnsafeCell, //
    },
    pin::Pin, //
};
use kernel::{
    container_of,
    prelude::*,
    types::Opaque, //
};
use pin_init::Wrapper;

/// The receiver of deferred values.
pub(crate) trait Sink<T> {
    /// Takes `values`. The task may be about to sleep, so this should not sleep. Values that are
    /// deferred meanwhile cause a nested call.
    fn take_all(&self, values: &[T]);
}

/// Up to `N` values that the current task has deferred.
///
/// The sink gets them when there are more, when the task is about to sleep, and when this is
/// dropped.
#[pin_data(PinnedDrop)]
pub(crate) struct Deferred<'a, S: Sink<T>, T: Copy, const N: usize> {
    sink: &'a S,
    /// Only one task uses the values, and calls nobody who uses them meanwhile, see `busy`.
    #[pin]
    values: UnsafeCell<Array<T, N>>,
    /// Whether the sink is using `values`.
    busy: Cell<bool>,
    /// Whether `callback` is on the list of the task's plug.
    listed: Cell<bool>,
    #[pin]
    callback: Opaque<bindings::blk_plug_cb>,
}

impl<'a, S: Sink<T>, T: Copy, const N: usize> Deferred<'a, S, T, N> {
    /// Creates an empty list of values for `sink`.
    pub(crate) fn new(sink: &'a S) -> impl PinInit<Self> + 'a
    where
        T: 'a,
    {
        pin_init!(Deferred {
            sink,
            values <- UnsafeCell::pin_init(Array::init()),
            busy: Cell::new(false),
            listed: Cell::new(false),
            callback: Opaque::uninit(),
        })
    }

    /// Defers `value`. Process context.
    #[inline(always)]
    pub(crate) fn push(self: Pin<&Self>, value: T) {
        if self.busy.get() {
            return self.sink.take_all(&[value]);
        }
        // SAFETY: Nobody else uses the values meanwhile: this is not `Sync`, and the sink does not
        // use them, as `busy` is false. While the reference lives nothing else is called, so this
        // does not sleep.
        let full = unsafe { &*self.values.get() }.is_full();
        if full {
            self.flush();
        }
        // SAFETY: The reference lives only during `Array::push()`, which calls nobody. The sink has
        // returned from `flush`, so nobody else has a reference.
        unsafe { &mut *self.values.get() }.push(value);
        if !self.listed.get() {
            self.list();
        }
    }

    /// Adds the callback to the task's plug, if there is one.
    #[inline(never)]
    fn list(self: Pin<&Self>) {
        let callback = self.callback.get();
        // SAFETY: The callback is not on a list, so nobody else uses it. It is pinned, and the same
        // task takes it off the list before it is dropped, since this is not `Send`. The plug is
        // the current task's, and nobody else accesses its list.
        let listed = unsafe {
            (*callback).callback = Some(about_to_sleep::<S, T, N>);
            bindings::raio_helper_plug_call_back(callback)
        };
        self.listed.set(listed);
    }

    /// The task is about to do something that may sleep. If no plug would call back, gives the
    /// values to the sink. Process context.
    #[inline]
    pub(crate) fn before_wait(self: Pin<&Self>) {
        if !self.listed.get() {
            self.flush();
        }
    }

    /// Gives the values to the sink.
    #[inline]
    pub(crate) fn flush(&self) {
        if self.busy.get() {
            return;
        }
        // SAFETY: This is not `Sync`. Until `busy` is false again this task creates no other
        // reference: neither in code that the sink calls, nor in `about_to_sleep` if that sleeps.
        let values = unsafe { &mut *self.values.get() };
        if !values.as_slice().is_empty() {
            self.busy.set(true);
            self.sink.take_all(values.as_slice());
            values.clear();
            self.busy.set(false);
        }
    }
}

#[pinned_drop]
impl<S: Sink<T>, T: Copy, const N: usize> PinnedDrop for Deferred<'_, S, T, N> {
    fn drop(self: Pin<&mut Self>) {
        if self.listed.get() {
            // SAFETY: `listed` says that the callback is on the list of a plug. The plug would call
            // back, and so clear `listed`, before it ends. It is this task's plug, as this is not
            // `Send`: nobody else accesses the list.
            unsafe { bindings::raio_helper_plug_forget(self.callback.get()) };
        }
        self.flush();
    }
}

/// The callback of the plug.
///
/// # Safety
///
/// `callback` belongs to a `Deferred` of these types, of the current task, and was just taken off
/// the list.
unsafe extern "C" fn about_to_sleep<S: Sink<T>, T: Copy, const N: usize>(
    callback: *mut bindings::blk_plug_cb,
    _from_schedule: bool,
) {
    // SAFETY: By this function's requirements the callback lies in a `Deferred`, which is pinned
    // until it is dropped; the drop takes the callback off the list. A `Deferred` is not `Sync`,
    // and this is its task, in a call that sleeps or ends the plug. There is no unique reference to
    // the whole `Deferred`: it is only used pinned and shared.
    let this = unsafe {
        &*container_of!(
            Opaque::cast_from(callback).cast_mut(),
            Deferred<'_, S, T, N>,
            callback
        )
    };
    this.listed.set(false);
    this.flush();
}
