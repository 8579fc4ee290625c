// SPDX-License-Identifier: GPL-2.0

//! The states of a request, as one pure transition function.
//!
//! A request that is issued has two owners:
//!
//! - the *run*: the task inside the file's `read_iter`, `write_iter` or `fsync`;
//! - the *peer*: the driver that owes a `ki_complete`.
//!
//! Either may finish first: a driver may complete the request from an interrupt before the issue
//! call has returned to the run, and file systems look at the kiocb after that. So whoever is
//! last, and nobody else, gets the request back to complete it. One atomic [`Word`] decides it.
//!
//! | from                | what                        | to       | then                    |
//! |---------------------|-----------------------------|----------|-------------------------|
//! | Free                | [`Step::Take`]              | Prep     |                         |
//! | Prep                | [`Step::Queue`]             | Queued   | a worker will run it    |
//! | Prep, Queued        | [`Step::Issue`]             | Running  | both own it             |
//! | Running             | [`Step::Finish`]            | Done     | the run has it          |
//! | Running             | [`Step::Leave`]             | InFlight | the peer has it         |
//! | Running, peer done  | [`Step::Leave`]             | Done     | the run has it          |
//! | Running             | [`Step::Complete`]          | Running, peer done |               |
//! | InFlight            | [`Step::Complete`]          | Done     | the peer has it         |
//! | Prep, Queued, Done  | [`Step::Free`]              | Free     |                         |
//!
//! Anything else is refused and changes nothing. A driver that returns a result and calls
//! `ki_complete` all the same has let go of the request twice: the run has it then.

/// Where a request is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u32)]
pub(crate) enum Phase {
    /// In the pool.
    Free = 0,
    /// Its owner fills it in, or has not issued it yet.
    Prep = 1,
    /// On a work queue.
    Queued = 2,
    /// Inside the issue call.
    Running = 3,
    /// The issue call has returned; a driver owes the completion.
    InFlight = 4,
    /// Both owners are gone; the last one completes it.
    Done = 5,
}

/// What happens to a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Step {
    /// The pool hands it out. A new generation begins.
    Take,
    /// It is put on a work queue.
    Queue,
    /// The issue call begins.
    Issue,
    /// The issue call returned a result: there is no peer.
    Finish,
    /// The issue call returned -EIOCBQUEUED.
    Leave,
    /// The driver called `ki_complete`.
    Complete,
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
}

/// Phase, flags and generation of a request.
///
/// Bits 0 to 2 are the phase, bit 3 is [`Word::PEER_DONE`], and bits 8 to 31 are the generation,
/// which wraps.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Word(pub(crate) u32);

impl Word {
    const PHASE: u32 = 0x7;
    /// The driver has called `ki_complete`, the issue call has not returned.
    const PEER_DONE: u32 = 1 << 3;
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
            4 => Phase::InFlight,
            5 => Phase::Done,
            _ => Phase::Free,
        }
    }

    /// The number of times that the request was taken from the pool, modulo
    /// 2^[`Self::GENERATION_BITS`].
    pub(crate) fn generation(self) -> u32 {
        self.0 >> Self::GENERATION_SHIFT
    }

    /// Whether the driver has called `ki_complete` during the issue call.
    pub(crate) fn peer_done(self) -> bool {
        self.0 & Self::PEER_DONE != 0
    }

    /// Whether this is a request whose event is still to come, in the `generation` that a key
    /// names, whose bits in `mask` it has.
    pub(crate) fn is_in_flight(self, generation: u32, mask: u32) -> bool {
        matches!(
            self.phase(),
            Phase::Queued | Phase::Running | Phase::InFlight
        ) && (generation ^ self.generation()) & mask == 0
    }

    fn to(self, phase: Phase) -> Word {
        Word(self.0 & !Self::PHASE | phase as u32)
    }

    /// The transition: the new word and what to do, or `None` if the step is not allowed.
    pub(crate) fn step(self, step: Step) -> Option<(Word, Then)> {
        use Phase::*;

        Some(match (self.phase(), step) {
            (Free, Step::Take) => {
                let generation = self.generation().wrapping_add(1);
                let word = Word(generation << Self::GENERATION_SHIFT);
                (word.to(Prep), Then::Own)
            }
            (Prep, Step::Queue) => (self.to(Queued), Then::Nothing),
            (Prep | Queued, Step::Issue) => (self.to(Running), Then::Nothing),
            (Running, Step::Finish) => (self.to(Done), Then::Own),
            (Running, Step::Leave) if self.peer_done() => (self.to(Done), Then::Own),
            (Running, Step::Leave) => (self.to(InFlight), Then::Nothing),
            (Running, Step::Complete) if !self.peer_done() => {
                (Word(self.0 | Self::PEER_DONE), Then::Nothing)
            }
            (InFlight, Step::Complete) => (self.to(Done), Then::Own),
            (Prep | Queued | Done, Step::Free) => {
                (Word(self.0 & !Self::PEER_DONE).to(Free), Then::Nothing)
            }
            _ => return None,
        })
    }
}

#[cfg(CONFIG_KUNIT = "y")]
#[kernel::macros::kunit_tests(raio_state)]
mod tests {
    use super::*;

    const PHASES: [Phase; 6] = [
        Phase::Free,
        Phase::Prep,
        Phase::Queued,
        Phase::Running,
        Phase::InFlight,
        Phase::Done,
    ];

    fn run(steps: &[Step]) -> Option<(Word, Then)> {
        let mut at = (Word::FREE, Then::Nothing);
        for &step in steps {
            at = at.0.step(step)?;
        }
        Some(at)
    }

