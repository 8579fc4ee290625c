// SPDX-License-Identifier: MIT OR Apache-2.0

//! How much there is to be copied.

use crate::cli;
use std::{
    fs,
    io::{Seek, SeekFrom},
    os::unix::fs::FileTypeExt,
    path::PathBuf,
};
use walkdir::WalkDir;

/// How many bytes there are to copy, for the progress bar.
pub fn total(args: &cli::Cp, sources: &[(PathBuf, PathBuf)]) -> u64 {
    let follow = args.dereference || !(args.recursive || args.no_dereference);
    let sizes = sources.iter().flat_map(|(source, _)| {
        WalkDir::new(source)
            .max_depth(if args.recursive { usize::MAX } else { 0 })
            .follow_links(args.dereference)
            .follow_root_links(follow)
            .same_file_system(args.one_file_system)
            .into_iter()
            .filter_map(|entry| {
                let entry = entry.ok()?;
                let metadata = entry.metadata().ok()?;
                match metadata.file_type().is_block_device() && !args.recursive {
                    true => fs::File::open(entry.path())
                        .and_then(|mut file| file.seek(SeekFrom::End(0)))
                        .ok(),
                    false => metadata.is_file().then_some(metadata.len()),
                }
            })
    });
    sizes.sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[test]
    fn sizes_are_added() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("a"), [0; 100]).unwrap();
        fs::create_dir(dir.path().join("sub")).unwrap();
        fs::write(dir.path().join("sub/b"), [0; 11]).unwrap();
        let line = ["raio", "cp", "-r", "a", "b"];
        let cli::Command::Cp(args) = cli::Cli::parse_from(line).command else {
            unreachable!()
        };
        let sources = [(dir.path().to_path_buf(), PathBuf::new())];
        assert_eq!(total(&args, &sources), 111);
    }
}
