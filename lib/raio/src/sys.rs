// SPDX-License-Identifier: MIT OR Apache-2.0

//! The kernel's interface as it is: `<linux/aio_abi.h>` and `<linux/raio.h>`, see
//! raio_ioctl(2).  For those who make the calls themselves.

#![allow(missing_docs)] // the headers have them

pub use crate::{abi::*, info::Info as raio_info};

pub const RAIO_IOC_INFO: u32 = crate::abi::ioc::<raio_info>(crate::abi::READ, 0);
