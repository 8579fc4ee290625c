// SPDX-License-Identifier: GPL-2.0

//! What knows nothing of tasks, files and memory: states, arithmetic, lists, the policy.
//!
//! Nothing here sleeps, allocates or takes a lock; `state` and `credit` are also compiled on the host,
//! where all interleavings of those who share them are tried (selftests/state).

pub(crate) mod credit;
pub(crate) mod folios;
pub(crate) mod key;
pub(crate) mod lists;
pub(crate) mod policy;
pub(crate) mod ring;
pub(crate) mod span;
pub(crate) mod state;
