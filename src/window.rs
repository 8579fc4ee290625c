// SPDX-License-Identifier: GPL-2.0

//! Hooks for tests, on kernels with fault injection. A test can hold a task or an interrupt at a
//! [`Window`], between two steps in the life of a request, while others do the same or the opposite. It
//! can also read which transitions of [`state`](crate::pure::state) were tried. On other kernels the
//! hooks do nothing.
//!
//! In debugfs, `raio/`:
//!
//! - `hold`: write the name of a window to hold the next task that comes there, or `none`;
//! - `held`: the window where a task is held, or `none`; write `none` to let the task continue;
//! - `transitions`: a line for each phase and step that was tried, with the flags of its words: bit n
//!   is set if the step was allowed with flags n, bit 16 + n if it was refused.

use crate::pure::state::{
    Step,
    Word, //
};

/// A place where a task can be held.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum Window {
    /// The request is prepared, with its file and its submitter's credentials, but not issued.
    Submit = 1,
    /// The entry is on the wait queue, but the request is not armed.
    Arm,
    /// The request is armed, but `dead` was not read.
    Armed,
    /// A wait entry was woken, under the lock of the wait queue, but nothing was done.
    Kick,
    /// A request was taken off its list, to be run.
    Retry,
    /// The driver has called `ki_complete`, but the step is not made.
    Complete,
    /// The request is over, but its event is not published.
    Publish,
    /// A canceller has the key of a request, but has not cancelled it.
    Cancel,
    /// The request is cancelled, but its event is not delivered.
    Cancelled,
    /// The time of a request is over, but the request is not cancelled.
    Late,
    /// The context is dead, but no request is cancelled.
    Destroy,
    /// All events are published, but not all requests are freed.
    Drained,
    /// The mapping has gone.
    Unmapped,
    /// The mapping has moved, under mmap_lock, but the context does not know that.
    Moved,
    /// Events were copied, but `head` is not moved.
    Reap,
    /// The work queue has dropped the last reference to the module.
    Last,
    /// The entry is on the wait queue of a page, but the request does not wait.
    Wait,
}

#[cfg(CONFIG_FAULT_INJECTION_DEBUG_FS)]
pub(crate) use debug::Files;

impl Window {
    /// Passes the window. Any context. If held, spins for a short time at most.
    #[inline(always)]
    pub(crate) fn pass(self) {
        #[cfg(CONFIG_FAULT_INJECTION_DEBUG_FS)]
        debug::pass(self, false);
    }

    /// As [`Self::pass`], in process context without spinlocks. If held, sleeps.
    #[inline(always)]
    pub(crate) fn pass_asleep(self) {
        #[cfg(CONFIG_FAULT_INJECTION_DEBUG_FS)]
        debug::pass(self, true);
    }
}

/// Notes that `step` was tried on `word`. Any context.
#[inline(always)]
pub(crate) fn note(_word: Word, _step: Step, _allowed: bool) {
    #[cfg(CONFIG_FAULT_INJECTION_DEBUG_FS)]
    debug::note(_word, _step, _allowed);
}

#[cfg(CONFIG_FAULT_INJECTION_DEBUG_FS)]
mod debug {
    use super::Window;
    use crate::{
        pure::state::{
            Step,
            Word, //
        },
        sys::util::once::Once, //
    };
    use core::fmt;
    use kernel::{
        debugfs::{
            Dir,
            File,
            Reader, //
        },
        prelude::*,
        sync::atomic::{
            ordering::{
                Full,
                Relaxed,
                Release, //
            },
            Atomic, //
        },
        time::{
            delay,
            Delta, //
        },
        uaccess::UserSliceReader, //
    };

    const NAMES: [&str; 18] = [
        "none",
        "submit",
        "arm",
        "armed",
        "kick",
        "retry",
        "complete",
        "publish",
        "cancel",
        "cancelled",
        "late",
        "destroy",
        "drained",
        "unmapped",
        "moved",
        "reap",
        "last",
        "wait",
    ];
    const PHASES: [&str; 8] = [
        "Free",
        "Prep",
        "Queued",
        "Running",
        "Armed",
        "PageArmed",
        "InFlight",
        "Done",
    ];
    const STEPS: [&str; 12] = [
        "Take", "Queue", "Issue", "Finish", "Arm", "Wait", "Kick", "Fire", "Leave", "Complete",
        "Cancel", "Free",
    ];