    fn ends(steps: &[Step]) -> Option<(Phase, Then)> {
        run(steps).map(|(word, then)| (word.phase(), then))
    }

    #[test]
    fn phases_are_kept_in_the_word() {
        for phase in PHASES {
            assert_eq!(Word::FREE.to(phase).phase(), phase);
        }
    }

    #[test]
    fn a_result_at_once_is_the_runs() {
        use Step::*;
        assert_eq!(ends(&[Take, Issue, Finish]), Some((Phase::Done, Then::Own)));
        assert_eq!(
            ends(&[Take, Queue, Issue, Finish]),
            Some((Phase::Done, Then::Own))
        );
    }

    #[test]
    fn the_last_owner_gets_it() {
        use Step::*;
        assert_eq!(
            ends(&[Take, Issue, Leave]),
            Some((Phase::InFlight, Then::Nothing))
        );
        assert_eq!(
            ends(&[Take, Issue, Leave, Complete]),
            Some((Phase::Done, Then::Own))
        );
        assert_eq!(
            ends(&[Take, Issue, Complete]),
            Some((Phase::Running, Then::Nothing))
        );
        assert_eq!(
            ends(&[Take, Issue, Complete, Leave]),
            Some((Phase::Done, Then::Own))
        );
    }

    #[test]
    fn a_driver_completes_once() {
        use Step::*;
        assert_eq!(run(&[Take, Issue, Complete, Complete]), None);
        assert_eq!(run(&[Take, Issue, Leave, Complete, Complete]), None);
        assert_eq!(run(&[Take, Issue, Finish, Complete]), None);
        assert_eq!(run(&[Take, Complete]), None);
        assert_eq!(run(&[Complete]), None);
    }

    #[test]
    fn only_one_run_at_a_time() {
        use Step::*;
        assert_eq!(run(&[Take, Issue, Issue]), None);
        assert_eq!(run(&[Take, Issue, Leave, Issue]), None);
        assert_eq!(run(&[Take, Queue, Queue]), None);
        assert_eq!(run(&[Take, Take]), None);
    }

    #[test]
    fn it_is_not_freed_while_it_has_owners() {
        use Step::*;
        assert_eq!(run(&[Take, Issue, Free]), None);
        assert_eq!(run(&[Take, Issue, Leave, Free]), None);
        assert_eq!(run(&[Take, Issue, Complete, Free]), None);
        assert_eq!(ends(&[Take, Free]), Some((Phase::Free, Then::Nothing)));
        assert_eq!(
            ends(&[Take, Issue, Finish, Free]),
            Some((Phase::Free, Then::Nothing))
        );
    }

    #[test]
    fn a_result_and_a_completion_are_one_end() {
        use Step::*;
        assert_eq!(
            ends(&[Take, Issue, Complete, Finish]),
            Some((Phase::Done, Then::Own))
        );
    }

    #[test]
    fn in_flight_is_a_matter_of_phase_and_generation() {
        use Step::*;
        let word = |steps| run(steps).map_or(Word::FREE, |at| at.0);
        for steps in [
            &[Take, Queue][..],
            &[Take, Issue],
            &[Take, Issue, Leave],
            &[Take, Issue, Complete],
        ] {
            assert!(word(steps).is_in_flight(1, u32::MAX));
            assert!(!word(steps).is_in_flight(2, u32::MAX));
            // A key that has room for one bit of the generation only.
            assert!(word(steps).is_in_flight(3, 1));
        }
        for steps in [
            &[][..],
            &[Take],
            &[Take, Issue, Finish],
            &[Take, Issue, Leave, Complete],
            &[Take, Issue, Finish, Free],
        ] {
            assert!(!word(steps).is_in_flight(1, u32::MAX));
        }
    }

    #[test]
    fn nothing_of_a_request_is_left_for_the_next() {
        use Step::*;
        let next = run(&[Take, Issue, Complete, Leave, Free, Take]).map(|at| at.0);
        assert_eq!(
            next.map(|w| (w.generation(), w.peer_done())),
            Some((2, false))
        );
    }

    #[test]
    fn generations_wrap() {
        let last = Word((1 << Word::GENERATION_BITS) - 1 << Word::GENERATION_SHIFT);
        let next = last.step(Step::Take).map(|at| at.0);
        assert_eq!(
            next.map(|w| (w.generation(), w.phase())),
            Some((0, Phase::Prep))
        );
    }

    /// Whatever the order of steps, at most one owner at a time is told that it owns the request,
    /// and nobody while another is still at it.
    #[test]
    fn ownership_is_exclusive_in_every_sequence() {
        use Step::*;
        // (word, the run holds it, the peer holds it)
        fn explore(word: Word, run: bool, peer: bool, depth: u32) {
            if depth == 0 {
                return;
            }
            for step in [Take, Queue, Issue, Finish, Leave, Complete, Free] {
                // What a driver and a caller can't do by contract: complete what they do not
                // hold, return from a call that they are not in.
                let allowed = match step {
                    Complete => peer,
                    Finish => run,
                    Leave => run,
                    _ => true,
                };
                let Some((next, then)) = word.step(step).filter(|_| allowed) else {
                    continue;
                };
                let (run, peer) = match step {
                    Issue => (true, true),
                    Finish => (false, false),
                    Leave => (false, peer),
                    Complete => (run, false),
                    _ => (run, peer),
                };
                if then == Then::Own {
                    assert!(!run && !peer);
                }
                if next.phase() == Phase::Free || next.phase() == Phase::Done {
                    assert!(!run && !peer);
                }
                explore(next, run, peer, depth - 1);
            }
        }
        explore(Word::FREE, false, false, 9);
    }
}
