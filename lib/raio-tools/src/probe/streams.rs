// SPDX-License-Identifier: MIT OR Apache-2.0

//! Which way requests go on pipes, sockets and the like.

use super::measure::{buffer, Kind, Prober, Way};
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
    /// What can't be told, and why.
    pub note: Option<String>,
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
    let mut found = Found {
        file,
        read_ready: None,
        read: None,
        write: None,
        note: None,
    };
    let result = ends.and_then(|Ends(from, to)| {
        let read = || Request::read(&from, buffer(LEN), 0);
        let mut value = buffer(LEN);
        value.fill(0);
        value[0] = 1;
        write_to(&to)?;
        found.read_ready = Some(prober.measure(read(), Kind::Plain, || Ok(()))?);
        found.read = Some(prober.measure(read(), Kind::Plain, || write_to(&to))?);
        found.write =
            Some(prober.measure(Request::write(&to, value, 0), Kind::Plain, || Ok(()))?);
        Ok(())
    });
    found.note = result.err().map(|error| reason(&error));
    found
}

/// A file that needs no waiting.
fn plain(prober: &mut Prober, file: &'static str, opened: io::Result<File>) -> Found {
    let (mut read, mut write) = (None, None);
    let result = opened.and_then(|file| {
        write =
            Some(prober.measure(
                Request::write(&file, buffer(LEN), 0),
                Kind::Plain,
                || Ok(()),
            )?);
        read =
            Some(prober.measure(Request::read(&file, buffer(LEN), 0), Kind::Plain, || Ok(()))?);
        Ok(())
    });
    Found {
        file,
        read_ready: read,
        read: None,
        write,
        note: result.err().map(|error| reason(&error)),
    }
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
