// SPDX-License-Identifier: GPL-2.0

//! Rounds of as many operations as are to be in flight, on a file or on nothing.

use crate::{
    args::Args,
    blocks::{check_data, stamp, Random},
    engine::{self, Buffers, Engine, Kind, Op, Setup},
    marks::Marks,
    measure::measure,
    streams::{self, Pair},
};
use std::{io, os::fd::AsRawFd};

pub fn run(args: &Args, kind: Kind) -> io::Result<()> {
    let file = args.open()?;
    let fd = file.as_ref().map_or(-1, |file| file.as_raw_fd());
    let setup = Setup {
        depth: args.depth + args.parked,
        files: file.iter().map(|file| file.as_raw_fd()).collect(),
    };
    let mut buffers = Buffers::new(args.depth + args.parked, args.block);
    let mut engines = (0..args.contexts)
        .map(|_| engine::open(args.engine, &setup, &buffers))
        .collect::<io::Result<Vec<_>>>()?;
    let _pipe = park(args, &mut *engines[0], &buffers)?;
    let rounds = rounds(args, kind, fd, 0x5eed);

    // A device has no data that fill has made.
    let filled = match &file {
        Some(file) => file.metadata()?.is_file(),
        None => false,
    };
    // To warm up caches and allocations, and to check the data.
    let mut marks = Marks::default();
    for ops in rounds.iter().take(8) {
        if kind == Kind::Write {
            for (i, op) in ops.iter().enumerate() {
                stamp(buffers.get(i), op.offset);
            }
        }
        for engine in &mut engines {
            engine.round(ops, &buffers, &mut marks)?;
        }
        if kind == Kind::Read && filled {
            for (i, op) in ops.iter().enumerate() {
                check_data(buffers.get(i), op)?;
            }
        }
    }
    measure(args, rounds.len(), args.depth, |i, marks| {
        let engine = i % engines.len();
        engines[engine].round(&rounds[i], &buffers, marks)
    })
}

/// Operations at offsets that are the same in each run, and not in order.
pub fn rounds(args: &Args, kind: Kind, fd: i32, seed: u64) -> Vec<Vec<Op>> {
    let mut random = Random(seed);
    let mut op = |_| Op {
        kind,
        fd,
        file: 0,
        offset: match kind {
            Kind::Read | Kind::Write => random.next() % args.blocks() * args.block as u64,
            _ => 0,
        },
    };
    (0..(args.ops / args.depth).max(16))
        .map(|_| (0..args.depth).map(&mut op).collect())
        .collect()
}

/// Leaves reads of an empty pipe in flight.
fn park(args: &Args, engine: &mut dyn Engine, buffers: &Buffers) -> io::Result<Option<Pair>> {
    if args.parked == 0 {
        return Ok(None);
    }
    let pipe = streams::pipe()?;
    for i in args.depth..args.depth + args.parked {
        let op = streams::op_of(Kind::Read, pipe.0.as_raw_fd(), 0);
        engine.start(&[(i, op)], buffers)?;
    }
    Ok(Some(pipe))
}
