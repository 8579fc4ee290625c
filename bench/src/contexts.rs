// SPDX-License-Identifier: GPL-2.0

//! What contexts cost: to make and destroy, and in memory.

use crate::{
    args::Args,
    engine::{self, Buffers, Engine, Handle, Kind, Name, Setup},
    measure::{measure, print},
    result::{round, Memory, Run},
    streams::{self, op_of},
};
use std::{fs, io, os::fd::AsRawFd};

/// A context, or what is one for io_uring.
enum Context {
    Handle(Handle),
    Uring(Box<dyn Engine>),
}

impl Context {
    fn new(args: &Args, buffers: &Buffers) -> io::Result<Self> {
        if args.engine != Name::Uring {
            return Handle::new(args.engine, args.depth).map(Self::Handle);
        }
        let setup = Setup {
            depth: args.depth,
            files: Vec::new(),
        };
        engine::open(args.engine, &setup, buffers).map(Self::Uring)
    }

    fn destroy(self) -> io::Result<()> {
        match self {
            Self::Handle(handle) => handle.destroy(),
            Self::Uring(_) => Ok(()),
        }
    }
}

/// A context is made, which is the submission, and destroyed.
pub fn setup(args: &Args) -> io::Result<()> {
    let buffers = Buffers::new(1, 1);
    for _ in 0..8 {
        Context::new(args, &buffers)?.destroy()?;
    }
    measure(args, args.ops, 1, |_, marks| {
        marks.begin();
        let context = Context::new(args, &buffers)?;
        marks.submitted();
        context.destroy()?;
        marks.reaped();
        Ok(())
    })
}

/// Many contexts, first idle, and then full of reads of an empty pipe; of polls for native aio,
/// which would wait for the reads.
pub fn memory(args: &Args) -> io::Result<()> {
    let pipe = streams::pipe()?;
    let buffers = Buffers::new(args.depth, 1);
    let kind = match args.engine {
        Name::Native => Kind::Poll,
        _ => Kind::Read,
    };
    let op = op_of(kind, pipe.0.as_raw_fd(), 0);
    let ops: Vec<_> = (0..args.depth).map(|i| (i, op)).collect();
    let fill = |context: &mut Context| match context {
        Context::Handle(handle) => handle.open(args.depth)?.start(&ops, &buffers),
        Context::Uring(engine) => engine.start(&ops, &buffers),
    };
    let mut contexts = Vec::with_capacity(args.contexts);
    // Allocations that are made at the first use don't count.
    let mut first = Context::new(args, &buffers)?;
    fill(&mut first)?;

    // Memory of processes that have just exited may not be free yet.
    std::thread::sleep(std::time::Duration::from_secs(2));
    let start = taken()?;
    for _ in 0..args.contexts {
        contexts.push(Context::new(args, &buffers)?);
    }
    let idle = taken()?;
    let ring = rings()? / (args.contexts + 1) as f64;
    for context in &mut contexts {
        fill(context)?;
    }
    let full = taken()?;

    let contexts = args.contexts as f64;
    print(&Run {
        memory: Some(Memory {
            ring,
            context: round((idle - start) / contexts - ring),
            request: round((full - idle) / contexts / args.depth as f64),
        }),
        ..Run::of(args, 0, 0)
    })
}

/// Bytes that the system has used, but for this program's own.
fn taken() -> io::Result<f64> {
    let kib = |file: &str, name: &str| -> io::Result<u64> {
        let text = fs::read_to_string(file)?;
        let value = text.lines().find_map(|line| line.strip_prefix(name));
        let value = value.and_then(|value| value.trim().trim_end_matches(" kB").parse().ok());
        value.ok_or_else(|| io::Error::other(format!("{file}: {name}")))
    };
    // What CPUs keep for themselves is free, too, and may be most of it.
    let zones = fs::read_to_string("/proc/zoneinfo")?;
    let count = |line: &str| {
        line.trim()
            .strip_prefix("count:")?
            .trim()
            .parse::<u64>()
            .ok()
    };
    let kept: u64 = zones.lines().filter_map(count).sum();
    let free = kib("/proc/meminfo", "MemFree:")? + kept * 4;
    let all = kib("/proc/meminfo", "MemTotal:")?;
    Ok((all - free - kib("/proc/self/status", "RssAnon:")?) as f64 * 1024.0)
}

/// Bytes of the rings that are mapped.
fn rings() -> io::Result<f64> {
    let size = |line: &str| {
        let ours = ["[raio]", "[aio]", "[io_uring]"];
        if !ours.iter().any(|name| line.contains(name)) {
            return None;
        }
        let (from, to) = line.split_once(' ')?.0.split_once('-')?;
        let end = |text| u64::from_str_radix(text, 16).ok();
        Some((end(to)? - end(from)?) as f64)
    };
    let maps = fs::read_to_string("/proc/self/maps")?;
    Ok(maps.lines().filter_map(size).sum())
}
