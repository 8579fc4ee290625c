// SPDX-License-Identifier: GPL-2.0

//! io_uring at its best: one task that submits, which also does what completions need when it
//! waits, in the same call; no array of indices; and the ring's descriptor is registered.

use super::interface::{check, Buffers, Engine, Kind, Op, Setup};
use crate::marks::Marks;
use io_uring::{
    cqueue::CompletionQueue, opcode, squeue::SubmissionQueue, types, IoUring, Submitter,
};
use std::io;

pub struct Uring {
    /// Knows that the descriptor is registered
    submitter: Submitter<'static>,
    /// What `submitter` refers to; freed by `drop`, to which it is `owned`
    ring: &'static IoUring,
    owned: *mut IoUring,
    fixed: bool,
}

impl Uring {
    pub fn new(setup: &Setup, buffers: &Buffers, fixed: bool) -> io::Result<Self> {
        // Twice as many completions, which is room for what is said of cancels; submissions are
        // at most 32768, and no more than a round at once.
        let depth = setup.depth.next_power_of_two() as u32;
        let ring = IoUring::builder()
            .setup_single_issuer()
            .setup_defer_taskrun()
            .setup_no_sqarray()
            .setup_cqsize((depth * 2).min(65536))
            .build(depth.min(8192))?;
        let owned = Box::into_raw(Box::new(ring));
        // SAFETY: It is valid until `drop`, after which nothing uses the reference.
        let ring: &'static IoUring = unsafe { &*owned };
        let mut submitter = ring.submitter();
        // A task has room for 16 of them.
        let _ = submitter.register_ring_fd();
        if fixed {
            // SAFETY: The buffers live as long as the process.
            unsafe { ring.submitter().register_buffers(&[buffers.all()])? };
            if !setup.files.is_empty() {
                ring.submitter().register_files(&setup.files)?;
            }
        }
        Ok(Self {
            submitter,
            ring,
            owned,
            fixed,
        })
    }
}

impl Drop for Uring {
    fn drop(&mut self) {
        let _ = self.submitter.unregister_ring_fd();
        // SAFETY: It is from `Box::into_raw`, and nobody uses it from here on.
        drop(unsafe { Box::from_raw(self.owned) });
    }
}

impl Uring {
    fn submission(&mut self) -> SubmissionQueue<'static> {
        // SAFETY: Each is dropped before the next one is asked for, by the only owner.
        unsafe { self.ring.submission_shared() }
    }

    fn completion(&mut self) -> CompletionQueue<'static> {
        // SAFETY: As above.
        unsafe { self.ring.completion_shared() }
    }

    /// Queues `op` as number `i`.
    #[inline]
    fn push(&mut self, i: usize, op: &Op, buffers: &Buffers) -> io::Result<()> {
        let (buffer, len) = (buffers.address(i), buffers.block() as u32);
        let (fd, file) = (types::Fd(op.fd), types::Fixed(op.file));
        let entry = match (op.kind, self.fixed) {
            (Kind::Noop, _) => opcode::Nop::new().build(),
            (Kind::Read, false) => opcode::Read::new(fd, buffer, len).offset(op.offset).build(),
            (Kind::Read, true) => opcode::ReadFixed::new(file, buffer, len, 0)
                .offset(op.offset)
                .build(),
            (Kind::Write, false) => opcode::Write::new(fd, buffer, len)
                .offset(op.offset)
                .build(),
            (Kind::Write, true) => opcode::WriteFixed::new(file, buffer, len, 0)
                .offset(op.offset)
                .build(),
            (Kind::Fsync, false) => opcode::Fsync::new(fd).build(),
            (Kind::Fsync, true) => opcode::Fsync::new(file).build(),
            (Kind::Poll, false) => opcode::PollAdd::new(fd, libc::POLLIN as u32).build(),
            (Kind::Poll, true) => opcode::PollAdd::new(file, libc::POLLIN as u32).build(),
        };
        // SAFETY: The buffers live as long as the process.
        unsafe { self.submission().push(&entry.user_data(i as u64)) }
            .map_err(|_| io::Error::other("the submission queue is full"))
    }
}

impl Engine for Uring {
    fn round(&mut self, ops: &[Op], buffers: &Buffers, marks: &mut Marks) -> io::Result<()> {
        let nr = ops.len();
        marks.begin();
        for (i, op) in ops.iter().enumerate() {
            self.push(i, op, buffers)?;
        }
        self.submitter.submit_and_wait(nr)?;
        marks.submitted();
        let mut got = 0;
        for entry in self.completion() {
            check(
                &ops[entry.user_data() as usize],
                entry.result().into(),
                buffers.block(),
            )?;
            got += 1;
        }
        if got != nr {
            return Err(io::Error::other(format!("{got} completions of {nr}")));
        }
        marks.reaped();
        Ok(())
    }

    fn start(&mut self, ops: &[(usize, Op)], buffers: &Buffers) -> io::Result<()> {
        for (i, op) in ops {
            self.push(*i, op, buffers)?;
        }
        self.submitter.submit().map(|_| ())
    }

    fn wait(&mut self, done: &mut Vec<(usize, i64)>) -> io::Result<()> {
        self.submitter.submit_and_wait(1)?;
        let results = self.completion();
        done.extend(results.map(|entry| (entry.user_data() as usize, entry.result().into())));
        Ok(())
    }

    fn cancel(&mut self, i: usize) -> io::Result<()> {
        let entry = opcode::AsyncCancel::new(i as u64).build();
        // SAFETY: It has no addresses.
        unsafe { self.submission().push(&entry.user_data(u64::MAX)) }
            .map_err(|_| io::Error::other("the submission queue is full"))?;
        self.submitter.submit_and_wait(2)?;
        for entry in self.completion() {
            let good = match entry.user_data() {
                u64::MAX => 0,
                _ => -libc::ECANCELED,
            };
            if entry.result() != good {
                return Err(io::Error::from_raw_os_error(-entry.result()));
            }
        }
        Ok(())
    }
}
