// SPDX-License-Identifier: GPL-2.0

//! Interleavings of those who share words of raio: who submits or runs a request, who wakes it, the
//! driver that has it, who cancels it, the end of its context and its deadline; and of the other pairs
//! of `Documentation/atomics.md`.
//!
//! [`state`] and [`credit`] are the module's own files. What is around them is a model: in `request` of
//! `rust/request.rs` and `src/engine.rs`, and so on, the same steps under the same locks, and cells that
//! loom watches in place of what only the owner may touch. Two owners at a time, or one who does not see
//! what the one before has written, are found in whatever order that needs.

// Who uses it are the tests.
#[allow(dead_code)]
#[path = "../../../src/pure/state.rs"]
mod state;

#[allow(dead_code)]
#[path = "../../../src/pure/credit.rs"]
mod credit;

#[cfg(test)]
mod ends;
#[cfg(test)]
mod interleavings;
#[cfg(test)]
mod polls;
#[cfg(test)]
mod pool;
#[cfg(test)]
mod request;
#[cfg(test)]
mod ring;
#[cfg(test)]
mod waits;
#[cfg(test)]
mod words;

/// Tries all orders of what the threads do that `model` starts.
#[cfg(test)]
fn check(model: impl Fn() + Sync + Send + 'static) {
    check_bounded(None, model);
}

/// As [`check`], but no more than `bound` times is a thread interrupted that could go on: all orders would
/// take minutes. With `RAIO_ALL_ORDERS` in the environment they are tried.
#[cfg(test)]
fn check_bounded(bound: Option<usize>, model: impl Fn() + Sync + Send + 'static) {
    use std::sync::{
        atomic::{AtomicUsize, Ordering::Relaxed},
        Arc,
    };

    let count = Arc::new(AtomicUsize::new(0));
    let counter = count.clone();
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = bound.filter(|_| std::env::var_os("RAIO_ALL_ORDERS").is_none());
    builder.check(move || {
        counter.fetch_add(1, Relaxed);
        model();
    });
    println!("{} interleavings", count.load(Relaxed));
}
