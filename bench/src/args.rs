// SPDX-License-Identifier: GPL-2.0

//! What a run is told.

use crate::engine::Name;
use std::{fs::File, io, os::unix::fs::OpenOptionsExt, path::PathBuf};

#[derive(clap::Args)]
pub struct Args {
    /// The interface
    #[arg(long)]
    pub engine: Name,
    /// Its name, for the output
    #[arg(long)]
    pub workload: String,
    /// noop, read, write, fsync: of the file. cold: reads of a file that is not in the page cache.
    /// ping: reads of --depth streams that wait, one of which gets a byte, is read, and waits
    /// again; poll: the same with POLL; cancel: one of as many POLLs is cancelled and made again.
    /// setup: a context is made and destroyed. memory: what contexts and requests take
    #[arg(long, default_value = "read", verbatim_doc_comment)]
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
    /// As many threads, each on a CPU and with a context of its own
    #[arg(long, default_value_t = 0)]
    pub threads: usize,
    /// One context for all threads
    #[arg(long)]
    pub shared: bool,
    /// Bytes of the file that are used
    #[arg(long, default_value_t = 8 << 20)]
    pub size: u64,
    /// For cold: nanoseconds that the device takes for each of 256 requests at once
    #[arg(long, default_value_t = 0)]
    pub device_ns: u64,
}

impl Args {
    /// Opens the file of the run.
    pub fn open(&self) -> io::Result<Option<File>> {
        let Some(path) = &self.file else {
            return Ok(None);
        };
        let mut options = File::options();
        let direct = if self.direct { libc::O_DIRECT } else { 0 };
        options.read(true).write(true);
        options.custom_flags(libc::O_NOATIME | direct);
        options.open(path).map(Some)
    }

    /// The number of blocks of the file.
    pub fn blocks(&self) -> u64 {
        self.size / self.block as u64
    }
}
