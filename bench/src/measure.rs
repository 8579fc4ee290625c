// SPDX-License-Identifier: GPL-2.0

//! Does the same several times, and prints a line of what it cost.

use crate::{
    args::Args,
    marks::{self, Marks},
    result::{round, Calls, Run, QUANTILES},
};
use std::io;

/// How often all is done, of which the cheapest counts.
pub const REPETITIONS: usize = 3;

/// Rounds of `each` operations; `round` is told its number.
pub fn measure(
    args: &Args,
    rounds: usize,
    each: usize,
    mut round: impl FnMut(usize, &mut Marks) -> io::Result<()>,
) -> io::Result<()> {
    let calls = rounds * REPETITIONS;
    let all = |marks: &mut Marks| (0..rounds).try_for_each(|i| round(i, marks));
    print(&repeat(args, rounds * each, calls, || Ok(()), all)?)
}

/// `all` does `ops` operations, with no more than `calls` submissions in all repetitions; what
/// `prepare` does before each does not count.
pub fn repeat(
    args: &Args,
    ops: usize,
    calls: usize,
    mut prepare: impl FnMut() -> io::Result<()>,
    mut all: impl FnMut(&mut Marks) -> io::Result<()>,
) -> io::Result<Run> {
    let mut marks = Marks::with_room(calls);
    // So that no page of it is touched for the first time while it counts.
    marks.calls.resize(calls, 1);
    marks.calls.clear();
    // The cheapest repetition has the least of what else the machine did meanwhile.
    let mut least: Option<Run> = None;
    for _ in 0..REPETITIONS {
        marks.reset();
        prepare()?;
        let before = switches();
        marks::start();
        let start = marks::now();
        all(&mut marks)?;
        marks.total = marks::now() - start;
        marks::stop();
        let after = switches();
        let each = |ticks| round(marks::ns(ticks) / ops as f64);
        let run = Run {
            total: each(marks.total),
            submit: each(marks.submit),
            reap: each(marks.reap),
            voluntary_switches: after.0 - before.0,
            involuntary_switches: after.1 - before.1,
            ..Run::of(args, ops, REPETITIONS)
        };
        if least.as_ref().is_none_or(|least| run.total < least.total) {
            least = Some(run);
        }
    }
    let mut run = least.unwrap_or_default();
    run.calls = quantiles(marks.calls);
    Ok(run)
}

pub fn print(run: &Run) -> io::Result<()> {
    println!("{}", serde_json::to_string(run)?);
    Ok(())
}

/// Nothing of a few calls.
fn quantiles(mut calls: Vec<u64>) -> Option<Calls> {
    if calls.len() < 20 {
        return None;
    }
    calls.sort_unstable();
    let last = calls.len() - 1;
    let at = QUANTILES.map(|part| marks::ns(calls[(part * last as f64).round() as usize]).round());
    Some(Calls {
        count: calls.len(),
        ns: at.to_vec(),
    })
}

/// Voluntary and involuntary switches of this thread.
pub fn switches() -> (i64, i64) {
    // SAFETY: Zero is a value of each field, and the call writes all of them.
    unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        libc::getrusage(libc::RUSAGE_THREAD, &mut usage);
        (usage.ru_nvcsw, usage.ru_nivcsw)
    }
}
