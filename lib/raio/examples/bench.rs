// SPDX-License-Identifier: MIT OR Apache-2.0

//! Reads blocks of a file in random order, with some in flight, and tells how many a
//! second that were.
//!
//! ```text
//! bench FILE [READS [DEPTH]]
//! ```

use raio::{Buffer, Context, Request};
use std::{collections::VecDeque, error::Error, fs::File, time::Instant};

const BLOCK: usize = 4096;

/// Numbers that look random; the same each time (xorshift).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args_os().skip(1);
    let path = args.next().ok_or("usage: bench FILE [READS [DEPTH]]")?;
    let mut number = |default: u32| match args.next() {
        Some(arg) => arg.to_string_lossy().parse(),
        None => Ok(default),
    };
    let (reads, depth) = (number(100_000)?, number(32)?.max(1));

    let file = File::open(path)?;
    let blocks = file.metadata()?.len() / BLOCK as u64;
    if blocks == 0 {
        return Err("the file has no whole block".into());
    }
    let mut context = Context::new(depth)?;
    // What is used again and again is registered: looked up once, and pinned once.
    let fixed = context.register_files(&[&file])?[0];
    let mut buffers: Vec<Buffer> = (0..depth).map(|_| Buffer::new(BLOCK)).collect();
    context.register_buffers(&mut buffers)?;

    let mut numbers = Numbers(0x9e37_79b9_7f4a_7c15);
    let (mut queue, mut completions) = (VecDeque::new(), Vec::new());
    let (mut submitted, mut done) = (0, 0);
    let start = Instant::now();
    while done < reads {
        // A request for each buffer that is free, then one call for all of them.
        while submitted < reads {
            let Some(buffer) = buffers.pop() else { break };
            let offset = numbers.below(blocks) * BLOCK as u64;
            queue.push_back(Request::read_at(fixed, buffer, offset));
            submitted += 1;
        }
        context.submit_and_getevents(&mut queue, 1, None, &mut completions)?;
        for completion in completions.drain(..) {
            if completion.result? != BLOCK {
                return Err("a short read: was the file cut off?".into());
            }
            buffers.extend(completion.buffer);
            done += 1;
        }
    }
    let seconds = start.elapsed().as_secs_f64();
    println!("reads      {done}");
    println!("seconds    {seconds:.3}");
    println!("reads/s    {:.0}", f64::from(done) / seconds);
    Ok(())
}
