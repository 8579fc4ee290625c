// SPDX-License-Identifier: GPL-2.0

//! RAIO_IOC_REGISTER: buffers and files that a context keeps, and how iocbs name them.

#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
#[allow(non_camel_case_types)] // as in the header
pub struct raio_register {
    pub ctx_id: u64,
    pub opcode: u32,
    pub nr: u32,
    pub arg: u64,
    pub flags: u64,
}

/// `_IOW(0xa1, 0x07, struct raio_register)`
pub const RAIO_IOC_REGISTER: u32 = (1 << 30) | ((size_of::<raio_register>() as u32) << 16) | 0xa107;
/// `arg`: an iovec for each
pub const RAIO_REGISTER_BUFFERS: u32 = 0;
/// `arg`: a descriptor for each
pub const RAIO_REGISTER_FILES: u32 = 2;

/// `aio_reserved2` is the number of the buffer that `aio_buf` points into.
pub const RAIO_IOCB_FLAG_FIXED_BUFFER: u32 = 1 << 30;
/// `aio_fildes` is the number of the file.
pub const RAIO_IOCB_FLAG_FIXED_FILE: u32 = 1 << 31;
