// SPDX-License-Identifier: MIT OR Apache-2.0

//! The module `sys`, but for `raio_info` and its ioctl: `Info` takes constants from here.

#![allow(non_camel_case_types)]
#![allow(missing_docs)] // the headers have them

use std::mem::{offset_of, size_of};

pub const IOCB_CMD_PREAD: u16 = 0;
pub const IOCB_CMD_PWRITE: u16 = 1;
pub const IOCB_CMD_FSYNC: u16 = 2;
pub const IOCB_CMD_FDSYNC: u16 = 3;
pub const IOCB_CMD_POLL: u16 = 5;
pub const IOCB_CMD_NOOP: u16 = 6;
pub const IOCB_CMD_PREADV: u16 = 7;
pub const IOCB_CMD_PWRITEV: u16 = 8;

pub const RAIO_CMD_SYNC_FILE_RANGE: u16 = 32;

pub const IOCB_FLAG_RESFD: u32 = 1 << 0;
pub const IOCB_FLAG_IOPRIO: u32 = 1 << 1;
pub const RAIO_IOCB_FLAG_CUR_POS: u32 = 1 << 26;
pub const RAIO_IOCB_FLAG_RANGE: u32 = 1 << 27;
pub const RAIO_IOCB_FLAG_BARRIER: u32 = 1 << 28;
pub const RAIO_IOCB_FLAG_DEADLINE: u32 = 1 << 29;
pub const RAIO_IOCB_FLAG_FIXED_BUFFER: u32 = 1 << 30;
pub const RAIO_IOCB_FLAG_FIXED_FILE: u32 = 1 << 31;

#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct iocb {
    pub aio_data: u64,
    #[cfg(target_endian = "little")]
    pub aio_key: u32,
    pub aio_rw_flags: i32,
    #[cfg(target_endian = "big")]
    pub aio_key: u32,
    pub aio_lio_opcode: u16,
    pub aio_reqprio: i16,
    pub aio_fildes: u32,
    pub aio_buf: u64,
    pub aio_nbytes: u64,
    pub aio_offset: i64,
    pub aio_reserved2: u64,
    pub aio_flags: u32,
    pub aio_resfd: u32,
}

#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct io_event {
    pub data: u64,
    pub obj: u64,
    pub res: i64,
    pub res2: i64,
}

pub const RAIO_API_MAJOR: u16 = 1;

pub const RAIO_RING_MAGIC: u32 = 0xa10a_10a1;
pub const RAIO_RING_COMPAT_FEATURES: u32 = 1;
pub const RAIO_RING_INCOMPAT_FEATURES: u32 = 0;

#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct raio_ring {
    pub id: u32,
    pub nr: u32,
    pub head: u32,
    pub tail: u32,
    pub magic: u32,
    pub compat_features: u32,
    pub incompat_features: u32,
    pub header_length: u32,
}

pub const RAIO_FEATURE_DIRECT: u64 = 1 << 0;
pub const RAIO_FEATURE_RETRY: u64 = 1 << 1;
pub const RAIO_FEATURE_THREADS: u64 = 1 << 2;
pub const RAIO_FEATURE_PAGE_WAIT: u64 = 1 << 3;
pub const RAIO_FEATURE_REGISTER: u64 = 1 << 4;
pub const RAIO_FEATURE_DEADLINE: u64 = 1 << 5;
pub const RAIO_FEATURE_CUR_POS: u64 = 1 << 6;
pub const RAIO_FEATURE_SYNC_RANGE: u64 = 1 << 7;
pub const RAIO_FEATURE_BARRIER: u64 = 1 << 8;
pub const RAIO_FEATURE_FLAGS_CHECKED: u64 = 1 << 9;
pub const RAIO_FEATURE_ADVISE: u64 = 1 << 10;

pub const RAIO_SETUP_CANCEL_EVENT: u32 = 1 << 0;
pub const RAIO_SETUP_NO_THREADS: u32 = 1 << 1;
pub const RAIO_SETUP_SYNC_WRITES: u32 = 1 << 2;

#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct raio_setup {
    pub nr_events: u32,
    pub flags: u32,
    pub ctx_id: u64,
}

#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct raio_destroy {
    pub ctx_id: u64,
    pub flags: u64,
}

#[repr(C, align(8))]
#[derive(Clone, Copy, Debug, Default)]
pub struct raio_submit {
    pub ctx_id: u64,
    pub nr: i64,
    pub iocbpp: u64,
    pub flags: u64,
}

