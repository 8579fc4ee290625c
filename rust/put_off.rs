// SPDX-License-Identifier: GPL-2.0

//! What may be put off, but not while the task sleeps.
//!
//! A plug calls back when its task is about to sleep, for whatever reason, and when it ends.
//!
//! C header: [`include/linux/blkdev.h`](srctree/include/linux/blkdev.h) (`struct blk_plug_cb`)

use super::{
    array::Array,
    bindings, //
};
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

/// Takes what was put off.
pub(crate) trait Sink<T> {
    /// Takes `values`. The task may be about to sleep: this must not sleep, nor put anything off.
    fn take_all(&self, values: &[T]);
}

/// Values for a sink that the current task has put off, up to `N`.
///
/// The sink has them when there are more, when the task is about to sleep, and when this is
/// dropped.
#[pin_data(PinnedDrop)]
pub(crate) struct PutOff<'a, S: Sink<T>, T: Copy, const N: usize> {
    sink: &'a S,
    /// Used by the one task, which calls nobody meanwhile who uses it.
    #[pin]
    values: UnsafeCell<Array<T, N>>,
    /// Whether `callback` is on the list of the task's plug.
    listed: Cell<bool>,
    #[pin]
    callback: Opaque<bindings::blk_plug_cb>,
}

impl<'a, S: Sink<T>, T: Copy, const N: usize> PutOff<'a, S, T, N> {
    /// Nothing yet.
    pub(crate) fn new(sink: &'a S) -> impl PinInit<Self> + 'a
    where
        T: 'a,
    {
        pin_init!(PutOff {
            sink,
            values <- UnsafeCell::pin_init(Array::init()),
            listed: Cell::new(false),
            callback: Opaque::uninit(),
        })
    }

    /// Puts off `value`. Process context.
    #[inline(always)]
    pub(crate) fn push(self: Pin<&Self>, value: T) {
        // SAFETY: Nobody else uses it meanwhile: it is not shared with other tasks, and this one
        // calls nobody while the reference lives.
        let full = unsafe { &*self.values.get() }.is_full();
        if full {
            self.flush();
        }
        // SAFETY: As above.
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
        // before it goes; the plug is the current task's, as is this.
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
        // SAFETY: As in `push`; the sink does not use it.
        let values = unsafe { &mut *self.values.get() };
        if !values.as_slice().is_empty() {
            self.sink.take_all(values.as_slice());
            values.clear();
        }
    }
}

#[pinned_drop]
impl<S: Sink<T>, T: Copy, const N: usize> PinnedDrop for PutOff<'_, S, T, N> {
    fn drop(self: Pin<&mut Self>) {
        if self.listed.get() {
            // SAFETY: It is on the list of the current task's plug.
            unsafe { bindings::raio_helper_plug_forget(self.callback.get()) };
        }
        self.flush();
    }
}

/// # Safety
///
/// `callback` is that of a `PutOff` of these types, of the current task, and was just taken off the
/// list.
unsafe extern "C" fn about_to_sleep<S: Sink<T>, T: Copy, const N: usize>(
    callback: *mut bindings::blk_plug_cb,
    _from_schedule: bool,
) {
    // SAFETY: By the requirement; it is pinned until it is dropped, which takes it off the list. It
    // is not `Sync`, and this is its task, which was interrupted in nothing: it has called what
    // sleeps.
    let this = unsafe {
        &*container_of!(
            Opaque::cast_from(callback).cast_mut(),
            PutOff<'_, S, T, N>,
            callback
        )
    };
    this.listed.set(false);
    this.flush();
}
