// SPDX-License-Identifier: MIT OR Apache-2.0

//! What an open file says of itself: whether it honours RWF_NOWAIT, and can be polled.

use rustix::{
    event::epoll,
    io::{Errno, ReadWriteFlags},
};
use serde::{Serialize, Serializer};
use std::{
    fs::File,
    io::{IoSlice, IoSliceMut},
    os::fd::AsFd,
};

/// What a try that is not to wait ended with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nowait {
    /// It was done.
    Done,
    /// It would have had to wait: EAGAIN.
    Again,
    /// It is refused, whether it would wait or not.
    Refused(Errno),
    /// It was not tried.
    Untried,
}

impl Nowait {
    fn of(result: rustix::io::Result<usize>) -> Self {
        match result {
            Ok(_) => Nowait::Done,
            Err(Errno::AGAIN) => Nowait::Again,
            Err(errno) => Nowait::Refused(errno),
        }
    }

    /// What it ended with, as the manual names it.
    pub fn text(self) -> String {
        match self {
            Nowait::Done => "done".into(),
            Nowait::Again => "EAGAIN".into(),
            Nowait::Refused(Errno::OPNOTSUPP) => "EOPNOTSUPP".into(),
            Nowait::Refused(Errno::INVAL) => "EINVAL".into(),
            Nowait::Refused(errno) => format!("errno {}", errno.raw_os_error()),
            Nowait::Untried => "not tried".into(),
        }
    }
}

impl Serialize for Nowait {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text())
    }
}

/// What can be seen of a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Facts {
    /// What it is on, or what it is.
    pub kind: String,
    /// The magic number of its file system (statfs).
    pub magic: Option<String>,
    /// A read with RWF_NOWAIT.
    pub read_nowait: Nowait,
    /// A write with RWF_NOWAIT.
    pub write_nowait: Nowait,
    /// It has a poll function: epoll takes it.
    pub can_poll: bool,
}

impl Facts {
    /// Looks at a file, which is of that kind.  Nothing is read or written yet.
    pub fn new(kind: &str, file: impl AsFd) -> Self {
        let magic = rustix::fs::fstatfs(&file).map(|stat| format!("{:#x}", stat.f_type));
        Self {
            kind: kind.to_string(),
            magic: magic.ok(),
            read_nowait: Nowait::Untried,
            write_nowait: Nowait::Untried,
            can_poll: can_poll(file),
        }
    }

    /// Tries a write at the beginning of a regular file.
    pub fn try_write(&mut self, file: &File, bytes: &[u8]) {
        let bytes = [IoSlice::new(bytes)];
        self.write_nowait = Nowait::of(rustix::io::pwritev2(
            file,
            &bytes,
            0,
            ReadWriteFlags::NOWAIT,
        ));
    }

    /// Tries a read at the beginning of a file.
    pub fn try_read(&mut self, file: &File) {
        self.read_nowait = read(file, 0);
    }

    /// Tries a write to a stream: says whether it was done.
    pub fn try_stream_write(&mut self, to: impl AsFd, bytes: &[u8]) -> bool {
        let bytes = [IoSlice::new(bytes)];
        let flags = ReadWriteFlags::NOWAIT;
        self.write_nowait = Nowait::of(rustix::io::pwritev2(to, &bytes, u64::MAX, flags));
        self.write_nowait == Nowait::Done
    }

    /// Tries a read of a stream, and takes what there is.
    pub fn try_stream(&mut self, from: impl AsFd) {
        // The position: a stream has no offsets.
        self.read_nowait = read(from, u64::MAX);
    }
}

fn read(file: impl AsFd, offset: u64) -> Nowait {
    let mut bytes = [0; 8];
    let mut bytes = [IoSliceMut::new(&mut bytes)];
    let flags = ReadWriteFlags::NOWAIT;
    Nowait::of(rustix::io::preadv2(file, &mut bytes, offset, flags))
}

/// poll(2) says that all files are ready that can't be polled; epoll says that they can't.
fn can_poll(file: impl AsFd) -> bool {
    let Ok(epoll) = epoll::create(epoll::CreateFlags::CLOEXEC) else {
        return false;
    };
    let data = epoll::EventData::new_u64(0);
    epoll::add(&epoll, file, data, epoll::EventFlags::IN).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pipe_would_wait_and_can_be_polled() {
        let (from, to) = rustix::pipe::pipe().unwrap();
        let mut facts = Facts::new("pipe", &from);
        assert!(facts.can_poll);
        facts.try_stream(&from);
        assert_eq!(facts.read_nowait, Nowait::Again);
        assert!(facts.try_stream_write(to, b"x"));
        facts.try_stream(&from);
        assert_eq!(facts.read_nowait, Nowait::Done);
    }

    #[test]
    fn a_regular_file_can_not_be_polled() {
        let file = tempfile::tempfile().unwrap();
        let mut facts = Facts::new("file", &file);
        assert!(!facts.can_poll);
        assert_eq!(facts.write_nowait, Nowait::Untried);
        facts.try_write(&file, b"x");
        assert_ne!(facts.write_nowait, Nowait::Untried);
    }

    #[test]
    fn json_has_the_names() {
        let json = |nowait| serde_json::to_value(nowait).unwrap();
        assert_eq!(json(Nowait::Refused(Errno::OPNOTSUPP)), "EOPNOTSUPP");
        assert_eq!(json(Nowait::Again), "EAGAIN");
    }
}
