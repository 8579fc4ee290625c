// SPDX-License-Identifier: GPL-2.0

//! PREAD, PWRITE, PREADV, PWRITEV.

mod tries;

use super::file_cache::FileCache;
use crate::{
    context::Context,
    engine::Place,
    pure::{
        class::{
            Class,
            Facts, //
        },
        policy::{
            First,
            Order,
            Policy,
            Traits,
            Try, //
        }, //
    },
    request::{
        Op,
        Over,
        Request,
        Running, //
    },
    sys::{
        compat::{
            ECANCELED,
            EOPNOTSUPP, //
        },
        fs::{
            self,
            Faults,
            Kind,
            Mode,
            Transfer, //
        },
        ioprio::Ioprio,
        poll::{
            self,
            Mask, //
        },
        request::{
            Buffers,
            Position,
            Tried, //
        },
        task::{
            Caller,
            FullTask, //
        },
        uapi::{
            iocb,
            IOCB_FLAG_IOPRIO,
            RAIO_IOCB_FLAG_CUR_POS,
            RAIO_IOCB_FLAG_FIXED_BUFFER,
            RAIO_SETUP_SYNC_WRITES, //
        },
        uio::Direction, //
    }, //
};
use kernel::{
    prelude::*,
    sync::Arc, //
};
use tries::{
    advance_owned,
    end_with,
    started, //
};
pub(super) use tries::{
    finish_accepted,
    go,
    is_locked, //
};

/// Checks a transfer, with the errors of native aio in its order.
#[inline(always)]
pub(super) fn prep(
    request: &mut Request,
    iocb: &iocb,
    cache: &mut FileCache<'_>,
    direction: Direction,
    vectored: bool,
) -> Result {
    let ioprio = if iocb.aio_flags & IOCB_FLAG_IOPRIO != 0 {
        Ioprio::Chosen(iocb.aio_reqprio as u16)
    } else {
        Ioprio::Current(cache.ioprio())
    };
    // The memory of the transfer, unless it is one plain buffer.
    let others = if vectored || iocb.aio_flags & RAIO_IOCB_FLAG_FIXED_BUFFER != 0 {
        Some(buffers(iocb, cache, vectored)?)
    } else {
        None
    };
    let sync_writes = cache.flags() & RAIO_SETUP_SYNC_WRITES != 0;
    let pos = if iocb.aio_flags & RAIO_IOCB_FLAG_CUR_POS != 0 {
        Position::Current
    } else {
        Position::At(iocb.aio_offset)
    };
    let (open, facts) = cache.open().ok_or(EBADF)?;
    let preparing = request.prep_rw(
        open,
        direction,
        pos,
        iocb.aio_rw_flags,
        ioprio,
        |file, kind| Rules::of(file, *facts, kind, sync_writes),
    )?;
    let rules = match others {
        None => preparing.buffer(iocb.aio_buf, usize::try_from(iocb.aio_nbytes)?)?,
        Some(buffers) => preparing.buffers(buffers)?,
    };
    if request.transfer().is_at_position() {
        return begin_at_position(request, rules.policy);
    }
    request.begin(Op::Rw, &rules.policy, rules.key);
    Ok(())
}

/// Begins a transfer at the file position. The position is where the transfer before it ends, so it
/// joins a group. For a file with an offset, that is the group of all requests that keep the order of
/// the inode.
#[cold]
fn begin_at_position(request: &mut Request, mut policy: Policy) -> Result {
    let file = request.file().ok_or(EBADF)?;
    policy.order = if request.transfer().has_places() {
        Order::Inode
    } else {
        Order::File
    };
    let key = self::key(file, policy.order, Direction::Write);
    request.begin(Op::Rw, &policy, key);
    Ok(())
}

#[cold]
fn buffers(iocb: &iocb, cache: &mut FileCache<'_>, vectored: bool) -> Result<Buffers> {
    Ok(Buffers {
        address: iocb.aio_buf,
        len: usize::try_from(iocb.aio_nbytes)?,
        vectored,
        pinned: cache.buffer(iocb)?,
    })
}