    const NONE: u32 = 0;
    /// How often a held task checks whether it may continue: 0.1 s if it spins, 5 s if it sleeps.
    const LOOKS: u32 = 2000;
    const SPIN_US: i64 = 50;
    const SLEEP_US: i64 = 2500;

    static HOLD: Atomic<u32> = Atomic::new(NONE);
    static HELD: Atomic<u32> = Atomic::new(NONE);
    static TRANSITIONS: [[Once<u32>; PHASES.len()]; STEPS.len()] =
        [const { [const { Once::new(0) }; PHASES.len()] }; STEPS.len()];

    #[inline(always)]
    pub(super) fn pass(window: Window, may_sleep: bool) {
        if HOLD.load(Relaxed) == window as u32 {
            wait(window as u32, may_sleep);
        }
    }

    #[cold]
    fn wait(window: u32, may_sleep: bool) {
        if HOLD.cmpxchg(window, NONE, Full).is_err() {
            return;
        }
        HELD.store(window, Relaxed);
        for _ in 0..LOOKS {
            if HELD.load(Relaxed) != window {
                return;
            }
            if may_sleep {
                delay::fsleep(Delta::from_micros(SLEEP_US));
            } else {
                delay::udelay(Delta::from_micros(SPIN_US));
            }
        }
        let _ = HELD.cmpxchg(window, NONE, Full);
    }

    #[inline(always)]
    pub(super) fn note(word: Word, step: Step, allowed: bool) {
        let by_phase = TRANSITIONS.get(step as usize);
        let Some(seen) = by_phase.and_then(|all| all.get(word.phase() as usize)) else {
            return;
        };
        let bit = 1 << (word.flags() | u32::from(!allowed) << 4);
        // Two concurrent updates may lose one, until it occurs again.
        if seen.get() & bit == 0 {
            seen.set(seen.get() | bit);
        }
    }

    /// A word that holds the number of a window.
    struct Control(&'static Atomic<u32>);

    impl fmt::Debug for Control {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(NAMES.get(self.0.load(Relaxed) as usize).unwrap_or(&"?"))
        }
    }

    impl Reader for Control {
        fn read_from_slice(&self, reader: &mut UserSliceReader) -> Result {
            let mut name = [0; 16];
            let name = name.get_mut(..reader.len()).ok_or(EINVAL)?;
            reader.read_slice(name)?;
            let name = name.trim_ascii();
            let found = NAMES.iter().position(|other| other.as_bytes() == name);
            self.0.store(found.ok_or(EINVAL)? as u32, Release);
            Ok(())
        }
    }

    struct Transitions;

    impl fmt::Debug for Transitions {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            for (by_phase, step) in TRANSITIONS.iter().zip(STEPS) {
                for (seen, phase) in by_phase.iter().zip(PHASES) {
                    let seen = seen.get();
                    if seen != 0 {
                        writeln!(f, "{phase} {step} {seen:#010x}")?;
                    }
                }
            }
            Ok(())
        }
    }

    /// The files in debugfs.
    #[pin_data]
    pub(crate) struct Files {
        #[pin]
        hold: File<Control>,
        #[pin]
        held: File<Control>,
        #[pin]
        transitions: File<Transitions>,
        _dir: Dir,
    }

    impl Files {
        pub(crate) fn new() -> impl PinInit<Self, Error> {
            let dir = Dir::new(c"raio");
            try_pin_init!(Files {
                hold <- dir.read_write_file(c"hold", Control(&HOLD)),
                held <- dir.read_write_file(c"held", Control(&HELD)),
                transitions <- dir.read_only_file(c"transitions", Transitions),
                _dir: dir.clone(),
            })
        }
    }
}
