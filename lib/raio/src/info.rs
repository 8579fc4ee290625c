// SPDX-License-Identifier: MIT OR Apache-2.0

use crate::{abi, Operation};
use std::mem::offset_of;

/// What the kernel's side is and can do: `RAIO_IOC_INFO`.
///
/// It is laid out as the kernel's `struct raio_info`.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
#[repr(C)]
pub struct Info {
    /// The major version of the interface; another one is not compatible.
    pub major: u16,
    /// The minor version, which adds.
    pub minor: u16,
    flags: u32,
    /// Bit `IOCB_CMD_*` is set if that is served; see [`serves`](Self::serves).
    pub opcodes: u64,
    /// Bits `RAIO_FEATURE_*`; see the methods.
    pub features: u64,
    /// The flags that a setup takes, `RAIO_SETUP_*`.
    pub setup_flags: u64,
    /// The largest number of events of a context.
    pub max_events: u32,
    reserved: u32,
    /// `fs.raio-nr`: the requests that all contexts take.
    pub nr: u64,
    /// `fs.raio-max-nr`: how many these can be.
    pub max_nr: u64,
    /// What the user has of them.
    pub user_nr: u64,
    /// `fs.raio-max-user-nr`: how many these can be.
    pub max_user_nr: u64,
}

impl Info {
    /// Whether requests of that kind are served.
    pub fn serves(&self, operation: Operation) -> bool {
        self.opcodes & (1 << operation.opcode()) != 0
    }

    /// `O_DIRECT` requests are in flight when submit returns.
    pub fn has_direct(&self) -> bool {
        self.features & abi::RAIO_FEATURE_DIRECT != 0
    }

    /// What can't go on is retried when it can; submit does not wait for it.
    pub fn has_retry(&self) -> bool {
        self.features & abi::RAIO_FEATURE_RETRY != 0
    }

    /// What may block runs in threads of the process.
    pub fn has_threads(&self) -> bool {
        self.features & abi::RAIO_FEATURE_THREADS != 0
    }

    /// Buffered reads of files that offer it hold no thread while the device works.
    pub fn has_page_wait(&self) -> bool {
        self.features & abi::RAIO_FEATURE_PAGE_WAIT != 0
    }

    /// Buffers and files can be registered.
    pub fn has_register(&self) -> bool {
        self.features & abi::RAIO_FEATURE_REGISTER != 0
    }

    /// Requests can have a time at which they are over:
    /// [`Request::with_timeout`](crate::Request::with_timeout).
    pub fn has_deadline(&self) -> bool {
        self.features & abi::RAIO_FEATURE_DEADLINE != 0
    }

    /// Transfers can use the file position: [`Request::read`](crate::Request::read).
    pub fn has_file_position(&self) -> bool {
        self.features & abi::RAIO_FEATURE_CUR_POS != 0
    }

    /// A part of a file can be synchronised:
    /// [`Request::with_range`](crate::Request::with_range),
    /// [`Request::sync_file_range`](crate::Request::sync_file_range).
    pub fn has_sync_range(&self) -> bool {
        self.features & abi::RAIO_FEATURE_SYNC_RANGE != 0
    }

    /// Requests can be barriers: [`Request::with_barrier`](crate::Request::with_barrier).
    pub fn has_barrier(&self) -> bool {
        self.features & abi::RAIO_FEATURE_BARRIER != 0
    }
}

// A layout that differs from the header's is a build error.
const _: () = {
    assert!(size_of::<Info>() == 72);
    assert!(offset_of!(Info, opcodes) == 8);
    assert!(offset_of!(Info, setup_flags) == 24);
    assert!(offset_of!(Info, nr) == 40);
};
