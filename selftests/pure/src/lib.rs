// SPDX-License-Identifier: GPL-2.0

//! The KUnit cases of the module's `src/pure/`, as tests on the host: in a second, with no kernel.
//!
//! `pure` is the module's own source, by a symbolic link. What it imports from outside is below `sys`:
//! the same files where these need nothing of the kernel.

#![cfg_attr(not(test), allow(dead_code))]

#[allow(dead_code)]
mod once;
#[allow(dead_code)]
mod pure;

mod sys {
    /// As `rust/util/`.
    pub(crate) mod util {
        pub(crate) use crate::once;
    }

    /// As `rust/uio.rs`.
    pub(crate) mod uio {
        /// The direction of a transfer.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        pub(crate) enum Direction {
            /// From the file.
            Read,
            /// To the file.
            Write,
        }
    }

    /// Of the crate, whose tests compare it with the header's.
    pub(crate) mod uapi {
        pub(crate) use raio::sys::{io_event, raio_ring};
    }
}
