// SPDX-License-Identifier: MIT OR Apache-2.0

use super::*;
use clap::Parser;
use std::{
    fs,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

fn args(more: &[&str]) -> cli::Cp {
    let line = ["raio", "cp", "a", "b"].iter().chain(more);
    match cli::Cli::parse_from(line).command {
        cli::Command::Cp(args) => args,
        _ => unreachable!(),
    }
}

fn open(work: Work, more: &[&str]) -> Result<Option<Job>, Failure> {
    let source = Source::open(&work)?;
    Job::open(work, source, &args(more))
}

fn job(dir: &Path, more: &[&str]) -> Job {
    let work = Work {
        source: dir.join("from"),
        destination: dir.join("to"),
        named: true,
        follow: true,
        place: None,
    };
    open(work, more).unwrap().unwrap()
}

fn reads(job: &mut Job, block: usize) -> Vec<(u64, usize)> {
    let mut all = Vec::new();
    while let Next::Read(from, len) = job.next_read(block) {
        all.push((from, len));
    }
    all
}

#[test]
fn parts_cover_the_file() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("from"), vec![1; 10_000]).unwrap();
    let mut job = job(dir.path(), &[]);
    assert_eq!(job.order, Order::Parts(10_000));
    assert_eq!(
        reads(&mut job, 4096),
        [(0, 4096), (4096, 4096), (8192, 1808)]
    );
}

#[test]
fn holes_are_left_out() {
    let dir = tempfile::tempdir().unwrap();
    let file = File::create(dir.path().join("from")).unwrap();
    let mb = 1 << 20;
    file.write_all_at(&[1; 4096], 4 * mb).unwrap();
    file.write_all_at(&[1; 4096], 16 * mb).unwrap();
    file.set_len(32 * mb).unwrap();
    let mut job = job(dir.path(), &[]);
    let reads = reads(&mut job, 64 << 10);
    let covered: u64 = reads.iter().map(|&(_, len)| len as u64).sum();
    assert!(covered < mb, "{reads:?}");
    for at in [4 * mb, 16 * mb] {
        assert!(reads
            .iter()
            .any(|&(from, len)| from <= at && at + 4096 <= from + len as u64));
    }
    assert_eq!(job.size(), 32 * mb);
}

#[test]
fn what_is_a_hole_in_one_only_is_compared() {
    let dir = tempfile::tempdir().unwrap();
    let mb = 1 << 20;
    let file = File::create(dir.path().join("from")).unwrap();
    file.set_len(8 * mb).unwrap();
    let mut job = job(dir.path(), &["--verify"]);
    job.target.file.set_len(8 * mb).unwrap();
    job.target.file.write_all_at(&[1; 4096], 4 * mb).unwrap();
    let mut compared = Vec::new();
    while let Next::Read(from, len) = job.next_compare(64 << 10) {
        compared.push((from, len));
    }
    assert!(!compared.is_empty() && compared.len() <= 2, "{compared:?}");
    assert!(compared.iter().any(|&(from, _)| from == 4 * mb));
}

#[test]
fn an_unknown_size_is_a_stream() {
    let work = Work {
        source: PathBuf::from("/proc/self/status"),
        destination: tempfile::tempdir().unwrap().keep().join("to"),
        named: true,
        follow: true,
        place: None,
    };
    let dir = work.destination.parent().unwrap().to_path_buf();
    let mut job = open(work, &[]).unwrap().unwrap();
    assert_eq!(job.order, Order::Stream);
    assert_eq!(job.next_read(4096), Next::Read(0, 4096));
    job.outstanding = 1;
    assert_eq!(job.next_read(4096), Next::Wait);
    (job.outstanding, job.next) = (0, 100);
    assert_eq!(job.next_read(4096), Next::Read(100, 4096));
    job.ends_at(150);
    assert_eq!(job.next_read(4096), Next::End);
    assert!(!job.source.has_changed());
    fs::remove_dir_all(dir).unwrap();
}

#[test]
fn growth_and_change_are_seen() {
    let dir = tempfile::tempdir().unwrap();
    let from = dir.path().join("from");
    fs::write(&from, "12345").unwrap();
    let mut job = job(dir.path(), &[]);
    assert_eq!(reads(&mut job, 4096), [(0, 5)]);
    assert!(!job.source.has_changed());
    fs::write(&from, "1234567").unwrap();
    assert!(job.source.has_changed());
    assert!(!job.finish_copy().unwrap());
    assert_eq!(job.next_read(4096), Next::Read(5, 4096));
    job.ends_at(7);
    assert!(job.finish_copy().unwrap());
    assert_eq!(job.target.file.metadata().unwrap().len(), 7);
}

#[test]
fn a_file_that_shrinks_has_no_tail_of_zeroes() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("from"), vec![1; 100_000]).unwrap();
    let mut job = job(dir.path(), &[]);
    job.allocate(4096).unwrap();
    assert_eq!(job.target.file.metadata().unwrap().len(), 100_000);
    job.ends_at(50_000);
    job.ends_at(60_000);
    assert!(job.finish_copy().unwrap());
    assert_eq!(job.target.file.metadata().unwrap().len(), 50_000);
}

#[test]
fn what_can_not_be_read_again_is_not_verified() {
    let work = Work {
        source: PathBuf::from("/etc/passwd"),
        destination: PathBuf::from("/dev/null"),
        named: true,
        follow: true,
        place: None,
    };
    assert!(open(work, &["--verify"]).is_err());
}

#[test]
fn a_copy_that_is_its_source_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let (source, destination) = (dir.path().join("from"), dir.path().join("to"));
    fs::write(&source, "x").unwrap();
    fs::hard_link(&source, &destination).unwrap();
    let work = Work {
        source,
        destination,
        named: false,
        follow: false,
        place: None,
    };
    for options in [&["-r"][..], &["-r", "--inplace"]] {
        let failure = open(work.clone(), options).map(|_| ()).unwrap_err();
        assert!(
            failure.to_string().contains("is the same file"),
            "{failure}"
        );
        assert_eq!(fs::read(&work.source).unwrap(), b"x");
    }
}
