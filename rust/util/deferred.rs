// SPDX-License-Identifier: GPL-2.0

//! What may be deferred, but not while the task sleeps.
//!
//! A plug calls back when its task is about to sleep, for whatever reason, and when it ends.
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

/// Takes what was deferred.
pub(crate) trait Sink<T> {
    /// Takes `values`. The task may be about to sleep: this should not sleep. What is deferred
    /// meanwhile comes by a call inside of this.
    fn take_all(&self, values: &[T]);
}

/// Values for a sink that the current task has deferred, up to `N`.
///
/// The sink has them when there are more, when the task is about to sleep, and when this is
/// dropped.
#[pin_data(PinnedDrop)]
pub(crate) struct Deferred<'a, S: Sink<T>, T: Copy, const N: usize> {
    sink: &'a S,
    /// Used by the one task, which calls nobody meanwhile who uses it, see `busy`.
    #[pin]
    values: UnsafeCell<Array<T, N>>,
    /// The sink looks at `values`.
    busy: Cell<bool>,
    /// Whether `callback` is on the list of the task's plug.
    listed: Cell<bool>,
    #[pin]
    callback: Opaque<bindings::blk_plug_cb>,
}

impl<'a, S: Sink<T>, T: Copy, const N: usize> Deferred<'a, S, T, N> {
    /// Nothing yet.
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

    /// Puts off `value`. Process context.
    #[inline(always)]
    pub(crate) fn push(self: Pin<&Self>, value: T) {
        if self.busy.get() {
            return self.sink.take_all(&[value]);
        }
        // SAFETY: Nobody else uses it meanwhile: it is not `Sync`, the sink does not look at it,
        // and this calls nobody, so that it does not sleep, while the reference lives.
        let full = unsafe { &*self.values.get() }.is_full();
        if full {
            self.flush();
        }
        // SAFETY: The reference lives during `Array::push()` alone, which calls nobody; the sink
        // has returned from `flush`, so nobody else has one.
        unsafe { &mut *self.values.get() }.push(value);
        if !self.listed.get() {
            self.list();
        }
    }

    /// Asks the plug to call back, if there is one.
    #[inline(never)]
    fn list(self: Pin<&Self>) {
        let callback = self.callback.get();
        // SAFETY: It is not on a list, so nobody else uses it. It is pinned, and is taken off
        // before it goes, by the same task, since this is not `Send`: the plug is the current
        // task's, and nobody else touches its list.
        let listed = unsafe {
            (*callback).callback = Some(about_to_sleep::<S, T, N>);
            bindings::raio_helper_plug_call_back(callback)
        };
        self.listed.set(listed);
    }

    /// The task is going to do what may wait: gives the sink what there is, if nobody will say when
    /// the task waits. Process context.
    #[inline]
    pub(crate) fn before_wait(self: Pin<&Self>) {
        if !self.listed.get() {
            self.flush();
        }
    }

    /// Gives the sink what there is.
    #[inline]
    pub(crate) fn flush(&self) {
        if self.busy.get() {
            return;
        }
        // SAFETY: It is not `Sync`, and until `busy` is false again this task makes no other
        // reference: not in what the sink calls, nor in `about_to_sleep` if it sleeps.
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
            // SAFETY: `listed` says that it is on the list of a plug, which calls back, and so
            // clears that, before it ends. It is this task's, as this is not `Send`: nobody else
            // touches it.
            unsafe { bindings::raio_helper_plug_forget(self.callback.get()) };
        }
        self.flush();
    }
}

/// # Safety
///
/// `callback` is that of a `Deferred` of these types, of the current task, and was just taken off the
/// list.
unsafe extern "C" fn about_to_sleep<S: Sink<T>, T: Copy, const N: usize>(
    callback: *mut bindings::blk_plug_cb,
    _from_schedule: bool,
) {
    // SAFETY: By the requirement it lies in a `Deferred`, which is pinned until it is dropped, which
    // takes it off the list. It is not `Sync`, and this is its task, by a call that sleeps or ends
    // the plug. No unique reference to all of it is there: it is used pinned and shared.
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
