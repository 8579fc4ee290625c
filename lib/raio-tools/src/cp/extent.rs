// SPDX-License-Identifier: MIT OR Apache-2.0

//! Where files have data, and where holes.

use rustix::{fs::SeekFrom, io::Errno};
use std::fs::File;

/// Moves `next` to the next data of any of the files, and `extent` to the end of it.
pub fn next_data(
    files: &[&File],
    next: &mut u64,
    extent: &mut u64,
    size: u64,
) -> rustix::io::Result<()> {
    if *next < *extent {
        return Ok(());
    }
    let (mut start, mut end) = (size, size);
    for file in files {
        match rustix::fs::seek(file, SeekFrom::Data(*next)) {
            Ok(data) if data < start => {
                start = data;
                end = match rustix::fs::seek(file, SeekFrom::Hole(data)) {
                    // It has shrunk.
                    Err(Errno::NXIO) => size,
                    hole => hole?.min(size),
                };
            }
            // Nothing but a hole from here on; or the file ends before it.
            Ok(_) | Err(Errno::NXIO) => {}
            // It does not tell: all is data.
            Err(Errno::INVAL | Errno::OPNOTSUPP) => (start, end) = (*next, size),
            Err(errno) => return Err(errno),
        }
    }
    // Data that is written just now could make it go back.
    (*next, *extent) = (start.max(*next), end.max(*next));
    Ok(())
}
