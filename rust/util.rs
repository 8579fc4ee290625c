// SPDX-License-Identifier: GPL-2.0

//! What wraps no header: arrays that are filled as they go, words without order, what is deferred.

pub(crate) mod array;
pub(crate) mod deferred;
pub(crate) mod once;
