// SPDX-License-Identifier: GPL-2.0

//! One system call for each operation.

use super::interface::{check, Buffers, Engine, Kind, Op};
use crate::marks::Marks;
use std::io;

pub struct Sync;

impl Engine for Sync {
    fn round(&mut self, ops: &[Op], buffers: &Buffers, marks: &mut Marks) -> io::Result<()> {
        marks.begin();
        for (i, op) in ops.iter().enumerate() {
            let buffer = buffers.address(i).cast();
            let block = buffers.block();
            // SAFETY: The buffer has room for a block.
            let result = unsafe {
                match op.kind {
                    Kind::Noop => libc::syscall(libc::SYS_getppid).min(0) as isize,
                    Kind::Read => libc::pread(op.fd, buffer, block, op.offset as i64),
                    Kind::Write => libc::pwrite(op.fd, buffer, block, op.offset as i64),
                    Kind::Fsync => libc::fsync(op.fd) as isize,
                    Kind::Poll => poll(op.fd) as isize,
                }
            };
            if result < 0 {
                return Err(io::Error::last_os_error());
            }
            check(op, result as i64, block)?;
        }
        marks.submitted();
        marks.reaped();
        Ok(())
    }
}

/// What there is on `fd`, once it can be read.
pub fn poll(fd: i32) -> i32 {
    let mut poll = libc::pollfd {
        fd,
        events: libc::POLLIN,
        revents: 0,
    };
    // SAFETY: One entry.
    match unsafe { libc::poll(&mut poll, 1, -1) } {
        1 => poll.revents.into(),
        _ => -1,
    }
}
