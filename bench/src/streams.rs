// SPDX-License-Identifier: GPL-2.0

//! Pipes and sockets: requests that wait until there is something to read.

use crate::{
    args::Args,
    blocks::Random,
    engine::{self, sync, Buffers, Engine, Kind, Name, Op, Setup},
    marks::{self, Marks},
    measure::measure,
};
use std::{
    fs::File,
    io::{self, Read, Write},
    net::{TcpListener, TcpStream, UdpSocket},
    os::{
        fd::{AsRawFd, FromRawFd, OwnedFd},
        unix::net::UnixStream,
    },
};

/// Where something is read, and where it was written.
pub type Pair = (File, File);

pub fn pipe() -> io::Result<Pair> {
    let mut fds = [0; 2];
    // SAFETY: There is room for two numbers.
    if unsafe { libc::pipe2(fds.as_mut_ptr(), libc::O_CLOEXEC) } < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: Both are new, and nobody else's.
    Ok(unsafe { (File::from_raw_fd(fds[0]), File::from_raw_fd(fds[1])) })
}

fn file(fd: impl Into<OwnedFd>) -> File {
    fd.into().into()
}

fn pair(workload: &str) -> io::Result<Pair> {
    let local = "127.0.0.1:0";
    match workload {
        "pipe" => pipe(),
        "unix" => UnixStream::pair().map(|(one, other)| (file(one), file(other))),
        "tcp" => {
            let listener = TcpListener::bind(local)?;
            let writer = TcpStream::connect(listener.local_addr()?)?;
            writer.set_nodelay(true)?;
            Ok((file(listener.accept()?.0), file(writer)))
        }
        "udp" => {
            let (reader, writer) = (UdpSocket::bind(local)?, UdpSocket::bind(local)?);
            writer.connect(reader.local_addr()?)?;
            Ok((file(reader), file(writer)))
        }
        other => Err(io::Error::other(format!("no such stream: {other}"))),
    }
}

pub fn op_of(kind: Kind, fd: i32, file: usize) -> Op {
    Op {
        kind,
        fd,
        file: file as u32,
        offset: 0,
    }
}

/// A byte for the stream, which `take` has to read.
fn give(pair: &Pair) -> io::Result<()> {
    (&pair.1).write_all(b"x")
}

fn take(pair: &Pair) -> io::Result<()> {
    (&pair.0).read_exact(&mut [0])
}

pub fn run(args: &Args) -> io::Result<()> {
    let pairs = (0..args.depth)
        .map(|_| pair(&args.workload))
        .collect::<io::Result<Vec<_>>>()?;
    let setup = Setup {
        depth: args.depth,
        files: pairs.iter().map(|pair| pair.0.as_raw_fd()).collect(),
    };
    let buffers = Buffers::new(args.depth, 1);
    let mut random = Random(0x5eed);
    let order: Vec<usize> = (0..args.ops)
        .map(|_| random.next() as usize % args.depth)
        .collect();
    if args.engine == Name::Sync {
        return measure(args, args.ops, 1, |i, _| {
            let pair = &pairs[order[i]];
            give(pair)?;
            if args.op == "poll" {
                sync::poll(pair.0.as_raw_fd());
            }
            take(pair)
        });
    }
    let kind = match args.op.as_str() {
        "ping" => Kind::Read,
        _ => Kind::Poll,
    };
    if args.engine == Name::Native && kind == Kind::Read {
        return Err(io::Error::other("would wait for ever"));
    }
    let mut engine = engine::open(args.engine, &setup, &buffers)?;
    let op = |which: usize| (which, op_of(kind, pairs[which].0.as_raw_fd(), which));
    for which in 0..args.depth {
        engine.start(&[op(which)], &buffers)?;
    }
    let mut done = Vec::with_capacity(args.depth);
    let mut turn = |engine: &mut dyn Engine, which: usize, marks: &mut Marks| {
        if args.op == "cancel" {
            engine.cancel(which)?;
        } else {
            give(&pairs[which])?;
            marks.waiting();
            await_one(engine, &op(which), &mut done)?;
            marks.reaped();
        }
        if args.op == "poll" {
            take(&pairs[which])?;
        }
        marks.begin();
        engine.start(&[op(which)], &buffers)?;
        marks.submitted();
        marks::neither();
        Ok(())
    };
    let mut warm = Marks::default();
    for which in order.iter().take(64) {
        turn(&mut *engine, *which, &mut warm)?;
    }
    measure(args, args.ops, 1, |i, marks| {
        turn(&mut *engine, order[i], marks)
    })
}

/// The one that has something to read is over, and no other.
fn await_one(
    engine: &mut dyn Engine,
    (which, op): &(usize, Op),
    done: &mut Vec<(usize, i64)>,
) -> io::Result<()> {
    done.clear();
    engine.wait(done)?;
    if done.len() != 1 || done[0].0 != *which {
        return Err(io::Error::other(format!("{done:?}, not {which}")));
    }
    engine::check(op, done[0].1, 1)
}
