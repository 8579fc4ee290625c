// SPDX-License-Identifier: GPL-2.0

//! Safe abstractions over the kernel interfaces that raio needs and the kernel crate lacks.
//!
//! There is one file for each C header, and no policy. All `unsafe` code of the module is below
//! this file.
//!
//! This module depends on the following code outside of it:
//!
//! - `crate::pure::state`, which is tested: part of the proofs of [`request`];
//! - `crate::pure::span`, which is tested: part of the proofs of [`pinned`];
//! - `crate::pure::folios`: how [`pinned`] charges memory;
//! - `crate::window`: how tests see and hold requests;
//! - `crate::context::Context`: the type that [`mapping`] maps;
//! - `crate::lifecycle::open_device::OpenDevice`: the private data of an open file of
//!   [`miscdevice`];
//! - `crate::context::limit::Users`: what all open files of [`miscdevice`] share;
//! - `crate::device::ioctl`: the ioctl handler that [`miscdevice`] calls.

#[allow(
    clippy::all,
    clippy::undocumented_unsafe_blocks,
    dead_code,
    improper_ctypes,
    missing_docs,
    non_camel_case_types,
    non_snake_case,
    non_upper_case_globals,
    unreachable_pub,
    unused_imports
)]
mod bindings {
    pub(crate) use kernel::bindings::*;

    include!(concat!(env!("RAIO_OBJTREE"), "/rust/bindings_generated.rs"));
}

pub(crate) mod blkdev;
pub(crate) mod bug;
pub(crate) mod capability;
pub(crate) mod compat;
pub(crate) mod cred;
pub(crate) mod eventfd;
pub(crate) mod fs;
pub(crate) mod hrtimer;
pub(crate) mod ioprio;
pub(crate) mod mapping;
pub(crate) mod miscdevice;
pub(crate) mod mm;
pub(crate) mod module;
pub(crate) mod nospec;
mod pagemap;
pub(crate) mod pinned;
pub(crate) mod poll;
pub(crate) mod poll_queue;
pub(crate) mod printk;
pub(crate) mod proc_fs;
pub(crate) mod rcupdate;
pub(crate) mod request;
pub(crate) mod sched;
pub(crate) mod signal;
pub(crate) mod sysctl;
pub(crate) mod task;
pub(crate) mod task_work;
pub(crate) mod trace;
pub(crate) mod uaccess;
pub(crate) mod uapi;
pub(crate) mod uio;
pub(crate) mod user;
pub(crate) mod user_namespace;
pub(crate) mod util;
pub(crate) mod vhost_task;
pub(crate) mod wait;
pub(crate) mod workqueue;