#[repr(C, align(8))]
#[derive(Clone, Copy, Debug, Default)]
pub struct raio_timespec {
    pub tv_sec: i64,
    pub tv_nsec: i64,
}

#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct raio_deadline {
    pub time: raio_timespec,
    pub flags: u32,
    pub buffer: u32,
}

pub const RAIO_DEADLINE_ABS: u32 = 1 << 0;

#[repr(C, align(8))]
#[derive(Clone, Copy, Debug, Default)]
pub struct raio_getevents {
    pub ctx_id: u64,
    pub min_nr: i64,
    pub nr: i64,
    pub events: u64,
    pub timeout: u64,
    pub sigmask: u64,
    pub sigsetsize: u64,
    pub flags: u64,
}

#[repr(C, align(8))]
#[derive(Clone, Copy, Debug, Default)]
pub struct raio_cancel {
    pub ctx_id: u64,
    pub iocb: u64,
    pub result: u64,
    pub flags: u64,
}

#[repr(C, align(8))]
#[derive(Clone, Copy, Debug, Default)]
pub struct raio_enter {
    pub ctx_id: u64,
    pub nr: i64,
    pub iocbpp: u64,
    pub submitted: i64,
    pub min_events: i64,
    pub nr_events: i64,
    pub events: u64,
    pub timeout: u64,
    pub sigmask: u64,
    pub sigsetsize: u64,
    pub flags: u64,
}

#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct raio_register {
    pub ctx_id: u64,
    pub opcode: u32,
    pub nr: u32,
    pub array: u64,
    pub flags: u64,
}

pub const RAIO_REGISTER_BUFFERS: u32 = 0;
pub const RAIO_UNREGISTER_BUFFERS: u32 = 1;
pub const RAIO_REGISTER_FILES: u32 = 2;
pub const RAIO_UNREGISTER_FILES: u32 = 3;

// A layout that differs from the header's is a build error.
const _: () = {
    assert!(size_of::<iocb>() == 64);
    assert!(offset_of!(iocb, aio_lio_opcode) == 16);
    assert!(offset_of!(iocb, aio_buf) == 24);
    assert!(offset_of!(iocb, aio_offset) == 40);
    assert!(offset_of!(iocb, aio_resfd) == 60);
    assert!(size_of::<io_event>() == 32);
    assert!(size_of::<raio_setup>() == 16);
    assert!(size_of::<raio_destroy>() == 16);
    assert!(size_of::<raio_submit>() == 32);
    assert!(size_of::<raio_timespec>() == 16);
    assert!(size_of::<raio_deadline>() == 24);
    assert!(offset_of!(raio_deadline, buffer) == 20);
    assert!(size_of::<raio_getevents>() == 64);
    assert!(size_of::<raio_ring>() == 32);
    assert!(offset_of!(raio_ring, header_length) == 28);
    assert!(size_of::<raio_cancel>() == 32);
    assert!(size_of::<raio_enter>() == 88);
    assert!(offset_of!(raio_enter, submitted) == 24);
    assert!(offset_of!(raio_enter, events) == 48);
    assert!(size_of::<raio_register>() == 32);
    assert!(offset_of!(raio_register, array) == 16);
};

pub(crate) const READ: u32 = 2;
const WRITE: u32 = 1;

// _IOC() of <asm-generic/ioctl.h>; this crate is for architectures that use it.
pub(crate) const fn ioc<T>(dir: u32, nr: u32) -> u32 {
    assert!(size_of::<T>() < 1 << 14);
    (dir << 30) | ((size_of::<T>() as u32) << 16) | (0xa1 << 8) | nr
}

pub const RAIO_IOC_SETUP: u32 = ioc::<raio_setup>(READ | WRITE, 1);
pub const RAIO_IOC_DESTROY: u32 = ioc::<raio_destroy>(WRITE, 2);
pub const RAIO_IOC_SUBMIT: u32 = ioc::<raio_submit>(WRITE, 3);
pub const RAIO_IOC_CANCEL: u32 = ioc::<raio_cancel>(WRITE, 4);
pub const RAIO_IOC_GETEVENTS: u32 = ioc::<raio_getevents>(WRITE, 5);
pub const RAIO_IOC_ENTER: u32 = ioc::<raio_enter>(READ | WRITE, 6);
pub const RAIO_IOC_REGISTER: u32 = ioc::<raio_register>(WRITE, 7);

pub const RAIO_ADVISE_SUBMIT: u32 = 0xa103;
pub const RAIO_ADVISE_GETEVENTS: u32 = 0xa105;
pub const RAIO_ADVISE_ENTER: u32 = 0xa106;
