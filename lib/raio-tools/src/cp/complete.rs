// SPDX-License-Identifier: MIT OR Apache-2.0

//! What becomes of a request that has come back.

use super::{
    engine::{Engine, Op, What},
    job::{Order, ALIGN},
    report::{Failure, Report},
    walk::Walk,
};
use raio::Buffer;
use rustix::io::Errno;
use std::io;

impl Engine<'_, '_> {
    /// The kernel does not take a request.
    pub(super) fn refused(
        &mut self,
        key: usize,
        errno: Option<i32>,
        mut buffer: Option<Buffer>,
        walk: &mut Walk,
        report: &mut Report,
    ) {
        let op = self.ops[key];
        let job = &mut self.jobs[op.job];
        let refusal = io::Error::from_raw_os_error(errno.unwrap_or(libc::EIO));
        // EINVAL: the file has no asynchronous reads, or writes.
        let result = match (op.what, &mut buffer) {
            _ if errno != Some(libc::EINVAL) => Err(refusal),
            (What::Read | What::Compare { copy: false, .. }, Some(buffer)) => {
                job.synchronous = true;
                let file = &job.source.file;
                let at = rustix::io::pread(file, &mut **buffer, op.offset);
                at.or_else(no_offset(|| rustix::io::read(file, &mut **buffer)))
                    .map_err(io::Error::from)
            }
            (What::Write { .. }, Some(buffer)) => {
                job.synchronous = true;
                let file = &job.target.file;
                let at = rustix::io::pwrite(file, buffer, op.offset);
                at.or_else(no_offset(|| rustix::io::write(file, buffer)))
                    .map_err(io::Error::from)
            }
            // Nothing to be made durable, as of /dev/null.
            (What::Sync, _) if !job.target.regular => Ok(0),
            _ => Err(refusal),
        };
        self.complete(key, result, buffer, walk, report);
    }

    /// A request has come back.
    pub(super) fn complete(
        &mut self,
        key: usize,
        result: io::Result<usize>,
        buffer: Option<Buffer>,
        walk: &mut Walk,
        report: &mut Report,
    ) {
        let op = self.ops.remove(key);
        let job = &mut self.jobs[op.job];
        job.outstanding -= 1;
        let again = |error: &io::Error| error.raw_os_error() == Some(libc::EINTR);
        match result {
            Err(error) if again(&error) && job.failure.is_none() => self.push(op, buffer),
            Err(error) => {
                let failure = match op.what {
                    What::Read => job.source_failed("read", error),
                    What::Write { .. } => job.failed("write", error),
                    What::Sync => job.failed("fsync", error),
                    What::Compare { copy: false, .. } => job.source_failed("read again", error),
                    What::Compare { copy: true, .. } => job.failed("read again", error),
                };
                job.fail(failure);
                self.free.extend(buffer);
                if let What::Compare { pair, copy } = op.what {
                    self.was_read_again(op, pair, copy, None);
                }
            }
            Ok(len) => match (op.what, buffer) {
                (What::Compare { pair, copy }, Some(mut buffer)) => {
                    buffer.set_len(len.min(op.len));
                    self.was_read_again(op, pair, copy, Some(buffer));
                }
                (_, buffer) if job.failure.is_some() => self.free.extend(buffer),
                (What::Read, Some(buffer)) => self.was_read(op, len, buffer),
                (What::Write { rest }, Some(buffer)) => {
                    self.was_written(op, rest, len, buffer, report)
                }
                (_, buffer) => self.free.extend(buffer),
            },
        }
        self.go_on(op.job, walk, report);
    }

