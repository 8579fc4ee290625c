// SPDX-License-Identifier: GPL-2.0

//! Reads of a file that is not in the page cache, as many at once as are to be in flight, each of
//! another block: when some are over, as many are submitted in one call.

use crate::{
    args::Args,
    blocks::{check_data, Random},
    engine::{self, Buffers, Engine, Kind, Op, Setup},
    marks::Marks,
    measure::{print, repeat, switches, REPETITIONS},
    result::Cold,
};
use std::{
    fs::{self, File},
    io,
    os::fd::AsRawFd,
};

/// As many requests are with the device at once.
const DEVICE_DEPTH: u64 = 256;

pub fn run(args: &Args) -> io::Result<()> {
    let file = args.open()?.ok_or(io::Error::other("no --file"))?;
    // No readahead.
    // SAFETY: It has no addresses.
    unsafe { libc::posix_fadvise(file.as_raw_fd(), 0, 0, libc::POSIX_FADV_RANDOM) };
    let setup = Setup {
        depth: args.depth,
        files: vec![file.as_raw_fd()],
    };
    let mut buffers = Buffers::new(args.depth, args.block);
    let mut engine = engine::open(args.engine, &setup, &buffers)?;
    let ops = order(args, &file);

    let mut watch = Watch::default();
    drop_caches()?;
    let mut marks = Marks::default();
    flow(
        &mut *engine,
        &ops,
        &mut buffers,
        &mut marks,
        Some(&mut watch),
    )?;
    let calls = ops.len() * REPETITIONS;
    let mut run = repeat(args, ops.len(), calls, drop_caches, |marks| {
        flow(&mut *engine, &ops, &mut buffers, marks, None)
    })?;
    // By the clock, which goes on while the CPU idles.
    let per_second = 1e9 / run.total;
    let device = (args.device_ns > 0).then(|| 1e9 * DEVICE_DEPTH as f64 / args.device_ns as f64);
    run.cold = Some(Cold {
        per_second: per_second.round(),
        of_device: device.map(|device| (per_second / device * 1000.0).round() / 1000.0),
        ..watch.seen
    });
    print(&run)
}

/// Each block once.
fn order(args: &Args, file: &File) -> Vec<Op> {
    let mut random = Random(0x5eed);
    let mut blocks: Vec<u64> = (0..args.blocks()).collect();
    for i in (1..blocks.len()).rev() {
        blocks.swap(i, random.next() as usize % (i + 1));
    }
    blocks.truncate(args.ops);
    let op = |block| Op {
        kind: Kind::Read,
        fd: file.as_raw_fd(),
        file: 0,
        offset: block * args.block as u64,
    };
    blocks.into_iter().map(op).collect()
}

fn drop_caches() -> io::Result<()> {
    fs::write("/proc/sys/vm/drop_caches", "1")
}

/// All of `ops`; the numbers in flight are those of buffers. With `watch` it is looked at the data,
/// too, and it costs more.
fn flow(
    engine: &mut dyn Engine,
    ops: &[Op],
    buffers: &mut Buffers,
    marks: &mut Marks,
    mut watch: Option<&mut Watch>,
) -> io::Result<()> {
    let depth = buffers.count().min(ops.len());
    let mut current: Vec<Op> = ops[..depth].to_vec();
    let mut batch: Vec<(usize, Op)> = current.iter().copied().enumerate().collect();
    let (mut next, mut over) = (depth, 0);
    let mut done = Vec::with_capacity(depth);
    while over < ops.len() {
        if batch.is_empty() {
            marks.waiting();
        } else {
            let before = watch.is_some().then(switches);
            marks.begin();
            engine.start(&batch, buffers)?;
            marks.submitted();
            if let (Some(watch), Some(before)) = (&mut watch, before) {
                watch.submitted(before)?;
            }
        }
        done.clear();
        batch.clear();
        engine.wait(&mut done)?;
        over += done.len();
        for (i, result) in &done {
            engine::check(&current[*i], *result, buffers.block())?;
            if watch.is_some() {
                check_data(buffers.get(*i), &current[*i])?;
            }
            if next < ops.len() {
                current[*i] = ops[next];
                batch.push((*i, ops[next]));
                next += 1;
            }
        }
        marks.reaped();
    }
    Ok(())
}

/// What is seen of a run beside its cost.
#[derive(Default)]
struct Watch {
    seen: Cold,
    turns: usize,
}

impl Watch {
    /// Submit was called; `before` are the switches that there had been.
    fn submitted(&mut self, before: (i64, i64)) -> io::Result<()> {
        let after = switches();
        self.seen.voluntary += after.0 - before.0;
        self.seen.involuntary += after.1 - before.1;
        self.turns += 1;
        // It costs as much as several reads.
        if self.turns % 8 == 1 {
            self.look()?;
        }
        Ok(())
    }

    /// Counts the threads that work for this process: its own beside the first, and those of
    /// the kernel that run the module's work; and those of them that run or wait for a device.
    fn look(&mut self) -> io::Result<()> {
        let own = std::process::id() as i32;
        let (mut threads, mut busy) = (0, 0);
        for task in numbers("/proc/self/task")? {
            if task != own {
                let working = works(&format!("/proc/self/task/{task}/stat"));
                threads += 1;
                busy += usize::from(working);
            }
        }
        for task in numbers("/proc")? {
            // "kworker/u8:1+raio": its name has the queue of what it runs.
            let name = fs::read_to_string(format!("/proc/{task}/comm")).unwrap_or_default();
            if name.starts_with("kworker/") && name.contains("+raio") {
                threads += 1;
                busy += usize::from(works(&format!("/proc/{task}/stat")));
            }
        }
        self.seen.threads = self.seen.threads.max(threads);
        self.seen.busy = self.seen.busy.max(busy);
        Ok(())
    }
}

fn numbers(dir: &str) -> io::Result<Vec<i32>> {
    let entries = fs::read_dir(dir)?.flatten();
    let number = |entry: fs::DirEntry| entry.file_name().to_str()?.parse().ok();
    Ok(entries.filter_map(number).collect())
}

fn works(stat: &str) -> bool {
    let stat = fs::read_to_string(stat).unwrap_or_default();
    let state = stat
        .rsplit(") ")
        .next()
        .and_then(|rest| rest.chars().next());
    matches!(state, Some('R' | 'D'))
}
