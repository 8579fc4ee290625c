// SPDX-License-Identifier: GPL-2.0

//! The blocks of a file: in which order they are used, and what is in them.

use crate::engine::Op;
use std::{fs::File, io, os::unix::fs::FileExt, path::Path};

/// Offsets that are the same in each run, and not in order.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        // Knuth's MMIX generator.
        self.0 = self
            .0
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        self.0 >> 33
    }
}

/// Each block begins with where it is.
pub fn stamp(block: &mut [u8], offset: u64) {
    block[..8].copy_from_slice(&offset.to_le_bytes());
}

/// Makes a file of such blocks.
pub fn fill(path: &Path, size: u64) -> io::Result<()> {
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

/// What [`stamp`] has left there.
pub fn check_data(block: &[u8], op: &Op) -> io::Result<()> {
    if block[..8] == op.offset.to_le_bytes() {
        Ok(())
    } else {
        Err(io::Error::other(format!("wrong data at {}", op.offset)))
    }
}
