// SPDX-License-Identifier: GPL-2.0

//! Tests of the transition function.

#[kernel::macros::kunit_tests(raio_state)]
mod cases {
    use super::super::*;
    use Step::*;

    const STEPS: [Step; 12] = [
        Take, Queue, Issue, Finish, Arm, Wait, Kick, Fire, Leave, Complete, Cancel, Free,
    ];

    /// The word and the result after `steps` on a request that was never used.
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
    fn the_table() {
        use Phase as P;
        let cases: &[(&[Step], P, Then)] = &[
            (&[Take], P::Prep, Then::Own),
            (&[Take, Queue], P::Queued, Then::Nothing),
            (&[Take, Issue], P::Running, Then::Nothing),
            (&[Take, Queue, Issue], P::Running, Then::Nothing),
            (&[Take, Issue, Finish], P::Done, Then::Own),
            (&[Take, Issue, Finish, Issue], P::Running, Then::Nothing),
            (&[Take, Issue, Finish, Queue], P::Queued, Then::Nothing),
            (&[Take, Issue, Arm], P::Armed, Then::Nothing),
            (&[Take, Issue, Cancel], P::Running, Then::Busy),
            (&[Take, Issue, Cancel, Arm], P::Running, Then::Cancelled),
            (&[Take, Issue, Kick], P::Running, Then::Nothing),
            (&[Take, Issue, Kick, Arm], P::Running, Then::Again),
            (&[Take, Issue, Kick, Arm, Arm], P::Armed, Then::Nothing),
            (&[Take, Issue, Wait], P::PageArmed, Then::Nothing),
            (&[Take, Issue, Kick, Wait], P::Running, Then::Again),
            (&[Take, Issue, Arm, Kick], P::Queued, Then::Queue),
            (&[Take, Issue, Wait, Kick], P::Queued, Then::Queue),
            (&[Take, Issue, Arm, Fire], P::Done, Then::Own),
            (&[Take, Issue, Fire, Arm], P::Running, Then::Again),
            (&[Take, Issue, Leave], P::InFlight, Then::Nothing),
            (&[Take, Issue, Leave, Complete], P::Done, Then::Own),
            (&[Take, Issue, Complete], P::Running, Then::Nothing),
            (&[Take, Issue, Complete, Leave], P::Done, Then::Own),
            (&[Take, Issue, Complete, Finish], P::Done, Then::Own),
            (&[Take, Issue, Arm, Cancel], P::Done, Then::Own),
            (&[Take, Queue, Cancel], P::Done, Then::Own),
            (&[Take, Issue, Wait, Cancel], P::PageArmed, Then::Ended),
            (&[Take, Issue, Wait, Cancel, Kick], P::Queued, Then::Queue),
            (&[Take, Issue, Leave, Cancel], P::InFlight, Then::Busy),
            (&[Take, Issue, Leave, Cancel, Complete], P::Done, Then::Own),
            (&[Take, Free], P::Free, Then::Nothing),
            (&[Take, Issue, Finish, Free], P::Free, Then::Nothing),
        ];
        for (steps, phase, then) in cases {
            assert_eq!(ends(steps), Some((*phase, *then)));
        }
    }

    #[test]
    fn what_is_refused() {
        let cases: &[&[Step]] = &[
            // Completed once, and only after it was taken and issued.
            &[Take, Complete],
            &[Complete],
            &[Take, Issue, Complete, Complete],
            &[Take, Issue, Leave, Complete, Complete],
            &[Take, Issue, Finish, Complete],
            // One run at a time.
            &[Take, Issue, Issue],
            &[Take, Issue, Leave, Issue],
            &[Take, Issue, Arm, Issue],
            &[Take, Queue, Queue],
            &[Take, Take],
            // Not freed while another owner has it.
            &[Take, Issue, Free],
            &[Take, Issue, Arm, Free],
            &[Take, Issue, Wait, Free],
            &[Take, Issue, Leave, Free],
            &[Take, Queue, Free],
            // Kicked once for each time it is armed.
            &[Take, Issue, Arm, Kick, Kick],
            &[Take, Kick],
            &[Take, Issue, Finish, Kick],
            &[Take, Issue, Arm, Fire, Fire],
            &[Take, Issue, Arm, Fire, Cancel],
            &[Take, Issue, Arm, Cancel, Fire],
            &[Take, Issue, Wait, Fire],
            // Cancelled once, and only while its event is still to come.
            &[Take, Cancel],
            &[Take, Issue, Finish, Cancel],
            &[Take, Issue, Arm, Cancel, Cancel],
            &[Take, Issue, Wait, Cancel, Cancel],
            &[Take, Issue, Wait, Cancel, Kick, Cancel],
            // Not run again after it was cancelled.
            &[Take, Issue, Cancel, Finish, Queue],
        ];
        for steps in cases {
            let (last, before) = steps.split_last().map_or((&Free, *steps), |s| s);
            assert!(run(before).is_some_and(|at| at.0.step(*last).is_none()));
        }
    }

