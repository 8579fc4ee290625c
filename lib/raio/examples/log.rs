// SPDX-License-Identifier: MIT OR Apache-2.0

//! Appends the lines of its input to a file, and says how many are durable.
//!
//! ```text
//! log FILE <LINES
//! ```

use raio::{Buffer, Context, Operation, Request};
use std::{
    collections::VecDeque,
    error::Error,
    fs::File,
    io::{self, BufRead},
};

const DEPTH: u32 = 64;
/// Lines that become durable together.
const GROUP: u64 = 16;

/// Submits the queue, and takes what has ended.  It waits only where there is no room, or,
/// at the `end`, until nothing is in flight.
fn turn(
    context: &mut Context,
    queue: &mut VecDeque<Request<'_>>,
    end: bool,
) -> Result<(), Box<dyn Error>> {
    let mut completions = Vec::new();
    while !queue.is_empty() || (end && context.in_flight() > 0) {
        let wait = usize::from(end || context.room() < queue.len());
        context.submit_and_getevents(queue, wait, None, &mut completions)?;
        for completion in completions.drain(..) {
            let written = completion.result?;
            match completion.operation {
                // A barrier: all that was submitted before was over when it began.
                Operation::Fdsync => println!("durable {}", completion.user_data),
                _ if completion.buffer.is_some_and(|line| line.len() != written) => {
                    return Err("a line was not written as a whole".into());
                }
                _ => {}
            }
        }
    }
    Ok(())
}

/// Makes what was written since `start` durable.
fn sync(file: &File, start: u64, end: u64, lines: u64) -> Request<'_> {
    Request::fdsync(file)
        .with_range(start, end - start)
        .with_barrier()
        .with_user_data(lines)
}

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args_os().nth(1).ok_or("usage: log FILE <LINES")?;
    let file = File::options().create(true).append(true).open(path)?;
    let mut context = Context::new(DEPTH)?;
    let mut queue = VecDeque::new();

    let mut end = file.metadata()?.len();
    let (mut start, mut lines) = (end, 0);
    for line in io::stdin().lock().lines() {
        let bytes = (line? + "\n").into_bytes();
        let len = bytes.len() as u64;
        // Writes of one file are done in the order in which they were submitted.
        queue.push_back(Request::write_at(&file, Buffer::from(bytes), end));
        end += len;
        lines += 1;
        if lines % GROUP == 0 {
            queue.push_back(sync(&file, start, end, lines));
            start = end;
        }
        turn(&mut context, &mut queue, false)?;
    }
    if start < end {
        queue.push_back(sync(&file, start, end, lines));
    }
    turn(&mut context, &mut queue, true)
}
