// SPDX-License-Identifier: GPL-2.0

//! One run: one engine, one workload, one queue depth.

use crate::{
    engine::{self, Buffers, Engine, Kind, Name, Op, Setup},
    marks::{self, Marks},
};
use std::{
    fs::File,
    io::{self, Read, Write},
    os::{
        fd::{AsRawFd, FromRawFd},
        unix::fs::{FileExt, OpenOptionsExt},
    },
    path::PathBuf,
};

#[derive(clap::Args)]
pub struct Args {
    /// The interface
    #[arg(long)]
    pub engine: Name,
    /// Its name, for the output
    #[arg(long)]
    pub workload: String,
    /// noop, read, write, fsync or pipe: reads of that many pipes that are armed, one
    /// of which gets a byte, is read and armed again
    #[arg(long, default_value = "read")]
    pub op: String,
    /// The file or device
    #[arg(long)]
    pub file: Option<PathBuf>,
    /// Opens it with O_DIRECT
    #[arg(long)]
    pub direct: bool,
    /// Operations in flight
    #[arg(long, default_value_t = 32)]
    pub depth: usize,
    /// Bytes of each
    #[arg(long, default_value_t = 4096)]
    pub block: usize,
    /// Operations in all: ticks of the clock and the like come with time, and must not count
    #[arg(long, default_value_t = 4096)]
    pub ops: usize,
    /// Reads of a pipe that nobody writes to, in flight beside that
    #[arg(long, default_value_t = 0)]
    pub parked: usize,
    /// As many contexts, used in turn
    #[arg(long, default_value_t = 1)]
    pub contexts: usize,
    /// Bytes of the file that are used
    #[arg(long, default_value_t = 8 << 20)]
    pub size: u64,
}

/// Both ends of a pipe.
type Pipe = (File, File);

fn new_pipe() -> io::Result<Pipe> {
    let mut fds = [0; 2];
    // SAFETY: There is room for two numbers.
    if unsafe { libc::pipe2(fds.as_mut_ptr(), libc::O_CLOEXEC) } < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: Both are new, and nobody else's.
    Ok(unsafe { (File::from_raw_fd(fds[0]), File::from_raw_fd(fds[1])) })
}

/// Offsets that are the same in each run, and not in order.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        // Knuth's MMIX generator.
        self.0 = self
            .0
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        self.0 >> 33
    }
}

pub fn run(args: &Args) -> io::Result<()> {
    let kind = match args.op.as_str() {
        "noop" => Kind::Noop,
        "read" => Kind::Read,
        "write" => Kind::Write,
        "fsync" => Kind::Fsync,
        "pipe" => return pipes(args),
        other => return Err(io::Error::other(format!("no such operation: {other}"))),
    };
    let file = match &args.file {
        Some(path) => Some(
            File::options()
                .read(true)
                .write(true)
                .custom_flags(libc::O_NOATIME | if args.direct { libc::O_DIRECT } else { 0 })
                .open(path)?,
        ),
        None => None,
    };
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

    let mut random = Random(0x5eed);
    let blocks = args.size / args.block as u64;
    let mut rounds: Vec<Vec<Op>> = Vec::new();
    for _ in 0..(args.ops / args.depth).max(16) {
        let op = |_| Op {
            kind,
            fd,
            file: 0,
            offset: match kind {
                Kind::Read | Kind::Write => random.next() % blocks * args.block as u64,
                _ => 0,
            },
        };
        rounds.push((0..args.depth).map(op).collect());
    }

    // Until all that is made at first use is there, and to look at the data.
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
        if kind == Kind::Read && args.file.is_some() && !args.workload.starts_with("null") {
            for (i, op) in ops.iter().enumerate() {
                if buffers.get(i)[..8] != op.offset.to_le_bytes() {
                    return Err(io::Error::other(format!("wrong data at {}", op.offset)));
                }
            }
        }
    }
    measure(args, rounds.len(), |i, marks| {
        let engine = i % engines.len();
        engines[engine].round(&rounds[i], &buffers, marks)
    })
}

/// Leaves reads of an empty pipe in flight.
fn park(args: &Args, engine: &mut dyn Engine, buffers: &Buffers) -> io::Result<Option<Pipe>> {
    if args.parked == 0 {
        return Ok(None);
    }
    let (reader, writer) = new_pipe()?;
    for i in args.depth..args.depth + args.parked {
        let op = read_of(reader.as_raw_fd(), 0);
        engine.begin(i, &op, buffers)?;
    }
    Ok(Some((reader, writer)))
}

fn read_of(fd: i32, file: usize) -> Op {
    Op {
        kind: Kind::Read,
        fd,
        file: file as u32,
        offset: 0,
    }
}

