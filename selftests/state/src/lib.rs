// SPDX-License-Identifier: GPL-2.0

//! Every interleaving of those who share a request: who submits or runs it, who wakes it, the
//! driver that has it, who cancels it.
//!
//! [`state`] is the module's own file. What is around it, in `request`, is a model of
//! `rust/request.rs` and `src/retry.rs`: the same steps under the same locks, and cells that loom
//! watches in place of what only the owner may touch. Two owners at a time, or one who does not
//! see what the one before has written, are found in whatever order that needs.

// Who uses it are the tests.
#[allow(dead_code)]
#[path = "../../../src/state.rs"]
mod state;

#[cfg(test)]
mod interleavings;
#[cfg(test)]
mod request;
#[cfg(test)]
mod words;
