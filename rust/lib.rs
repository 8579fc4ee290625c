// SPDX-License-Identifier: GPL-2.0

//! Safe abstractions over what raio needs of the kernel and the kernel crate does not have.
//!
//! One file for each C header, no policy. All `unsafe` of the module is below this file.
//!
//! These come from outside: `crate::pure::state`, tested, which is part of the proofs of [`request`];
//! `crate::pure::span`, tested, which is part of those of [`pinned`]; `crate::pure::folios`, by which that
//! charges; `crate::window`, by which tests see and hold requests; `crate::context::Context`, the type of
//! what is mapped by [`mapping`]; and, for [`miscdevice`], `crate::lifecycle::open_device::OpenDevice`, the type of what
//! an open file has, `crate::context::limit::Users`, what all share, and `crate::device::ioctl`.

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
pub(crate) mod capability;
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
