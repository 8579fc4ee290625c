// SPDX-License-Identifier: MIT OR Apache-2.0

use super::*;
use crate::cp::source::{id, Dirs, Place};
use clap::Parser;
use std::{
    fs,
    os::unix::fs::{symlink, PermissionsExt},
    path::Path,
    sync::Arc,
};

fn args(more: &[&str]) -> cli::Cp {
    let line = ["raio", "cp", "a", "b"].iter().chain(more);
    let cli::Command::Cp(mut args) = cli::Cli::parse_from(line).command else {
        unreachable!()
    };
    args.apply();
    args
}

/// A file of two directories, `from` and `to`.
fn work(dir: &Path, name: &str, fresh: bool) -> Work {
    let (from, to) = (dir.join("from"), dir.join("to"));
    let copy = id(&fs::metadata(&to).unwrap());
    Work {
        source: from.join(name),
        destination: to.join(name),
        named: false,
        follow: false,
        place: Some(Place {
            dirs: Arc::new(Dirs::open(&from, &to, copy).unwrap()),
            fresh,
        }),
    }
}

fn dirs() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("from")).unwrap();
    fs::create_dir(dir.path().join("to")).unwrap();
    dir
}

fn copy(work: &Work, more: &[&str]) -> Result<Outcome, Failure> {
    let args = args(more);
    Small::new(&args, &Reflink::new(&args)).copy(work)
}

#[test]
fn a_small_file_is_in_place_with_all_that_it_has() {
    let dir = dirs();
    let from = dir.path().join("from/a");
    fs::write(&from, "data").unwrap();
    fs::set_permissions(&from, fs::Permissions::from_mode(0o4751)).unwrap();
    let work = work(dir.path(), "a", true);
    let Ok(Outcome::Done(done)) = copy(&work, &["-a"]) else {
        panic!("it is small");
    };
    assert!(done.kept.is_ok() && !done.changed);
    assert_eq!(done.copied.bytes, 4);
    assert_eq!(fs::read(&work.destination).unwrap(), b"data");
    let [source, copy] = [&work.source, &work.destination].map(|path| fs::metadata(path).unwrap());
    assert_eq!(copy.mode(), source.mode());
    let mtime = |metadata: &fs::Metadata| (metadata.mtime(), metadata.mtime_nsec());
    assert_eq!(mtime(&copy), mtime(&source));
    assert_eq!(fs::read_dir(dir.path().join("to")).unwrap().count(), 1);
}

#[test]
fn what_is_not_simple_is_left_to_others() {
    let dir = dirs();
    let from = |name: &str| dir.path().join("from").join(name);
    fs::write(from("large"), vec![1; MAX + 1]).unwrap();
    fs::write(from("most"), vec![1; MAX]).unwrap();
    fs::write(from("linked"), "x").unwrap();
    fs::hard_link(from("linked"), from("linked2")).unwrap();
    fs::write(from("there"), "x").unwrap();
    fs::write(dir.path().join("to/there"), "old").unwrap();
    fs::File::create(from("hole"))
        .unwrap()
        .set_len(100_000)
        .unwrap();
    let is_small = |name: &str| {
        let outcome = copy(&work(dir.path(), name, false), &["-a"]).unwrap();
        !matches!(outcome, Outcome::NotSmall(_))
    };
    for name in ["large", "linked", "there", "hole"] {
        assert!(!is_small(name), "{name}");
    }
    assert!(is_small("most"));
    // With -r there are no hard links.
    let linked = copy(&work(dir.path(), "linked", false), &["-r"]);
    assert!(matches!(linked, Ok(Outcome::Done(_))));
    assert_eq!(fs::read(dir.path().join("to/there")).unwrap(), b"old");
}

#[test]
fn a_link_that_has_come_is_not_followed() {
    let dir = dirs();
    fs::write(dir.path().join("secret"), "x").unwrap();
    symlink("../secret", dir.path().join("from/a")).unwrap();
    assert!(copy(&work(dir.path(), "a", true), &["-a"]).is_err());
    assert!(!dir.path().join("to/a").exists());
}

#[test]
fn a_directory_that_is_another_now_is_not_copied_to() {
    let dir = dirs();
    let (from, to) = (dir.path().join("from"), dir.path().join("to"));
    assert!(Dirs::open(&from, &to, id(&fs::metadata(&from).unwrap())).is_none());
}

#[test]
fn a_file_without_a_size_has_data_and_is_left_to_others() {
    let dir = dirs();
    let mut work = work(dir.path(), "status", true);
    (work.source, work.follow) = ("/proc/self/status".into(), true);
    (work.destination, work.place) = (dir.path().join("to/status"), None);
    assert!(matches!(copy(&work, &[]), Ok(Outcome::NotSmall(_))));
    assert!(!work.destination.exists());
}

#[test]
fn always_means_always() {
    let dir = dirs();
    fs::write(dir.path().join("from/a"), "x").unwrap();
    let work = work(dir.path(), "a", true);
    // The file system may be one that can.
    match copy(&work, &["-a", "--reflink=always"]) {
        Ok(Outcome::Done(done)) => assert_eq!(done.copied.cloned_bytes, 1),
        Ok(_) => panic!("it is small"),
        Err(failure) => {
            assert_eq!(failure.call, "clone");
            assert!(!work.destination.exists());
        }
    }
    let Ok(Outcome::Done(done)) =
        copy(&self::work(dir.path(), "a", false), &["-r", "--no-reflink"])
    else {
        return;
    };
    assert_eq!(done.copied.cloned_bytes, 0);
}