/// Policy and group of all transfers of one kind to one file, in one call of submit.
pub(super) struct Rules {
    policy: Policy,
    key: usize,
}

impl Try {
    /// The mode of such a try.
    #[inline(always)]
    pub(super) fn mode<'a>(self) -> Mode<'a> {
        match self {
            Try::Nowait => Mode::Nowait,
            Try::Cached => Mode::Cached,
            Try::Inline => Mode::Inline,
        }
    }
}

impl Rules {
    fn of(file: &kernel::fs::File, facts: Facts, kind: Kind, sync_writes: bool) -> Self {
        let policy = policy(file, facts, kind, sync_writes);
        let key = key(file, policy.order, kind.direction);
        Rules { policy, key }
    }
}

/// The policy for transfers of `kind` to `file`.
fn policy(file: &kernel::fs::File, facts: Facts, kind: Kind, sync_writes: bool) -> Policy {
    let Kind {
        direction,
        direct,
        nowait,
        sync,
    } = kind;
    let write = direction == Direction::Write;
    let mut policy = Policy::of_transfer(
        facts,
        Traits {
            can_poll: poll::can_poll(file),
            own_rules: fs::has_own_rules(file, facts.class, direction),
            direction,
            direct,
            nowait,
            sync_writes,
        },
    );
    if policy.first == First::Block {
        return policy;
    }
    if facts.class == Class::Regular && write && sync && !direct {
        // The file system waits for the device after the copy, with IOCB_NOWAIT or without.
        policy.first = First::Punt;
    }
    if facts.class == Class::Regular && !nowait {
        // Even a read that finds nothing may update the access time, and the first direct transfer
        // after a mount makes a work queue.
        let notes = !write && fs::notes_access(file);
        if notes || direct && fs::is_first_direct(file) {
            policy.first = First::Punt;
        }
    }
    if facts.class == Class::Tty && fs::tty_stops(file, direction) {
        // Signals of job control are for the submitter.
        policy.first = First::Block;
    }
    policy
}

/// The key of the group in whose order a request runs. 0: in no group.
pub(super) fn key(file: &kernel::fs::File, order: Order, direction: Direction) -> usize {
    // The low bits are free, since files and inodes are aligned.
    match (order, direction) {
        (Order::Free, _) => 0,
        (Order::File, Direction::Read) => fs::identity(file, false) | 1,
        (Order::File, Direction::Write) => fs::identity(file, false) | 2,
        (Order::Inode, _) => fs::identity(file, true) | 3,
    }
}

/// The poll events that a transfer in `direction` waits for.
fn events_for(direction: Option<Direction>) -> Mask {
    match direction {
        Some(Direction::Write) => poll::CAN_WRITE,
        _ => poll::CAN_READ,
    }
}

/// Whether the first try can be skipped, since there is nothing to read yet.
#[inline]
pub(super) fn has_to_wait(request: &mut Request) -> bool {
    let policy = request.private().policy;
    policy.locks
        && policy.arm
        && !policy.again_is_final
        && request.transfer().direction() == Some(Direction::Read)
        && request.transfer().left() > 0
        && request.file().is_some_and(fs::is_stream_idle)
}

/// Whether a driver or file system refused a try because it would have had to wait.
#[inline]
pub(super) fn is_refused(request: &mut Request, result: isize) -> bool {
    let again = EAGAIN.to_errno() as isize;
    let unsupported = EOPNOTSUPP.to_errno() as isize;
    (result == again || result == unsupported)
        && request.private().tried_nowait
        && !request.private().policy.again_is_final
}

