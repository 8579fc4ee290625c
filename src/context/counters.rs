// SPDX-License-Identifier: GPL-2.0

//! The counters of a context, for `/proc/PID/fdinfo`. All counts of a context wrap.

use kernel::sync::atomic::{
    ordering::Relaxed,
    Atomic, //
};

/// The counts of a context in fdinfo.
#[derive(Default)]
pub(crate) struct Counts {
    /// The events that the ring can hold.
    pub(crate) size: u32,
    /// Requests that were taken and have no event yet.
    pub(crate) inflight: u32,
    /// Requests in flight that are armed.
    pub(crate) armed: u32,
    /// Requests in flight that are on a list to be run.
    pub(crate) queued: u32,
    /// Events published in all.
    pub(crate) completed: u32,
    /// Wakes of armed requests.
    pub(crate) kicks: u32,
    /// Tries after the first.
    pub(crate) retries: u32,
    /// Requests that could not go on in place, and were put on a list.
    pub(crate) punts: u32,
    /// Cancelled requests.
    pub(crate) cancels: u32,
}

/// The sums over the contexts of an open device that have ended.
#[derive(Default)]
pub(crate) struct Totals {
    /// The number of these contexts.
    pub(crate) contexts: u64,
    /// This and the others are as in [`Counts`].
    pub(crate) completed: u64,
    pub(crate) kicks: u64,
    pub(crate) retries: u64,
    pub(crate) punts: u64,
    pub(crate) cancels: u64,
}

impl Totals {
    /// Adds the counts of a context that has ended.
    pub(crate) fn add(&mut self, counts: &Counts) {
        self.contexts += 1;
        self.completed += u64::from(counts.completed);
        self.kicks += u64::from(counts.kicks);
        self.retries += u64::from(counts.retries);
        self.punts += u64::from(counts.punts);
        self.cancels += u64::from(counts.cancels);
    }
}

/// The counters of a context. They count only requests that could not complete inline.
pub(crate) struct Counters {
    /// Requests that are armed now.
    armed: Atomic<u32>,
    kicks: Atomic<u32>,
    retries: Atomic<u32>,
    punts: Atomic<u32>,
    cancels: Atomic<u32>,
}

impl Counters {
    /// All counters at 0.
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

    /// A request was put on a list because it could not go on in place.
    pub(crate) fn punted(&self) {
        self.punts.add(1, Relaxed);
    }

    /// A request was cancelled.
    pub(crate) fn cancelled(&self) {
        self.cancels.add(1, Relaxed);
    }

    /// The counts that are kept here.
    pub(crate) fn now(&self) -> Counts {
        Counts {
            armed: self.armed.load(Relaxed),
            kicks: self.kicks.load(Relaxed),
            retries: self.retries.load(Relaxed),
            punts: self.punts.load(Relaxed),
            cancels: self.cancels.load(Relaxed),
            ..Counts::default()
        }
    }
}
