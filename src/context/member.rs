// SPDX-License-Identifier: GPL-2.0

//! The link from a context to the open device that it was set up through: which pollers to wake, and
//! what to tell of the end of the context.

use crate::sys::{
    poll_queue::PollQueue,
    wait::Shown, //
};
use kernel::sync::Arc;

/// A register of contexts.
pub(crate) trait Register: Send + Sync {
    /// The context with number `serial` in this register has ended. Process context.
    fn left(&self, serial: u64);
}

/// The entry of a context in its register.
pub(crate) struct Membership {
    register: Arc<dyn Register>,
    pollers: Arc<PollQueue>,
    serial: u64,
}

impl Membership {
    /// The entry with number `serial`. Events of the context wake `pollers`.
    pub(crate) fn new(register: Arc<dyn Register>, pollers: Arc<PollQueue>, serial: u64) -> Self {
        Membership {
            register,
            pollers,
            serial,
        }
    }

    /// The number of the entry.
    pub(crate) fn serial(&self) -> u64 {
        self.serial
    }

    /// Tells the register that the context has ended. Process context.
    pub(crate) fn leave(&self) {
        self.register.left(self.serial);
    }

    /// Whether a task polls. Any context.
    pub(crate) fn has_pollers(&self) -> bool {
        self.pollers.has_pollers()
    }

    /// Wakes the pollers for events that were written before `shown`. Any context but a wake function.
    #[inline]
    pub(crate) fn wake_pollers(&self, shown: &Shown) {
        self.pollers.wake_readable(shown);
    }
}
