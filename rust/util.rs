// SPDX-License-Identifier: GPL-2.0

//! Modules that wrap no C header: partially filled arrays, words without ordering, and deferred
//! values.

pub(crate) mod array;
pub(crate) mod deferred;
pub(crate) mod once;