/// Whether a driver has carried out only a part of an accepted request, because the thread that issued
/// it was killed. If so, notes that part.
#[inline]
pub(super) fn is_cut_off(request: &mut Request, result: isize) -> bool {
    if !request.private().counted || request.transfer().is_atomic() {
        return false;
    }
    let left = request.transfer().left();
    match usize::try_from(result) {
        Ok(moved) if moved > 0 && moved < left => {
            request.advance(moved);
            true
        }
        _ => result == EINTR.to_errno() as isize,
    }
}

/// Completes a transfer that its driver has completed.
#[inline]
pub(super) fn finish_driver(mut request: Request, result: isize) {
    match advance_owned(&mut request, result) {
        Ok(()) => {
            let done = request.transfer().done();
            let result = result_at_end(request.file(), request.transfer(), done as isize);
            request.complete(result);
        }
        Err(e) => request.complete(e),
    }
}

/// The result of a transfer that ends with `result`. If the device was removed during the transfer, a
/// short transfer does not mean the end of the data: EIO.
#[inline(always)]
fn result_at_end(file: Option<&kernel::fs::File>, transfer: &Transfer, result: isize) -> isize {
    if result >= 0 && transfer.left() > 0 && file.is_some_and(fs::is_removed) {
        EIO.to_errno() as isize
    } else {
        result
    }
}

/// The first try of a plain read of `file` that may complete inline. `None` if there is none, or if the
/// read would update the access time.
pub(super) fn reads_inline(file: &kernel::fs::File, facts: Facts) -> Option<Try> {
    let how = Policy::of_inline_read(facts)?;
    if fs::is_direct(file) || fs::has_permission_events(file) {
        return None;
    }
    let notes = facts.class == Class::Regular && fs::notes_access(file);
    (!notes).then_some(how)
}

/// Reads what is in the page cache, without a request. `None` if not all of it is there, or on any
/// error.
///
/// Page faults are disabled: a task that waits for a deferred event might have to serve them.
#[inline]
pub(super) fn complete_inline(iocb: &iocb, cache: &mut FileCache<'_>) -> Option<isize> {
    let task = cache.task();
    let (open, how, pinned) = cache.reads_inline(iocb)?;
    let len = iocb.aio_nbytes as usize;
    let to = (iocb.aio_buf, len);
    let moved = fs::read_now(task, open, iocb.aio_offset, to, pinned, how.mode())?;
    // A short read is left to a request, which can wait for more, unless the file ends there.
    let end = iocb.aio_offset.saturating_add_unsigned(moved as u64);
    (moved == len || end >= fs::size(open.file())).then_some(moved as isize)
}

/// Starts a transfer without an order. See [`super::start`].
#[inline(always)]
pub(super) fn start(
    context: &Arc<Context>,
    task: FullTask<'_>,
    mut request: Request,
) -> Result<Option<Over>> {
    let First::Try(how) = request.private().policy.first else {
        return go(context, request.run(), Place::Submit(task)).map(|()| None);
    };
    request.private().tried_nowait = how != Try::Inline;
    let faults = Faults::Wait(Caller::Full(task).may_fault());
    let (request, result) = match request.run().call_first(task, how.mode(), faults) {
        Tried::InFlight => return Ok(None),
        Tried::Completed(mut request, result) if result >= 0 => {
            request.advance(result as usize);
            let done = request.transfer().done();
            let result = result_at_end(request.file(), request.transfer(), done as isize);
            (request, result)
        }
        Tried::Returned(run, result) if run.transfer().is_all(result) => (run.finish(), result),
        tried => return started(context, task, tried, how).map(|()| None),
    };
    Ok(request.over(result))
}

/// Arms a transfer for which [`has_to_wait`] returned true. See [`super::go`].
pub(super) fn wait(context: &Arc<Context>, task: FullTask<'_>, run: Running) -> Result {
    let place = Place::Submit(task);
    match super::arm(context, run, poll::CAN_READ, place)? {
        super::Waiting::Left => Ok(()),
        super::Waiting::Ready(run, _) | super::Waiting::Unable(run) => go(context, run, place),
        super::Waiting::Cancelled(run) => end_with(run, ECANCELED),
    }
}