/// One pipe of many gets a byte, is read, and armed again.
fn pipes(args: &Args) -> io::Result<()> {
    let pipes = (0..args.depth)
        .map(|_| new_pipe())
        .collect::<io::Result<Vec<_>>>()?;
    let setup = Setup {
        depth: args.depth,
        files: pipes.iter().map(|pipe| pipe.0.as_raw_fd()).collect(),
    };
    let buffers = Buffers::new(args.depth, 1);
    let mut random = Random(0x5eed);
    let order: Vec<usize> = (0..args.ops + 64)
        .map(|_| random.next() as usize % args.depth)
        .collect();
    if args.engine == Name::Sync {
        return measure_ops(args, 1, |i, _| {
            let (reader, writer) = &pipes[order[i]];
            (&mut &*writer).write_all(b"x")?;
            (&mut &*reader).read_exact(&mut [0])
        });
    }
    let mut engine = engine::open(args.engine, &setup, &buffers)?;
    for (i, pipe) in pipes.iter().enumerate() {
        engine.begin(i, &read_of(pipe.0.as_raw_fd(), i), &buffers)?;
    }
    let mut turn = |i: usize| {
        let which = order[i];
        let (reader, writer) = &pipes[which];
        (&mut &*writer).write_all(b"x")?;
        let (number, result) = engine.wait()?;
        if (number, result) != (which, 1) {
            return Err(io::Error::other(format!(
                "{number}: {result}, not {which}: 1"
            )));
        }
        engine.begin(which, &read_of(reader.as_raw_fd(), which), &buffers)
    };
    for i in 0..64 {
        turn(args.ops + i)?;
    }
    measure_ops(args, 1, |i, _| turn(i))
}

/// Each block begins with where it is.
pub fn stamp(block: &mut [u8], offset: u64) {
    block[..8].copy_from_slice(&offset.to_le_bytes());
}

/// Makes a file of such blocks.
pub fn fill(path: &std::path::Path, size: u64) -> io::Result<()> {
    let file = File::options()
        .create(true)
        .write(true)
        .truncate(false)
        .open(path)?;
    let mut block = vec![0; 4096];
    for offset in (0..size).step_by(4096) {
        stamp(&mut block, offset);
        file.write_all_at(&block, offset)?;
    }
    file.sync_all()
}

fn measure(
    args: &Args,
    rounds: usize,
    mut round: impl FnMut(usize, &mut Marks) -> io::Result<()>,
) -> io::Result<()> {
    measure_of(args, rounds, args.depth, &mut round)
}

/// As [`measure`], of rounds of `each` operations.
fn measure_ops(
    args: &Args,
    each: usize,
    mut round: impl FnMut(usize, &mut Marks) -> io::Result<()>,
) -> io::Result<()> {
    measure_of(args, args.ops / each, each, &mut round)
}

/// How often all is done, of which the cheapest counts.
const REPETITIONS: usize = 3;

fn measure_of(
    args: &Args,
    rounds: usize,
    each: usize,
    round: &mut dyn FnMut(usize, &mut Marks) -> io::Result<()>,
) -> io::Result<()> {
    // What else the machine had to do meanwhile is in the runs that cost more.
    let mut least: Option<(Marks, i64)> = None;
    for _ in 0..REPETITIONS {
        let mut marks = Marks::default();
        let switches = voluntary_switches();
        marks::start_profile();
        let start = marks::now();
        for i in 0..rounds {
            round(i, &mut marks)?;
        }
        marks.total = marks::now() - start;
        marks::stop_profile();
        let switches = voluntary_switches() - switches;
        if least.is_none_or(|(least, _)| marks.total < least.total) {
            least = Some((marks, switches));
        }
    }
    let (marks, switches) = least.unwrap_or_default();
    let ops = rounds * each;
    let each = |ticks: u64| {
        let count = ticks as f64 * 1000.0 / marks::ticks_per_1000() as f64 / ops as f64;
        (count * 10.0).round() / 10.0
    };
    let line = crate::result::Run {
        engine: args.engine.text(),
        workload: args.workload.clone(),
        op: args.op.clone(),
        depth: args.depth,
        parked: args.parked,
        contexts: args.contexts,
        ops,
        total: each(marks.total),
        submit: each(marks.submit),
        reap: each(marks.reap),
        voluntary_switches: switches,
    };
    println!("{}", serde_json::to_string(&line)?);
    Ok(())
}

fn voluntary_switches() -> i64 {
    // SAFETY: Zero is a value of each field, and the call writes all of them.
    unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        libc::getrusage(libc::RUSAGE_THREAD, &mut usage);
        usage.ru_nvcsw
    }
}
