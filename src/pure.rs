// SPDX-License-Identifier: GPL-2.0

//! Data structures and decisions that know no tasks, files or memory: states, keys, ring arithmetic,
//! credits, lists, the policy.
//!
//! This is the lowest room: it uses none of the others. It has no locks. Nothing here sleeps, but for
//! `lists::Groups` and `folios`, which allocate in process context. `state` and `credit` are also compiled
//! on the host, where selftests/state tries all interleavings of their users.

pub(crate) mod credit;
pub(crate) mod folios;
pub(crate) mod key;
pub(crate) mod lists;
pub(crate) mod policy;
pub(crate) mod ring;
pub(crate) mod span;
pub(crate) mod state;
