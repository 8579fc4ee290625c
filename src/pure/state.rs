// SPDX-License-Identifier: GPL-2.0

//! The states of a request, as one pure transition function.
//!
//! A request that runs has up to two owners:
//!
//! - the *run*: the task inside the file's `read_iter`, `write_iter`, `poll` or `fsync`;
//! - the *peer*: a queued wait entry, or the driver that owes a `ki_complete`.
//!
//! Either may finish first: a wake may come before the run has armed, a driver may complete from
//! an interrupt before the issue call has returned, and file systems look at the kiocb after
//! that. One atomic [`Word`] decides who has the request.
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
//! Anything else is refused and changes nothing. Steps into and out of Queued are made under the
//! lock of the lists, so that a request is Queued if and only if it is on one.
//!
//! A page's wait entry can't be taken back. So a request that is cancelled while it waits for a
//! page has its event at once, but stays out until the page wakes it; it is *ended* then.

/// Where a request is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u32)]
pub(crate) enum Phase {
    /// In the pool.
    Free = 0,
    /// Its owner fills it in, or has not issued it yet.
    Prep = 1,
    /// On a list, for somebody who runs it.
    Queued = 2,
    /// A run has it.
    Running = 3,
    /// On wait queues of its file.
    Armed = 4,
    /// On the wait queue of a page.
    PageArmed = 5,
    /// The issue call has returned; a driver owes the completion.
    InFlight = 6,
    /// It has one owner, who completes it, or queues it again.
    Done = 7,
}

/// What happens to a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Step {
    /// The pool hands it out. A new generation begins.
    Take,
    /// It is put on a list.
    Queue,
    /// A run begins.
    Issue,
    /// The run has a result: there is no peer.
    Finish,
    /// The run leaves it to the wait queues of its file.
    Arm,
    /// The run leaves it to the wait queue of a page.
    Wait,
    /// A wait entry was woken.
    Kick,
    /// A wait entry was woken, and that is the request's result.
    Fire,
    /// The run leaves it to a driver.
    Leave,
    /// The driver called `ki_complete`.
    Complete,
    /// Somebody cancels it.
    Cancel,
    /// It goes back to the pool.
    Free,
}

/// What the one who took the step has to do now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Then {
    /// Nothing; the request may belong to somebody else by now.
    Nothing,
    /// The request is its own, alone.
    Own,
    /// Put it on a list.
    Queue,
    /// Go on with the run: it was kicked meanwhile.
    Again,
    /// End the run: it was cancelled meanwhile.
    Cancelled,
    /// Deliver its event; the request itself is not its own.
    Ended,
    /// Nothing can be done now: its event will come.
    Busy,
}

/// Phase, flags and generation of a request.
///
/// Bits 0 to 2 are the phase, bits 3 to 6 flags, and bits 8 to 31 are the generation, which wraps.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Word(pub(crate) u32);

impl Word {
    const PHASE: u32 = 0x7;
    /// A wait entry was woken during the run.
    const KICKED: u32 = 1 << 3;
    /// The driver has called `ki_complete`, the issue call has not returned.
    const PEER_DONE: u32 = 1 << 4;
    /// It was to be cancelled when it could not be.
    const CANCELLED: u32 = 1 << 5;
    /// Its event was delivered.
    const ENDED: u32 = 1 << 6;
    const FLAGS: u32 = Self::KICKED | Self::PEER_DONE | Self::CANCELLED | Self::ENDED;
    const GENERATION_SHIFT: u32 = 8;
    /// Number of bits of a generation.
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

    /// The number of times that the request was taken from the pool, modulo
    /// 2^[`Self::GENERATION_BITS`].
    pub(crate) fn generation(self) -> u32 {
        self.0 >> Self::GENERATION_SHIFT
    }

    /// All flags, from bit 0 on.
    #[cfg(CONFIG_FAULT_INJECTION_DEBUG_FS)]
    pub(crate) fn flags(self) -> u32 {
        (self.0 & Self::FLAGS) >> Self::KICKED.trailing_zeros()
    }

    /// Whether the driver has called `ki_complete` during the issue call.
    pub(crate) fn peer_done(self) -> bool {
        self.0 & Self::PEER_DONE != 0
    }

    /// Whether somebody wanted to cancel it when it could not be.
    pub(crate) fn is_cancelled(self) -> bool {
        self.0 & Self::CANCELLED != 0
    }

    /// Whether its event was delivered, by who cancelled it.
    pub(crate) fn is_ended(self) -> bool {
        self.0 & Self::ENDED != 0
    }

    /// Whether this is a request whose event is still to come, in the `generation` that a key
    /// names, whose bits in `mask` it has. In Done nobody can cancel it just now: it is about to get to
    /// others, or to end.
    pub(crate) fn is_out(self, generation: u32, mask: u32) -> bool {
        let out = !matches!(self.phase(), Phase::Free | Phase::Prep);
        out && !self.is_ended() && (generation ^ self.generation()) & mask == 0
    }

    /// Whether this is such a request, which can be cancelled, or is with somebody who looks whether it was.
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

    /// The transition: the new word and what to do, or `None` if the step is not allowed.
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

// The path is for the host, which has this file elsewhere.
#[cfg(CONFIG_KUNIT = "y")]
#[path = "state/tests.rs"]
mod tests;
