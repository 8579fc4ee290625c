// SPDX-License-Identifier: MIT OR Apache-2.0

//! Which way requests go on pipes, sockets and the like.

use super::{
    facts::Facts,
    measure::{buffer, Kind, Measured, Prober, Way},
    why::{why, Ask},
};
use crate::output::reason;
use raio::Request;
use rustix::{event::EventfdFlags, fs::MemfdFlags, pipe::PipeFlags};
use serde::Serialize;
use std::{
    fs::File,
    io::{self, Write},
    net::{TcpListener, TcpStream},
    os::{
        fd::{AsFd, OwnedFd},
        unix::net::UnixStream,
    },
};

/// How reads and writes of a kind of file go.
#[derive(Serialize)]
pub struct Found {
    /// The kind.
    pub file: &'static str,
    /// A read that there is data for.
    pub read_ready: Option<Way>,
    /// A read that has to wait for data.
    pub read: Option<Way>,
    /// A write that there is space for.
    pub write: Option<Way>,
    /// Why the reads and the write went these ways, in the same order.
    pub read_ready_why: Option<String>,
    /// See above.
    pub read_why: Option<String>,
    /// See above.
    pub write_why: Option<String>,
    /// What it says of itself.
    pub facts: Option<Facts>,
    /// What can't be told, and why.
    pub note: Option<String>,
}

impl Found {
    fn new(
        file: &'static str,
        facts: Option<Facts>,
        [read_ready, read, write]: [Option<Measured>; 3],
        note: Option<String>,
    ) -> Self {
        let way = |measured: Option<Measured>| measured.map(|measured| measured.way);
        let because = |ask, measured| Some(why(ask, way(measured)?, facts.as_ref()?));
        Self {
            file,
            read_ready: way(read_ready),
            read: way(read),
            write: way(write),
            read_ready_why: because(Ask::Read, read_ready),
            read_why: because(Ask::ReadAbsent, read),
            write_why: because(Ask::Write, write),
            facts,
            note,
        }
    }

    /// Why, in lines.
    pub fn reasons(&self) -> Vec<(String, &str)> {
        let all = [
            ("read, data there", &self.read_ready_why),
            ("read, no data yet", &self.read_why),
            ("write", &self.write_why),
        ];
        all.into_iter()
            .filter_map(|(request, why)| {
                Some((format!("{}: {request}", self.file), why.as_deref()?))
            })
            .collect()
    }
}

/// The two ends of something: what is written to the second can be read from the first.
struct Ends(OwnedFd, OwnedFd);

const LEN: usize = 8;

fn write_to(fd: impl AsFd) -> io::Result<()> {
    let mut bytes = [0; LEN];
    bytes[0] = 1;
    rustix::io::write(fd, &bytes)?;
    Ok(())
}

fn stream(prober: &mut Prober, file: &'static str, ends: io::Result<Ends>) -> Found {
    let (mut facts, mut measured) = (None, [None; 3]);
    let result = ends.and_then(|Ends(from, to)| {
        let read = || Request::read_at(&from, buffer(LEN), 0);
        let mut value = buffer(LEN);
        value.fill(0);
        value[0] = 1;
        let facts = facts.insert(Facts::new(file, &from));
        facts.try_stream(&from);
        if !facts.try_stream_write(&to, &value) {
            write_to(&to)?;
        }
        let [ready, empty, written] = &mut measured;
        *ready = Some(prober.measure(read(), Kind::Plain, || Ok(()))?);
        *empty = Some(prober.measure(read(), Kind::Plain, || write_to(&to))?);
        let write = Request::write_at(&to, value, 0);
        *written = Some(prober.measure(write, Kind::Plain, || Ok(()))?);
        Ok(())
    });
    Found::new(
        file,
        facts,
        measured,
        result.err().map(|error| reason(&error)),
    )
}

/// A file that needs no waiting.
fn plain(prober: &mut Prober, file: &'static str, opened: io::Result<File>) -> Found {
    let (mut facts, mut read, mut write) = (None, None, None);
    let result = opened.and_then(|opened| {
        let facts = facts.insert(Facts::new(file, &opened));
        facts.try_write(&opened, &[0; LEN]);
        facts.try_read(&opened);
        let request = Request::write_at(&opened, buffer(LEN), 0);
        write = Some(prober.measure(request, Kind::Plain, || Ok(()))?);
        let request = Request::read_at(&opened, buffer(LEN), 0);
        read = Some(prober.measure(request, Kind::Plain, || Ok(()))?);
        Ok(())
    });
    let note = result.err().map(|error| reason(&error));
    Found::new(file, facts, [read, None, write], note)
}

fn pipe() -> io::Result<Ends> {
    let (from, to) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC)?;
    Ok(Ends(from, to))
}

fn unix() -> io::Result<Ends> {
    let (from, to) = UnixStream::pair()?;
    Ok(Ends(from.into(), to.into()))
}

fn tcp() -> io::Result<Ends> {
    let listener = TcpListener::bind(("127.0.0.1", 0))?;
    let mut to = TcpStream::connect(listener.local_addr()?)?;
    // Somebody else may have been quicker.
    let (from, peer) = listener.accept()?;
    if peer != to.local_addr()? {
        return Err(io::Error::other("a stranger connected"));
    }
    to.set_nodelay(true)?;
    to.flush()?;
    Ok(Ends(from.into(), to.into()))
}

fn eventfd() -> io::Result<Ends> {
    let event = rustix::event::eventfd(0, EventfdFlags::CLOEXEC)?;
    let other = event.try_clone()?;
    Ok(Ends(event, other))
}

fn device(path: &str) -> io::Result<File> {
    File::options().read(true).write(true).open(path)
}

/// Probes all kinds.
pub fn probe(prober: &mut Prober) -> Vec<Found> {
    let memory = rustix::fs::memfd_create("raio-probe", MemfdFlags::CLOEXEC);
    let memory = memory.map(File::from).map_err(io::Error::from);
    vec![
        stream(prober, "pipe", pipe()),
        stream(prober, "AF_UNIX socket", unix()),
        stream(prober, "TCP socket", tcp()),
        stream(prober, "eventfd", eventfd()),
        plain(prober, "memfd (tmpfs)", memory),
        plain(prober, "/dev/zero", device("/dev/zero")),
    ]
}
