// SPDX-License-Identifier: GPL-2.0

//! Data structures and decisions that know no tasks, files or memory: states, keys, ring arithmetic,
//! credits, lists, the policy.
//!
//! This is the lowest room: it uses none of the others. It has no locks. Nothing here sleeps, but for
//! `lists::Groups` and `folios`, which allocate in process context. All of it is compiled on the
//! host as well: selftests/pure runs the KUnit cases there, and selftests/state tries all interleavings of
//! the users of `state` and `credit`.

pub(crate) mod class;
pub(crate) mod credit;
pub(crate) mod folios;
pub(crate) mod key;
pub(crate) mod lists;
pub(crate) mod policy;
pub(crate) mod ring;
pub(crate) mod span;
pub(crate) mod state;
