// SPDX-License-Identifier: GPL-2.0

//! The states of a request, as one pure transition function.
//!
//! A request that runs has up to two owners:
//!
//! - the *run*: the task inside the file's `read_iter`, `write_iter`, `poll` or `fsync`;
//! - the *peer*: a queued wait entry, or the driver that owes a `ki_complete`.
//!
//! Either may finish first. A wake may come before the run has armed. A driver may complete from an
//! interrupt before the issue call has returned, and file systems access the kiocb after that. One
//! atomic [`Word`] decides which of them owns the request.
//!
//! | from                 | what                 | to                  | then                      |
//! |----------------------|----------------------|---------------------|---------------------------|
//! | Free                 | [`Step::Take`]       | Prep                | a new generation          |
//! | Prep, Done           | [`Step::Queue`]      | Queued              | it is on a list           |
//! | Done, cancelled      | [`Step::Queue`]      | refused             | ECANCELED is its result   |
//! | Prep, Queued, Done   | [`Step::Issue`]      | Running             | the run has it            |
//! | Running              | [`Step::Finish`]     | Done                | the run has it            |
//! | Running              | [`Step::Arm`]        | Armed               | the waker has it          |
//! | Running, cancelled   | [`Step::Arm`]        | Running             | [`Then::Cancelled`]       |
//! | Running, kicked      | [`Step::Arm`]        | Running             | [`Then::Again`]           |
//! | Running              | [`Step::Wait`]       | PageArmed           | the page's waker has it   |
//! | Running, kicked      | [`Step::Wait`]       | Running             | [`Then::Again`]           |
//! | Armed, PageArmed     | [`Step::Kick`]       | Queued              | the waker puts it on a list |
//! | Running              | [`Step::Kick`], [`Step::Fire`] | Running, kicked |                     |
//! | Armed                | [`Step::Fire`]       | Done                | the waker has it          |
//! | Running              | [`Step::Leave`]      | InFlight            | the driver has it         |
//! | Running, peer done   | [`Step::Leave`]      | Done                | the run has it            |
//! | Running              | [`Step::Complete`]   | Running, peer done  |                           |
//! | InFlight             | [`Step::Complete`]   | Done                | the driver has it         |
//! | Armed, Queued        | [`Step::Cancel`]     | Done                | the canceller has it      |
//! | PageArmed            | [`Step::Cancel`]     | PageArmed, ended    | the canceller has its event |
//! | Running, InFlight    | [`Step::Cancel`]     | the same, cancelled | [`Then::Busy`]            |
//! | Prep, Done           | [`Step::Free`]       | Free                |                           |
//!
//! Any other step is refused and changes nothing. The caller makes steps into and out of Queued under
//! the lock of the lists, so that a request is Queued if and only if it is on a list.
//!
//! A wait entry on a page can't be removed. If a request is cancelled while it waits for a page, its
//! event is delivered at once, but the request stays out of the pool until the page is unlocked. It is
//! *ended* then.

/// The phase of a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u32)]
pub(crate) enum Phase {
    /// In the pool.
    Free = 0,
    /// Its owner prepares it, or has not issued it yet.
    Prep = 1,
    /// On a list, to be run.
    Queued = 2,
    /// A run owns it.
    Running = 3,
    /// Armed on wait queues of its file.
    Armed = 4,
    /// Armed on the wait queue of a page.
    PageArmed = 5,
    /// The issue call has returned; a driver owes the completion.
    InFlight = 6,
    /// One owner has it, and completes it or queues it again.
    Done = 7,
}

/// What happens to a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Step {
    /// The pool hands the request out. A new generation begins.
    Take,
    /// The owner puts the request on a list.
    Queue,
    /// A run begins.
    Issue,
    /// The run has a result, and there is no peer.
    Finish,
    /// The run arms the request on wait queues of its file.
    Arm,
    /// The run arms the request on the wait queue of a page.
    Wait,
    /// A wait entry was woken.
    Kick,
    /// A wait entry was woken, and the wake is the result.
    Fire,
    /// The issue call returned -EIOCBQUEUED: a driver has the request.
    Leave,
    /// The driver called `ki_complete`.
    Complete,
    /// A canceller finds the request.
    Cancel,
    /// The request goes back to the pool.
    Free,
}

/// What the caller of the step has to do next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Then {
    /// Nothing. Another owner may have the request already.
    Nothing,
    /// The caller owns the request, alone.
    Own,
    /// Put the request on a list.
    Queue,
    /// Continue the run: the request was kicked meanwhile.
    Again,
    /// End the run: the request was cancelled meanwhile.
    Cancelled,
    /// Deliver the event. The caller does not own the request.
    Ended,
    /// Nothing can be done now. The event will come.
    Busy,
}

/// Phase, flags and generation of a request.
///
/// Bits 0 to 2 are the phase, bits 3 to 6 the flags, and bits 8 to 31 the generation, which wraps.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Word(pub(crate) u32);

impl Word {
    const PHASE: u32 = 0x7;
    /// A wait entry was woken during the run.
    const KICKED: u32 = 1 << 3;
    /// The driver has called `ki_complete`, but the issue call has not returned.
    const PEER_DONE: u32 = 1 << 4;
    /// A canceller found the request while it was running or in flight.
    const CANCELLED: u32 = 1 << 5;
    /// The canceller has delivered the event.
    const ENDED: u32 = 1 << 6;
    const FLAGS: u32 = Self::KICKED | Self::PEER_DONE | Self::CANCELLED | Self::ENDED;
    const GENERATION_SHIFT: u32 = 8;
    /// The number of bits of a generation.
    pub(crate) const GENERATION_BITS: u32 = 32 - Self::GENERATION_SHIFT;

