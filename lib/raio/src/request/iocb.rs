// SPDX-License-Identifier: MIT OR Apache-2.0

//! What the kernel gets of a request.

use super::head::Position;
use crate::{
    data::Data,
    registered::{sealed::File, Registered},
    sys, wait, Operation, Request,
};
use std::os::fd::AsRawFd;

/// A number that no open file has.
const NO_FILE: u32 = u32::MAX;

impl Request<'_> {
    pub(crate) fn segments(&self) -> usize {
        match &self.data {
            Data::Many { buffers, .. } => buffers.len(),
            _ => 0,
        }
    }

    /// Whether its file is one that is not registered with the context, or no more.
    pub(crate) fn lacks_file(&self, registered: &Registered) -> bool {
        matches!(self.head.file, File::Fixed(file) if file.index_in(registered).is_none())
    }

    /// What it needs that a module with these features does not have.
    pub(crate) fn lacks(&self, features: u64) -> Option<&'static str> {
        let head = &self.head;
        let lacks = |bit| features & bit == 0;
        if head.deadline.is_some() && lacks(sys::RAIO_FEATURE_DEADLINE) {
            Some("deadlines (RAIO_FEATURE_DEADLINE)")
        } else if head.barrier && lacks(sys::RAIO_FEATURE_BARRIER) {
            Some("barriers (RAIO_FEATURE_BARRIER)")
        } else if head.range.is_some() && lacks(sys::RAIO_FEATURE_SYNC_RANGE) {
            Some("ranges of fsync (RAIO_FEATURE_SYNC_RANGE)")
        } else if head.position == Position::Current
            && lacks(sys::RAIO_FEATURE_CUR_POS)
            && head.is_seekable()
        {
            Some("transfers at the file position (RAIO_FEATURE_CUR_POS)")
        } else {
            None
        }
    }

    /// For a context that has registered that, of a module with these features.
    pub(crate) fn iocb(&self, data: u64, registered: &Registered, features: u64) -> sys::iocb {
        let head = &self.head;
        let (address, len) = self.data.address_and_len();
        // Else it is a stream, which has none: see `lacks`.
        let at_position =
            head.position == Position::Current && features & sys::RAIO_FEATURE_CUR_POS != 0;
        let mut iocb = sys::iocb {
            aio_data: data,
            aio_lio_opcode: head.operation.opcode(),
            aio_fildes: NO_FILE,
            aio_buf: address as u64,
            aio_nbytes: len as u64,
            aio_offset: match head.position {
                Position::At(offset) => file_offset(offset),
                Position::Current if at_position => -1,
                Position::Current => 0,
            },
            aio_rw_flags: head.flags.bits() as i32,
            ..sys::iocb::default()
        };
        if at_position {
            iocb.aio_flags |= sys::RAIO_IOCB_FLAG_CUR_POS;
        }
        match head.file {
            File::None => {}
            File::Open(fd) => iocb.aio_fildes = fd.as_raw_fd() as u32,
            // Else it is refused: its index may be that of another file here.
            File::Fixed(file) => {
                if let Some(index) = file.index_in(registered) {
                    iocb.aio_flags |= sys::RAIO_IOCB_FLAG_FIXED_FILE;
                    iocb.aio_fildes = index;
                }
            }
        }
        if let Some(index) = self.data.fixed_buffer(registered) {
            iocb.aio_flags |= sys::RAIO_IOCB_FLAG_FIXED_BUFFER;
            iocb.aio_reserved2 = index.into();
        }
        if head.operation == Operation::Poll {
            iocb.aio_buf = head.events.bits().into();
        }
        if let Some(range) = head.range {
            iocb.aio_offset = file_offset(range.offset);
            iocb.aio_nbytes = range.len;
            match head.operation {
                Operation::SyncFileRange => iocb.aio_rw_flags = range.flags.bits() as i32,
                _ => iocb.aio_flags |= sys::RAIO_IOCB_FLAG_RANGE,
            }
        }
        if head.barrier {
            iocb.aio_flags |= sys::RAIO_IOCB_FLAG_BARRIER;
        }
        if let Some(priority) = head.priority {
            iocb.aio_flags |= sys::IOCB_FLAG_IOPRIO;
            iocb.aio_reqprio = priority.bits() as i16;
        }
        if let Some(eventfd) = head.eventfd {
            iocb.aio_flags |= sys::IOCB_FLAG_RESFD;
            iocb.aio_resfd = eventfd.as_raw_fd() as u32;
        }
        iocb
    }

    /// Writes the deadline there, if it has one, and has the iocb name it.
    pub(crate) fn set_deadline(&self, iocb: &mut sys::iocb, to: &mut sys::raio_deadline) {
        let Some(deadline) = self.head.deadline else {
            return;
        };
        *to = deadline.to_raw();
        // Of a registered buffer that was the index.
        to.buffer = iocb.aio_reserved2 as u32;
        iocb.aio_flags |= sys::RAIO_IOCB_FLAG_DEADLINE;
        iocb.aio_reserved2 = wait::address(to);
    }
}

