// SPDX-License-Identifier: GPL-2.0

//! Words that say without a lock whether there is anything to do.

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
    /// Notes whether there may be requests to run, and shows that to the program. The caller holds the
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

    /// Whether tasks in getevents will check the lists. Any context.
    pub(crate) fn has_callers(&self) -> bool {
        self.callers.load(Relaxed) > 0
    }

    /// A task in getevents will check the lists.
    pub(crate) fn begin_call(&self) {
        self.callers.add(1, Relaxed);
    }

    /// The task will not check them again.
    pub(crate) fn end_call(self: &Arc<Self>) {
        self.callers.fetch_sub(1, Full);
        queues::end_call(self);
    }

    /// Whether there may be held requests. Any context.
    pub(crate) fn has_held(&self) -> bool {
        self.held.get() != 0
    }

    /// Notes whether there may be held requests. The caller holds the lock of the lists.
    pub(crate) fn note_held(&self, any: bool) {
        self.held.set(u32::from(any));
    }

    /// Whether new requests have to wait for a barrier. Any context.
    #[inline(always)]
    pub(crate) fn has_barriers(&self) -> bool {
        self.barriers.get() != 0
    }

    /// Notes whether there are barriers. The caller holds the lock of the lists.
    pub(crate) fn note_barriers(&self, any: bool) {
        self.barriers.set(u32::from(any));
    }

    /// Whether a task polls the open device for events of the context.
    pub(crate) fn has_pollers(&self) -> bool {
        self.member.has_pollers()
    }

    /// Whether a wake function published an event and left the pollers to the work queue.
    pub(crate) fn has_woken_in_wake(&self) -> bool {
        self.woken_in_wake.get() != 0
    }

    pub(super) fn set_woken_in_wake(&self) {
        self.woken_in_wake.set(1);
    }

    /// Wakes the pollers. Process context.
    pub(crate) fn wake_pollers(&self) {
        self.woken_in_wake.set(0);
        self.member.wake_pollers(&wait::order());
    }
}
