// SPDX-License-Identifier: GPL-2.0

//! From io_setup to the end of a context: who brings all that it has together, and apart.

mod end;
pub(crate) mod open_device;
mod setup;

pub(crate) use setup::{
    lookup,
    setup, //
};