/// What is too large becomes a negative one that means nothing, and the kernel says EINVAL.
fn file_offset(offset: u64) -> i64 {
    i64::try_from(offset).unwrap_or(i64::MIN)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Buffer, IoPriority, Readiness, RwFlags, SyncRangeFlags};
    use std::time::Duration;

    #[test]
    fn noop_has_no_file() {
        let iocb = Request::noop().iocb(7, &Registered::NONE, u64::MAX);
        assert_eq!(iocb.aio_lio_opcode, sys::IOCB_CMD_NOOP);
        assert_eq!((iocb.aio_data, iocb.aio_fildes), (7, u32::MAX));
    }

    #[test]
    fn fields_go_where_the_kernel_looks() {
        let file = std::fs::File::open("/dev/null").unwrap();
        let iocb = Request::write_at(&file, Buffer::new(3), 9)
            .with_flags(RwFlags::APPEND)
            .with_priority(IoPriority::idle())
            .with_eventfd(&file)
            .iocb(0, &Registered::NONE, u64::MAX);
        assert_eq!((iocb.aio_nbytes, iocb.aio_offset), (3, 9));
        assert_eq!(iocb.aio_rw_flags, libc::RWF_APPEND);
        assert_eq!(iocb.aio_reqprio as u16, 3 << 13);
        assert_eq!(iocb.aio_flags, sys::IOCB_FLAG_RESFD | sys::IOCB_FLAG_IOPRIO);
        assert_eq!(iocb.aio_resfd, file.as_raw_fd() as u32);

        let poll = Request::poll(&file, Readiness::IN | Readiness::RDHUP);
        let iocb = poll.iocb(0, &Registered::NONE, u64::MAX);
        assert_eq!(iocb.aio_buf, 0x2001);
        assert_eq!((iocb.aio_nbytes, iocb.aio_flags), (0, 0));
    }

    const ALL: u64 = u64::MAX;

    fn raw(request: &Request<'_>) -> sys::iocb {
        request.iocb(0, &Registered::NONE, ALL)
    }

    #[test]
    fn a_deadline_is_somewhere_else() {
        let request = Request::noop().with_timeout(Duration::from_millis(1500));
        let (mut iocb, mut deadline) = (raw(&request), sys::raio_deadline::default());
        iocb.aio_reserved2 = 7;
        request.set_deadline(&mut iocb, &mut deadline);
        assert_eq!(iocb.aio_flags, sys::RAIO_IOCB_FLAG_DEADLINE);
        assert_eq!(iocb.aio_reserved2, wait::address(&deadline));
        let time = (deadline.time.tv_sec, deadline.time.tv_nsec);
        assert_eq!((time, deadline.flags), ((1, 500_000_000), 0));
        assert_eq!(deadline.buffer, 7);
        let mut plain = raw(&Request::noop());
        Request::noop().set_deadline(&mut plain, &mut deadline);
        assert_eq!((plain.aio_flags, plain.aio_reserved2), (0, 0));
    }

    #[test]
    fn ranges_and_barriers_are_flags_and_numbers() {
        let file = std::fs::File::open("/dev/null").unwrap();
        let iocb = raw(&Request::fdsync(&file).with_range(5, 3).with_barrier());
        let flags = sys::RAIO_IOCB_FLAG_RANGE | sys::RAIO_IOCB_FLAG_BARRIER;
        assert_eq!((iocb.aio_offset, iocb.aio_nbytes), (5, 3));
        assert_eq!((iocb.aio_flags, iocb.aio_rw_flags), (flags, 0));
        let iocb = raw(&Request::sync_file_range(
            &file,
            5,
            3,
            SyncRangeFlags::WRITE,
        ));
        assert_eq!((iocb.aio_offset, iocb.aio_nbytes), (5, 3));
        assert_eq!((iocb.aio_flags, iocb.aio_rw_flags), (0, 2));
        assert_eq!(iocb.aio_lio_opcode, 32);
    }

    #[test]
    fn the_file_position_is_minus_one_and_no_offset_is() {
        let file = std::fs::File::open("/dev/null").unwrap();
        let read = Request::read(&file, Buffer::new(1));
        assert_eq!(raw(&read).aio_offset, -1);
        // Of a stream, where the module does not know of it.
        assert_eq!(read.iocb(0, &Registered::NONE, 0).aio_offset, 0);
        let read = Request::read_at(&file, Buffer::new(1), u64::MAX);
        assert_eq!(raw(&read).aio_offset, i64::MIN);
    }

    #[test]
    fn a_part_of_a_buffer_is_where_it_is() {
        let file = std::fs::File::open("/dev/null").unwrap();
        let buffer = Buffer::new(100);
        let address = buffer.address() as u64;
        let request = Request::write_at(&file, buffer, 0).with_slice(10..30);
        let iocb = raw(&request);
        assert_eq!((iocb.aio_buf, iocb.aio_nbytes), (address + 10, 20));
        assert_eq!(request.into_buffer().map(|b| b.len()), Some(100));
    }

    #[test]
    fn what_a_module_lacks_has_a_name() {
        let file = std::fs::File::open("/etc/os-release").unwrap();
        let (pipe, _other) = std::os::unix::net::UnixStream::pair().unwrap();
        for (request, feature) in [
            (
                Request::noop().with_timeout(Duration::ZERO),
                sys::RAIO_FEATURE_DEADLINE,
            ),
            (Request::noop().with_barrier(), sys::RAIO_FEATURE_BARRIER),
            (
                Request::fsync(&file).with_range(0, 1),
                sys::RAIO_FEATURE_SYNC_RANGE,
            ),
            (
                Request::read(&file, Buffer::new(1)),
                sys::RAIO_FEATURE_CUR_POS,
            ),
        ] {
            assert_eq!(request.lacks(ALL), None);
            assert!(request.lacks(ALL & !feature).is_some());
        }
        for request in [
            Request::read(&pipe, Buffer::new(1)),
            Request::read_at(&file, Buffer::new(1), 0),
            Request::fsync(&file),
        ] {
            assert_eq!(request.lacks(0), None);
        }
    }
}
