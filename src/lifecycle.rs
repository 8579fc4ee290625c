// SPDX-License-Identifier: GPL-2.0

//! Contexts from io_setup to their end.
//!
//! This room owns the open device, the setup and look-up of contexts, and their end. It uses
//! [`submit`](crate::submit) and the rooms below that. Its locks are `OpenDevice::members` (mutex) and
//! `OpenDevice::recent` (spinlock), see [`open_device`].

mod end;
pub(crate) mod open_device;
mod setup;

pub(crate) use setup::{
    lookup,
    setup, //
};
