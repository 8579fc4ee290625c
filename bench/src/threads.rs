// SPDX-License-Identifier: GPL-2.0

//! Threads that submit at once: each to a context of its own, or all to one.

use crate::{
    args::Args,
    engine::{Buffers, Engine, Handle, Kind, Op},
    files,
    marks::Marks,
    measure::{print, repeat, REPETITIONS},
};
use std::{io, os::fd::AsRawFd, sync::Barrier, thread};

/// What the others do while the first thread measures.
struct Gate {
    start: Barrier,
    stop: Barrier,
}

pub fn run(args: &Args, kind: Kind) -> io::Result<()> {
    let file = args.open()?;
    let fd = file.as_ref().map_or(-1, |file| file.as_raw_fd());
    let one = || Handle::new(args.engine, args.depth * args.threads);
    let shared = args.shared.then(one).transpose()?;
    let gate = Gate {
        start: Barrier::new(args.threads),
        stop: Barrier::new(args.threads),
    };
    let work = |number: usize| -> io::Result<Worker> {
        pin(number)?;
        Worker::new(args, kind, fd, number, shared)
    };
    thread::scope(|scope| {
        for number in 1..args.threads {
            let (gate, work) = (&gate, &work);
            scope.spawn(move || {
                let mut worker = work(number).expect("a context");
                // Once to warm up.
                for _ in 0..=REPETITIONS {
                    gate.start.wait();
                    worker.all(&mut Marks::default()).expect("all is done");
                    gate.stop.wait();
                }
            });
        }
        let mut worker = work(0)?;
        let ops = worker.rounds.len() * args.depth * args.threads;
        let mut all = |marks: &mut Marks| {
            gate.start.wait();
            let result = worker.all(marks);
            gate.stop.wait();
            result
        };
        all(&mut Marks::default())?;
        print(&repeat(args, ops, 0, || Ok(()), all)?)
    })
}

struct Worker {
    engine: Box<dyn Engine>,
    rounds: Vec<Vec<Op>>,
    buffers: Buffers,
}

impl Worker {
    fn new(
        args: &Args,
        kind: Kind,
        fd: i32,
        number: usize,
        shared: Option<Handle>,
    ) -> io::Result<Self> {
        let own = || Handle::new(args.engine, args.depth);
        Ok(Self {
            engine: shared.map_or_else(own, Ok)?.open(args.depth)?,
            rounds: files::rounds(args, kind, fd, 0x5eed + number as u64),
            buffers: Buffers::new(args.depth, args.block),
        })
    }

    /// As many events as were submitted: of a shared context it may be those of others.
    fn all(&mut self, marks: &mut Marks) -> io::Result<()> {
        for ops in &self.rounds {
            self.engine.round(ops, &self.buffers, marks)?;
            // Where one thread of qemu runs all CPUs of a guest, a pause is the next one's turn.
            std::hint::spin_loop();
        }
        Ok(())
    }
}

/// This thread runs on that CPU alone.
fn pin(cpu: usize) -> io::Result<()> {
    // SAFETY: Zero is an empty set, and the calls stay within it.
    let result = unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        libc::CPU_SET(cpu, &mut set);
        libc::sched_setaffinity(0, size_of_val(&set), &set)
    };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}
