// SPDX-License-Identifier: GPL-2.0

//! Words by which others see without a lock whether there is anything to do.

use super::{
    queues,
    Context, //
};
use crate::sys::{
    uapi::{
        RAIO_RING_COMPAT_FEATURES,
        RAIO_RING_RUNNABLE, //
    },
    wait, //
};
use kernel::sync::{
    atomic::ordering::{
        Full,
        Relaxed, //
    },
    Arc, //
};

impl Context {
    /// There may be something to be run, or there is nothing: the program sees that, too. Under the
    /// lock of the lists.
    pub(crate) fn note_queued(&self, any: bool) {
        let any = u32::from(any);
        if self.may_have_queued.get() == any {
            return;
        }
        self.may_have_queued.set(any);
        if let Some(header) = self.header() {
            let features = RAIO_RING_COMPAT_FEATURES | any * RAIO_RING_RUNNABLE;
            header.compat_features.store(features, Relaxed);
        }
    }

    /// Whether there are tasks that will look at the lists. Any context.
    pub(crate) fn has_callers(&self) -> bool {
        self.callers.load(Relaxed) > 0
    }

    /// A task in getevents begins to be one of them.
    pub(crate) fn begin_call(&self) {
        self.callers.add(1, Relaxed);
    }

    /// It is none any more.
    pub(crate) fn end_call(self: &Arc<Self>) {
        self.callers.fetch_sub(1, Full);
        queues::end_call(self);
    }

    /// Whether there may be requests that are held. Any context.
    pub(crate) fn has_held(&self) -> bool {
        self.held.get() != 0
    }

    /// Under the lock of the lists.
    pub(crate) fn note_held(&self, any: bool) {
        self.held.set(u32::from(any));
    }

    /// Whether what is submitted has to wait for a barrier. Any context.
    #[inline(always)]
    pub(crate) fn has_barriers(&self) -> bool {
        self.barriers.get() != 0
    }

    /// Under the lock of the lists.
    pub(crate) fn note_barriers(&self, any: bool) {
        self.barriers.set(u32::from(any));
    }

    /// Whether somebody polls for its events.
    pub(crate) fn has_pollers(&self) -> bool {
        self.member.has_pollers()
    }

    /// Whether an event came by a wake, of which pollers were not told.
    pub(crate) fn has_woken_in_wake(&self) -> bool {
        self.woken_in_wake.get() != 0
    }

    pub(super) fn set_woken_in_wake(&self) {
        self.woken_in_wake.set(1);
    }

    /// Tells them. Process context.
    pub(crate) fn wake_pollers(&self) {
        self.woken_in_wake.set(0);
        self.member.wake_pollers(&wait::order());
    }
}