    fn was_read(&mut self, op: Op, len: usize, mut buffer: Buffer) {
        let job = &mut self.jobs[op.job];
        if len == 0 {
            job.ends_at(op.offset);
            self.free.push(buffer);
            return;
        }
        // O_DIRECT may yield more than is the part's.
        let used = len.min(op.len);
        let rest = match job.order {
            Order::Parts(_) => op.len - used,
            Order::Stream => {
                job.next = op.offset + used as u64;
                0
            }
        };
        if job.direct && rest > 0 && used as u64 % ALIGN != 0 {
            // The end, or an error; the page cache lets us look from within a block on.
            job.through_cache();
        }
        let write = match job.direct {
            true => used.next_multiple_of(ALIGN as usize),
            false => used,
        };
        buffer.set_len(write);
        if write > len {
            buffer[len..].fill(0);
        }
        let (what, len) = (What::Write { rest }, used);
        self.push(Op { what, len, ..op }, Some(buffer));
    }

    fn was_written(
        &mut self,
        op: Op,
        rest: usize,
        len: usize,
        mut buffer: Buffer,
        report: &mut Report,
    ) {
        let job = &mut self.jobs[op.job];
        let moved = len.min(op.len);
        job.written = job.written.max(op.offset + moved as u64);
        job.data += moved as u64;
        report.advance(moved as u64);
        let (what, left) = if len < buffer.len() && moved < op.len {
            // Why it was short, the next one says.
            if len == 0 || job.direct && len as u64 % ALIGN != 0 {
                let why = format!("only {len} of {} bytes at {}", buffer.len(), op.offset);
                let failure = Failure::refused(&job.work.destination, "write", why);
                job.fail(failure);
                self.free.push(buffer);
                return;
            }
            buffer.copy_within(len.., 0);
            let left = buffer.len() - len;
            buffer.set_len(left);
            (What::Write { rest }, op.len - moved)
        } else if rest > 0 {
            buffer.set_len(self.aligned(op.job, rest));
            (What::Read, rest)
        } else {
            self.free.push(buffer);
            return;
        };
        let next = Op {
            what,
            offset: op.offset + moved as u64,
            len: left,
            ..op
        };
        self.push(next, Some(buffer));
    }

    /// Both parts are compared when both are there.
    fn was_read_again(&mut self, op: Op, key: usize, copy: bool, buffer: Option<Buffer>) {
        let pair = &mut self.pairs[key];
        *(if copy {
            &mut pair.copy
        } else {
            &mut pair.source
        }) = buffer;
        pair.back += 1;
        if pair.back < 2 {
            return;
        }
        let pair = self.pairs.remove(key);
        if let (Some(source), Some(copy)) = (&pair.source, &pair.copy) {
            if let Some(at) = difference(source, copy, pair.len) {
                let job = &mut self.jobs[op.job];
                let why = format!(
                    "the copy differs from {} at byte {}",
                    crate::output::Quoted(&job.work.source),
                    pair.offset + at as u64
                );
                let failure = Failure::refused(&job.work.destination, "verify", why);
                job.fail(failure);
            }
        }
        self.free.extend(pair.source);
        self.free.extend(pair.copy);
    }
}

/// What to do where a file has no offsets, as a pipe.
fn no_offset(
    call: impl FnOnce() -> rustix::io::Result<usize>,
) -> impl FnOnce(Errno) -> rustix::io::Result<usize> {
    |errno| match errno {
        Errno::SPIPE => call(),
        errno => Err(errno),
    }
}

/// Where two parts, of which `len` bytes were wanted, are not alike.
fn difference(source: &[u8], copy: &[u8], len: usize) -> Option<usize> {
    let shorter = source.len().min(copy.len());
    match source[..shorter] == copy[..shorter] {
        false => source.iter().zip(copy).position(|(a, b)| a != b),
        true => (shorter < len).then_some(shorter),
    }
}

#[cfg(test)]
mod tests {
    use super::difference;

    #[test]
    fn a_flipped_byte_is_found() {
        let (a, mut b) = ([7; 100], [7; 100]);
        assert_eq!(difference(&a, &b, 100), None);
        b[42] ^= 1;
        assert_eq!(difference(&a, &b, 100), Some(42));
        assert_eq!(difference(&a, &a[..60], 100), Some(60));
        assert_eq!(difference(&a[..50], &a[..50], 100), Some(50));
    }
}