    /// A request that was never used.
    pub(crate) const FREE: Word = Word(Phase::Free as u32);

    pub(crate) fn phase(self) -> Phase {
        match self.0 & Self::PHASE {
            1 => Phase::Prep,
            2 => Phase::Queued,
            3 => Phase::Running,
            4 => Phase::Armed,
            5 => Phase::PageArmed,
            6 => Phase::InFlight,
            7 => Phase::Done,
            _ => Phase::Free,
        }
    }

    /// How often the request was taken from the pool, modulo 2^[`Self::GENERATION_BITS`].
    pub(crate) fn generation(self) -> u32 {
        self.0 >> Self::GENERATION_SHIFT
    }

    /// All flags, shifted to bit 0.
    #[cfg(CONFIG_FAULT_INJECTION_DEBUG_FS)]
    pub(crate) fn flags(self) -> u32 {
        (self.0 & Self::FLAGS) >> Self::KICKED.trailing_zeros()
    }

    /// Whether the driver has called `ki_complete` during the issue call.
    pub(crate) fn peer_done(self) -> bool {
        self.0 & Self::PEER_DONE != 0
    }

    /// Whether a canceller found the request while it was running or in flight.
    pub(crate) fn is_cancelled(self) -> bool {
        self.0 & Self::CANCELLED != 0
    }

    /// Whether the canceller has delivered the event.
    pub(crate) fn is_ended(self) -> bool {
        self.0 & Self::ENDED != 0
    }

    /// Whether the request is out and its event is still to come. `generation` and `mask` come from a
    /// key: only the bits of the generation in `mask` are compared. A request in Done can't be
    /// cancelled at this moment: its owner is about to pass it on, or to complete it.
    pub(crate) fn is_out(self, generation: u32, mask: u32) -> bool {
        let out = !matches!(self.phase(), Phase::Free | Phase::Prep);
        out && !self.is_ended() && (generation ^ self.generation()) & mask == 0
    }

    /// As [`Self::is_out`], but without Done: the request can be cancelled, or its run or driver will
    /// see the mark.
    pub(crate) fn is_in_flight(self, generation: u32, mask: u32) -> bool {
        self.phase() != Phase::Done && self.is_out(generation, mask)
    }

    fn to(self, phase: Phase) -> Word {
        Word(self.0 & !Self::PHASE | phase as u32)
    }

    fn set(self, flags: u32) -> Word {
        Word(self.0 | flags)
    }

    fn clear(self, flags: u32) -> Word {
        Word(self.0 & !flags)
    }

    fn has(self, flag: u32) -> bool {
        self.0 & flag != 0
    }

    /// The transition. Returns the new word and what to do, or `None` if the step is not allowed.
    #[inline(always)]
    pub(crate) fn step(self, step: Step) -> Option<(Word, Then)> {
        use Phase::*;

        Some(match (step, self.phase()) {
            (Step::Take, Free) => {
                let next = Word(self.0.wrapping_add(1 << Self::GENERATION_SHIFT));
                (next.clear(Self::FLAGS).to(Prep), Then::Own)
            }
            (Step::Queue, Prep) => (self.to(Queued), Then::Nothing),
            (Step::Queue, Done) if !self.is_cancelled() => (self.to(Queued), Then::Nothing),
            (Step::Issue, Prep | Queued | Done) => (
                self.clear(Self::KICKED | Self::PEER_DONE).to(Running),
                Then::Nothing,
            ),
            (Step::Finish, Running) => (self.to(Done), Then::Own),
            (Step::Arm, Running) if self.is_cancelled() => (self, Then::Cancelled),
            (Step::Arm | Step::Wait, Running) if self.has(Self::KICKED) => {
                (self.clear(Self::KICKED), Then::Again)
            }
            (Step::Arm, Running) => (self.to(Armed), Then::Nothing),
            (Step::Wait, Running) => (self.to(PageArmed), Then::Nothing),
            (Step::Kick, Armed | PageArmed) => (self.to(Queued), Then::Queue),
            (Step::Fire, Armed) => (self.to(Done), Then::Own),
            (Step::Kick | Step::Fire, Running) => (self.set(Self::KICKED), Then::Nothing),
            (Step::Leave, Running) if self.peer_done() => (self.to(Done), Then::Own),
            (Step::Leave, Running) => (self.to(InFlight), Then::Nothing),
            (Step::Complete, Running) if !self.peer_done() => {
                (self.set(Self::PEER_DONE), Then::Nothing)
            }
            (Step::Complete, InFlight) => (self.to(Done), Then::Own),
            (Step::Cancel, _) if self.is_ended() => return None,
            (Step::Cancel, Armed | Queued) => (self.to(Done), Then::Own),
            (Step::Cancel, PageArmed) => (self.set(Self::ENDED), Then::Ended),
            (Step::Cancel, Running | InFlight) => (self.set(Self::CANCELLED), Then::Busy),
            (Step::Free, Prep | Done) => (self.to(Phase::Free), Then::Nothing),
            _ => return None,
        })
    }
}

// The path is for the host build, which includes this file from elsewhere.
#[cfg(CONFIG_KUNIT = "y")]
#[path = "state/tests.rs"]
mod tests;
