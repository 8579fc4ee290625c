// SPDX-License-Identifier: GPL-2.0

//! All words that there are, one by one.

use crate::state::{Phase, Step, Word};
use std::collections::BTreeSet;

const STEPS: [Step; 12] = [
    Step::Take,
    Step::Queue,
    Step::Issue,
    Step::Finish,
    Step::Arm,
    Step::Wait,
    Step::Kick,
    Step::Fire,
    Step::Leave,
    Step::Complete,
    Step::Cancel,
    Step::Free,
];

/// Without the generation.
fn next(word: u32) -> impl Iterator<Item = u32> {
    let steps = STEPS.into_iter();
    steps.filter_map(move |step| Some(Word(word).step(step)?.0 .0 & 0xff))
}

fn reachable(from: u32) -> BTreeSet<u32> {
    let mut seen = BTreeSet::from([from]);
    let mut left = vec![from];
    while let Some(word) = left.pop() {
        left.extend(next(word).filter(|&word| seen.insert(word)));
    }
    seen
}

#[test]
fn every_request_can_come_home() {
    let words = reachable(Word::FREE.0);
    for &word in &words {
        let free = reachable(word)
            .iter()
            .any(|&to| Word(to).phase() == Phase::Free);
        assert!(free, "{:?} {word:#x}", Word(word).phase());
    }
    println!("{} words", words.len());
}

#[test]
fn a_refused_step_leaves_no_way_around() {
    for word in reachable(Word::FREE.0).into_iter().map(Word) {
        let allowed = |step| word.step(step).is_some();
        let phase = word.phase();
        // Whoever has nothing to do with it can do nothing to it.
        assert_eq!(allowed(Step::Finish), phase == Phase::Running);
        assert_eq!(allowed(Step::Take), phase == Phase::Free);
        if matches!(phase, Phase::Armed | Phase::PageArmed | Phase::InFlight) {
            assert!(!allowed(Step::Issue) && !allowed(Step::Queue) && !allowed(Step::Free));
        }
        // Who cancelled a request that waits for a page has delivered its event.
        assert!(!word.is_ended() || !allowed(Step::Cancel));
        // What a driver said in one run is not of the next.
        if let Some((next, _)) = word.step(Step::Issue) {
            assert!(!next.peer_done());
        }
        // Whoever can still be woken or completed by another is not freed.
        if allowed(Step::Complete) || allowed(Step::Kick) {
            assert!(!allowed(Step::Free));
        }
    }
}
