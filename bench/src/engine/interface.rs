// SPDX-License-Identifier: GPL-2.0

//! What all engines are given, and what they do with it.

use crate::marks::Marks;
use std::io;

/// What is to be done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    Noop,
    Read,
    Write,
    Fsync,
    /// Until there is something to read
    Poll,
}

/// One operation; its buffer is that of its number in the batch.
#[derive(Clone, Copy, Debug)]
pub struct Op {
    pub kind: Kind,
    pub fd: i32,
    /// The number of `fd` among the files of the run.
    pub file: u32,
    pub offset: u64,
}

/// What the engine is set up for.
pub struct Setup {
    pub depth: usize,
    pub files: Vec<i32>,
}

/// Buffers of equal length, side by side and aligned for `O_DIRECT`.
pub struct Buffers {
    start: *mut u8,
    block: usize,
    count: usize,
}

impl Buffers {
    pub fn new(count: usize, block: usize) -> Self {
        let stride = block.next_multiple_of(4096);
        let layout = std::alloc::Layout::from_size_align(stride * count, 4096).unwrap();
        // SAFETY: The size is not 0.
        let start = unsafe { std::alloc::alloc_zeroed(layout) };
        assert!(!start.is_null(), "no memory for the buffers");
        Self {
            start,
            block,
            count,
        }
    }

    fn stride(&self) -> usize {
        self.block.next_multiple_of(4096)
    }

    pub fn address(&self, i: usize) -> *mut u8 {
        assert!(i < self.count);
        // SAFETY: Within the allocation.
        unsafe { self.start.add(i * self.stride()) }
    }

    /// The bytes of buffer `i`. Nothing is in flight.
    pub fn get(&mut self, i: usize) -> &mut [u8] {
        // SAFETY: Within the allocation, which was initialised; `self` is borrowed mutably.
        unsafe { std::slice::from_raw_parts_mut(self.address(i), self.block) }
    }

    pub fn count(&self) -> usize {
        self.count
    }

    pub fn block(&self) -> usize {
        self.block
    }

    /// All of it, for registration.
    pub fn all(&self) -> libc::iovec {
        libc::iovec {
            iov_base: self.start.cast(),
            iov_len: self.stride() * self.count,
        }
    }
}

/// An interface to the kernel.
pub trait Engine {
    /// Does all of `ops`, as many at once as there are, and returns when all are done.
    ///
    /// Results are checked: the block's length, or 0 where there is none.
    fn round(&mut self, ops: &[Op], buffers: &Buffers, marks: &mut Marks) -> io::Result<()>;

    /// Submits `ops` in one call, by their numbers, and does not wait for them.
    ///
    /// Native aio does wait, if the files make it.
    fn start(&mut self, ops: &[(usize, Op)], buffers: &Buffers) -> io::Result<()> {
        let _ = (ops, buffers);
        Err(io::Error::from(io::ErrorKind::Unsupported))
    }

    /// Waits for one operation that was started, and takes all that are over: number and result.
    fn wait(&mut self, done: &mut Vec<(usize, i64)>) -> io::Result<()> {
        let _ = done;
        Err(io::Error::from(io::ErrorKind::Unsupported))
    }

    /// Cancels the operation of that number, and takes its result.
    fn cancel(&mut self, i: usize) -> io::Result<()> {
        let _ = i;
        Err(io::Error::from(io::ErrorKind::Unsupported))
    }
}

/// Whether `result` is what `op` should come to.
#[inline]
pub fn check(op: &Op, result: i64, block: usize) -> io::Result<()> {
    let good = match op.kind {
        Kind::Read | Kind::Write => result == block as i64,
        Kind::Noop | Kind::Fsync => result == 0,
        Kind::Poll => result & i64::from(libc::POLLIN) != 0,
    };
    if good {
        Ok(())
    } else if result < 0 {
        Err(io::Error::from_raw_os_error(-result as i32))
    } else {
        Err(io::Error::other(format!("{op:?}: {result}")))
    }
}

/// The result of a system call, as the C library has it.
pub fn errno(result: libc::c_long) -> io::Result<usize> {
    usize::try_from(result).map_err(|_| io::Error::last_os_error())
}
