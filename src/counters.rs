// SPDX-License-Identifier: GPL-2.0

//! What a context counts, for `/proc/PID/fdinfo`. All counts wrap.

use kernel::sync::atomic::{
    ordering::Relaxed,
    Atomic, //
};

/// The counters of a context. Only what could not go on at once is counted.
pub(crate) struct Counters {
    /// Requests that are armed now.
    armed: Atomic<u32>,
    kicks: Atomic<u64>,
    retries: Atomic<u64>,
    punts: Atomic<u64>,
    cancels: Atomic<u64>,
}

impl Counters {
    /// All of them 0.
    pub(crate) fn new() -> Self {
        Counters {
            armed: Atomic::new(0),
            kicks: Atomic::new(0),
            retries: Atomic::new(0),
            punts: Atomic::new(0),
            cancels: Atomic::new(0),
        }
    }

    /// A request is armed, or will be in a moment.
    pub(crate) fn armed(&self) {
        self.armed.add(1, Relaxed);
    }

    /// A request is not armed any more.
    pub(crate) fn disarmed(&self) {
        self.armed.fetch_sub(1, Relaxed);
    }

    /// An armed request was kicked.
    pub(crate) fn kicked(&self) {
        self.disarmed();
        self.kicks.add(1, Relaxed);
    }

    /// A request is run again.
    pub(crate) fn retried(&self) {
        self.retries.add(1, Relaxed);
    }

    /// A request was put on a list because it could not go on where it was.
    pub(crate) fn punted(&self) {
        self.punts.add(1, Relaxed);
    }

    /// A request was cancelled.
    pub(crate) fn cancelled(&self) {
        self.cancels.add(1, Relaxed);
    }

    /// Armed now, and kicks, retries, punts and cancels in all.
    pub(crate) fn now(&self) -> (u32, [u64; 4]) {
        let totals = [&self.kicks, &self.retries, &self.punts, &self.cancels];
        (self.armed.load(Relaxed), totals.map(|n| n.load(Relaxed)))
    }
}