    #[test]
    fn in_flight_is_a_matter_of_phase_and_generation() {
        let word = |steps| run(steps).map_or(Word::FREE, |at| at.0);
        for steps in [
            &[Take, Queue][..],
            &[Take, Issue],
            &[Take, Issue, Leave],
            &[Take, Issue, Complete],
            &[Take, Issue, Arm],
            &[Take, Issue, Wait],
        ] {
            assert!(word(steps).is_in_flight(1, u32::MAX));
            assert!(word(steps).is_out(1, u32::MAX));
            assert!(!word(steps).is_in_flight(2, u32::MAX));
            assert!(!word(steps).is_out(2, u32::MAX));
            // A key with one bit of the generation only.
            assert!(word(steps).is_in_flight(3, 1));
        }
        for steps in [
            &[][..],
            &[Take],
            &[Take, Issue, Wait, Cancel],
            &[Take, Issue, Finish, Free],
        ] {
            assert!(!word(steps).is_in_flight(1, u32::MAX));
            assert!(!word(steps).is_out(1, u32::MAX));
        }
        // In Done, between two owners.
        for steps in [&[Take, Issue, Finish][..], &[Take, Issue, Leave, Complete]] {
            assert!(!word(steps).is_in_flight(1, u32::MAX));
            assert!(word(steps).is_out(1, u32::MAX));
        }
    }

    #[test]
    fn nothing_of_a_request_is_left_for_the_next() {
        let next = run(&[Take, Issue, Kick, Cancel, Complete, Leave, Free, Take]);
        assert_eq!(
            next.map(|at| at.0 .0),
            Some(2 << Word::GENERATION_SHIFT | Phase::Prep as u32)
        );
    }

    #[test]
    fn generations_wrap() {
        let last = Word((1 << Word::GENERATION_BITS) - 1 << Word::GENERATION_SHIFT);
        let next = last.step(Take).map(|at| at.0);
        assert_eq!(
            next.map(|w| (w.generation(), w.phase())),
            Some((0, Phase::Prep))
        );
    }

    /// In every order of steps, at most one caller at a time owns the request, and none while the run
    /// or the peer still has it.
    #[test]
    fn ownership_is_exclusive_in_every_sequence() {
        // `run` and `peer`: whether the run and the driver hold the request.
        fn explore(word: Word, run: bool, peer: bool, depth: u32) {
            if depth == 0 {
                return;
            }
            for step in STEPS {
                // What callers never do: complete a request that they do not hold, return from an issue
                // call that they are not in, or arm a request that a driver has.
                let allowed = match step {
                    Complete => peer,
                    Finish | Leave => run,
                    Arm | Wait => run && !word.peer_done(),
                    _ => true,
                };
                let Some((next, then)) = word.step(step).filter(|_| allowed) else {
                    continue;
                };
                let (run, peer) = match (step, then) {
                    (Issue, _) => (true, true),
                    (Finish, _) | (Arm | Wait, Then::Nothing) => (false, false),
                    (Leave, _) => (false, peer),
                    (Complete, _) => (run, false),
                    _ => (run, peer),
                };
                if matches!(then, Then::Own | Then::Queue) {
                    assert!(!run && !peer);
                }
                if matches!(next.phase(), Phase::Free | Phase::Done | Phase::Queued) {
                    assert!(!run && !peer);
                }
                explore(next, run, peer, depth - 1);
            }
        }
        explore(Word::FREE, false, false, 8);
    }
}
