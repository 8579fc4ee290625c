// SPDX-License-Identifier: GPL-2.0

//! The structures of the interface to programs.
//!
//! C headers: [`include/uapi/linux/aio_abi.h`](srctree/include/uapi/linux/aio_abi.h) and
//! `include/uapi/linux/raio.h` of this tree.

#![allow(missing_docs)]

use super::bindings;
use kernel::transmute::{
    AsBytes,
    FromBytes, //
};

pub(crate) use bindings::{
    io_event,
    iocb,
    raio_cancel,
    raio_deadline,
    raio_destroy,
    raio_enter,
    raio_getevents,
    raio_info,
    raio_register,
    raio_ring,
    raio_setup,
    raio_submit,
    raio_timespec,
    IOCB_CMD_FDSYNC,
    IOCB_CMD_FSYNC,
    IOCB_CMD_NOOP,
    IOCB_CMD_POLL,
    IOCB_CMD_PREAD,
    IOCB_CMD_PREADV,
    IOCB_CMD_PWRITE,
    IOCB_CMD_PWRITEV,
    IOCB_FLAG_IOPRIO,
    IOCB_FLAG_RESFD,
    RAIO_ADVISE_ENTER,
    RAIO_ADVISE_GETEVENTS,
    RAIO_ADVISE_SUBMIT,
    RAIO_API_MAJOR,
    RAIO_API_MINOR,
    RAIO_CMD_SYNC_FILE_RANGE,
    RAIO_DEADLINE_ABS,
    RAIO_FEATURE_ADVISE,
    RAIO_FEATURE_BARRIER,
    RAIO_FEATURE_CUR_POS,
    RAIO_FEATURE_DEADLINE,
    RAIO_FEATURE_DIRECT,
    RAIO_FEATURE_FLAGS_CHECKED,
    RAIO_FEATURE_PAGE_WAIT,
    RAIO_FEATURE_REGISTER,
    RAIO_FEATURE_RETRY,
    RAIO_FEATURE_SYNC_RANGE,
    RAIO_FEATURE_THREADS,
    RAIO_IOCB_FLAG_BARRIER,
    RAIO_IOCB_FLAG_CUR_POS,
    RAIO_IOCB_FLAG_DEADLINE,
    RAIO_IOCB_FLAG_FIXED_BUFFER,
    RAIO_IOCB_FLAG_FIXED_FILE,
    RAIO_IOCB_FLAG_RANGE,
    RAIO_IOC_MAGIC,
    RAIO_REGISTER_BUFFERS,
    RAIO_REGISTER_FILES,
    RAIO_RING_COMPAT_FEATURES,
    RAIO_RING_INCOMPAT_FEATURES,
    RAIO_RING_MAGIC,
    RAIO_RING_RUNNABLE,
    RAIO_SETUP_CANCEL_EVENT,
    RAIO_SETUP_NO_THREADS,
    RAIO_SETUP_SYNC_WRITES,
    RAIO_UNREGISTER_BUFFERS,
    RAIO_UNREGISTER_FILES, //
};

macro_rules! plain {
    ($($name:ident: $size:literal)*) => {
        $(
            // The layout is part of the API and has no padding: the size is the sum of the fields.
            const _: () = assert!(size_of::<$name>() == $size);
            // SAFETY: All fields are integers, so any bytes are a valid value.
            unsafe impl FromBytes for $name {}
            // SAFETY: All fields are integers, and the size above leaves no padding between them.
            // So all bytes are initialised, and there is no interior mutability.
            unsafe impl AsBytes for $name {}
        )*
    };
}

plain! {
    io_event: 32
    iocb: 64
    raio_cancel: 32
    raio_deadline: 24
    raio_destroy: 16
    raio_enter: 88
    raio_getevents: 64
    raio_info: 72
    raio_register: 32
    raio_ring: 32
    raio_setup: 16
    raio_submit: 32
    raio_timespec: 16
}
