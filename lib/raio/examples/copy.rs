// SPDX-License-Identifier: MIT OR Apache-2.0

//! Copies a file with many requests in flight, and checks the copy.
//!
//! ```text
//! copy [--depth N] [--block BYTES] [--direct] SOURCE DESTINATION
//! ```

use nix::{
    errno::Errno,
    fcntl::{fallocate, FallocateFlags},
    sys::resource::{getrusage, UsageWho},
};
use raio::{Buffer, Context, Request};
use sha2::{Digest, Sha256};
use std::{
    collections::VecDeque,
    error::Error,
    ffi::OsString,
    fs::File,
    io::Read,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    time::Instant,
};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

struct Args {
    depth: u32,
    block: usize,
    direct: bool,
    source: PathBuf,
    destination: PathBuf,
}

fn parse_args() -> Result<Args> {
    use lexopt::prelude::*;

    let (mut depth, mut block, mut direct) = (32, 256 << 10, false);
    let mut paths: Vec<OsString> = Vec::new();
    let mut parser = lexopt::Parser::from_env();
    while let Some(arg) = parser.next()? {
        match arg {
            Long("depth") => depth = parser.value()?.parse()?,
            Long("block") => block = parser.value()?.parse()?,
            Long("direct") => direct = true,
            Value(path) => paths.push(path),
            _ => return Err(arg.unexpected().into()),
        }
    }
    let [source, destination] = <[OsString; 2]>::try_from(paths)
        .map_err(|_| "usage: copy [--depth N] [--block BYTES] [--direct] SOURCE DESTINATION")?;
    if depth == 0 || block == 0 || block % Buffer::ALIGN != 0 {
        return Err("--depth must not be 0, --block must be a multiple of 4096".into());
    }
    Ok(Args {
        depth,
        block,
        direct,
        source: source.into(),
        destination: destination.into(),
    })
}

#[derive(Default)]
struct Stats {
    events: usize,
    submits: usize,
    blocked: i64,
}

/// How often this thread has given up its CPU to wait for something.
fn voluntary_switches() -> Result<i64> {
    Ok(getrusage(UsageWho::RUSAGE_THREAD)?.voluntary_context_switches())
}

fn submit(
    context: &mut Context,
    queue: &mut VecDeque<Request<'_>>,
    stats: &mut Stats,
) -> Result<()> {
    while !queue.is_empty() {
        let before = voluntary_switches()?;
        let taken = context.submit(queue)?;
        stats.blocked += voluntary_switches()? - before;
        stats.submits += 1;
        if taken == 0 {
            break;
        }
    }
    Ok(())
}

/// Gives the file its blocks and its size: a file system makes writes that change them wait for
/// each other.
fn allocate(file: &File, size: u64) -> Result<()> {
    match fallocate(file, FallocateFlags::empty(), 0, size.try_into()?) {
        // Not every file system can.
        Ok(()) | Err(Errno::EOPNOTSUPP) => Ok(()),
        Err(errno) => Err(errno.into()),
    }
}

fn copy(args: &Args, source: &File, destination: &File, size: u64) -> Result<Stats> {
    // The last block of an O_DIRECT copy is written whole and cut off after.
    let write_len = |len: usize| match args.direct {
        true => len.next_multiple_of(Buffer::ALIGN),
        false => len,
    };
    if size > 0 {
        allocate(destination, size.next_multiple_of(Buffer::ALIGN as u64))?;
    }
    let mut stats = Stats::default();
    let mut context = Context::new(args.depth)?;
    let mut queue = VecDeque::new();
    let mut completions = Vec::new();
    let mut next_offset = 0;

    for _ in 0..args.depth {
        if next_offset < size {
            queue.push_back(
                Request::read_at(source, Buffer::new(args.block), next_offset)
                    .with_user_data(READ | next_offset),
            );
            next_offset += args.block as u64;
        }
    }
    submit(&mut context, &mut queue, &mut stats)?;
    while context.in_flight() > 0 {
        stats.events += context.getevents(1, None, &mut completions)?;
        for completion in completions.drain(..) {
            let len = completion.result?;
            let mut buffer = completion.buffer.expect("reads and writes have one");
            let offset = completion.user_data & !READ;
            let expected = (size - offset).min(args.block as u64) as usize;
            if completion.user_data & READ != 0 {
                if len != expected {
                    return Err(format!("read {len} of {expected} bytes at {offset}").into());
                }
                buffer.set_len(write_len(len));
                queue.push_back(
                    Request::write_at(destination, buffer, offset).with_user_data(offset),
                );
                continue;
            }
            if len != write_len(expected) {
                return Err(format!("wrote {len} of {expected} bytes at {offset}").into());
            }
            if next_offset < size {
                buffer.set_len(args.block);
                queue.push_back(
                    Request::read_at(source, buffer, next_offset)
                        .with_user_data(READ | next_offset),
                );
                next_offset += args.block as u64;
            }
        }
        submit(&mut context, &mut queue, &mut stats)?;
    }

    destination.set_len(size)?;
    queue.push_back(Request::fsync(destination));
    submit(&mut context, &mut queue, &mut stats)?;
    stats.events += context.getevents(1, None, &mut completions)?;
    completions.pop().expect("waited for it").result?;
    Ok(stats)
}

/// Tells the completion of a read from that of a write to the same offset.
const READ: u64 = 1 << 63;

fn sha256(path: &Path) -> Result<[u8; 32]> {
    let mut file = File::open(path)?;
    let mut buffer = vec![0; 1 << 20];
    let mut hash = Sha256::new();
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hash.finalize().into()),
            len => hash.update(&buffer[..len]),
        }
    }
}

fn main() -> Result<()> {
    let args = parse_args()?;
    let flags = if args.direct { nix::libc::O_DIRECT } else { 0 };
    let source = File::options()
        .read(true)
        .custom_flags(flags)
        .open(&args.source)?;
    let destination = File::options()
        .write(true)
        .create(true)
        .truncate(true)
        .custom_flags(flags)
        .open(&args.destination)?;
    let size = source.metadata()?.len();

    let start = Instant::now();
    let stats = copy(&args, &source, &destination, size)?;
    let seconds = start.elapsed().as_secs_f64();

    let (was, is) = (sha256(&args.source)?, sha256(&args.destination)?);
    if was != is {
        return Err("the copy differs from its source".into());
    }
    println!(
        "mode       {}",
        if args.direct { "direct" } else { "buffered" }
    );
    println!("bytes      {size}");
    println!("seconds    {seconds:.2}");
    println!("MB/s       {:.0}", size as f64 / 1e6 / seconds);
    println!("events     {}", stats.events);
    println!("submits    {}", stats.submits);
    println!("blocked    {}", stats.blocked);
    print!("sha256     ");
    for byte in is {
        print!("{byte:02x}");
    }
    println!();
    Ok(())
}
