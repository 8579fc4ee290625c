// SPDX-License-Identifier: MIT OR Apache-2.0

//! Copies that share the blocks of their sources, where the file system can do that.

use super::{report::Failure, source::Work};
use crate::cli;
use rustix::io::Errno;
use std::{
    collections::HashSet,
    fs::{File, Metadata},
    os::unix::fs::MetadataExt,
    sync::{Mutex, PoisonError},
};

/// Clones files.
pub struct Reflink {
    when: cli::Reflink,
    /// Pairs of file systems between which there is no cloning.
    unable: Mutex<HashSet<(u64, u64)>>,
}

impl Reflink {
    /// As the command line says.
    pub fn new(args: &cli::Cp) -> Self {
        Self {
            when: match args.no_reflink {
                true => cli::Reflink::Never,
                false => args.reflink,
            },
            unable: Mutex::default(),
        }
    }

    /// Makes the copy, an empty regular file on the file system `dev`, a clone: says whether it is.
    pub fn clone(
        &self,
        work: &Work,
        source: &File,
        metadata: &Metadata,
        copy: &File,
        dev: u64,
    ) -> Result<bool, Failure> {
        let always = self.when == cli::Reflink::Always;
        if self.when == cli::Reflink::Never || !metadata.is_file() || metadata.len() == 0 {
            return Ok(false);
        }
        let pair = (metadata.dev(), dev);
        let unable = || self.unable.lock().unwrap_or_else(PoisonError::into_inner);
        if !always && unable().contains(&pair) {
            return Ok(false);
        }
        match rustix::fs::ioctl_ficlone(copy, source) {
            Ok(()) => Ok(true),
            Err(errno) if always => Err(Failure::new(&work.destination, "clone", errno)),
            Err(errno) => {
                // Other errors are of these files alone.
                if matches!(errno, Errno::OPNOTSUPP | Errno::NOTTY | Errno::XDEV) {
                    unable().insert(pair);
                }
                Ok(false)
            }
        }
    }
}
