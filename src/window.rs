// SPDX-License-Identifier: GPL-2.0

//! What a test sees and does of the life of a request, on kernels with fault injection: it holds whoever
//! comes to a [`Window`], between two steps, while others do the same or the contrary; and it reads
//! which transitions of [`state`](crate::pure::state) there were. On other kernels this is nothing.
//!
//! In debugfs, `raio/`:
//!
//! - `hold`: write a window's name to hold the next who comes there, or `none`;
//! - `held`: the window where somebody is held, or `none`; write `none` to let him go on;
//! - `transitions`: a line for each phase and step that was tried, with the flags of its words:
//!   bit n is set if it was allowed with flags n, bit 16 + n if it was refused.

use crate::pure::state::{
    Step,
    Word, //
};

/// Where somebody can be held.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum Window {
    /// A request was prepared, with its file and as its submitter, and is not issued yet.
    Submit = 1,
    /// The entry is on the wait queue, the request not armed yet.
    Arm,
    /// It is armed; whether the context is dead was not looked at yet.
    Armed,
    /// An entry was woken, under the lock of the wait queue; nothing was done yet.
    Kick,
    /// Whoever runs a request has taken it off its list.
    Retry,
    /// The driver has called `ki_complete`; the step is not made yet.
    Complete,
    /// The request is over; its event is not there yet.
    Publish,
    /// A request was found by its key; it is not cancelled yet.
    Cancel,
    /// It was cancelled; its event is not delivered yet.
    Cancelled,
    /// The time of a request is over; it is not cancelled yet.
    Late,
    /// No request is taken any more; nothing was cancelled yet.
    Destroy,
    /// All events are there; the requests are not freed yet.
    Drained,
    /// The mapping has gone.
    Unmapped,
    /// The mapping is at another place, under mmap_lock; the context does not know yet.
    Moved,
    /// Events were copied; `head` is not moved yet.
    Reap,
    /// The work queue has dropped the last reference to the module.
    Last,
    /// The entry is on the wait queue of a page, the request does not wait yet.
    Wait,
}

#[cfg(CONFIG_FAULT_INJECTION_DEBUG_FS)]
pub(crate) use debug::Files;

impl Window {
    /// Somebody comes by, in any context. He spins if he is held, for a moment at most.
    #[inline(always)]
    pub(crate) fn pass(self) {
        #[cfg(CONFIG_FAULT_INJECTION_DEBUG_FS)]
        debug::pass(self, false);
    }

    /// As [`Self::pass`], in process context without spinlocks: he sleeps.
    #[inline(always)]
    pub(crate) fn pass_asleep(self) {
        #[cfg(CONFIG_FAULT_INJECTION_DEBUG_FS)]
        debug::pass(self, true);
    }
}

/// `step` was tried on `word`. Any context.
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
    /// How often one who is held looks whether he may go on: 0.1 s if he spins, 5 s if he sleeps.
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
        // Two at once may lose one of them, until it comes again.
        if seen.get() & bit == 0 {
            seen.set(seen.get() | bit);
        }
    }

    /// A word with the number of a window.
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
