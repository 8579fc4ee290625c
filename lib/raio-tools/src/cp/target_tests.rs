// SPDX-License-Identifier: MIT OR Apache-2.0

use super::*;
use clap::Parser;
use std::{
    io::Write,
    os::unix::fs::{symlink, MetadataExt, PermissionsExt},
};

fn args(more: &[&str]) -> cli::Cp {
    let line = ["raio", "cp", "a", "b"].iter().chain(more);
    match cli::Cli::parse_from(line).command {
        cli::Command::Cp(args) => args,
        _ => unreachable!(),
    }
}

fn create(path: &Path, more: &[&str]) -> Result<Target, Failure> {
    Target::create(path, true, Mode::from_raw_mode(0o600), &args(more))
}

fn names(dir: &Path) -> usize {
    fs::read_dir(dir).unwrap().count()
}

#[test]
fn appears_when_it_is_installed() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("new");
    let mut target = create(&path, &[]).unwrap();
    target.file.write_all(b"data").unwrap();
    assert!(!path.exists());
    assert_eq!(target.install(false).unwrap(), Installed::Yes);
    assert_eq!(fs::read(&path).unwrap(), b"data");
    assert_eq!(names(dir.path()), 1);
}

#[test]
fn replaces_and_keeps_the_mode() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("old");
    fs::write(&path, "old").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o751)).unwrap();
    let mut target = create(&path, &[]).unwrap();
    target.file.write_all(b"new").unwrap();
    target.keep().unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"old");
    assert_eq!(target.install(false).unwrap(), Installed::Yes);
    assert_eq!(fs::read(&path).unwrap(), b"new");
    assert_eq!(
        fs::metadata(&path).unwrap().permissions().mode() & 0o7777,
        0o751
    );
    assert_eq!(names(dir.path()), 1);
}

#[test]
fn leaves_nothing_behind() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("new");
    drop(create(&path, &[]).unwrap());
    // Also where it has a name.
    let named = with_new_name(&path, |name| File::create(name).map_err(|_| Errno::IO));
    let (file, name) = named.unwrap();
    assert_eq!(names(dir.path()), 1);
    drop(Target {
        file,
        regular: true,
        path,
        replaced: None,
        temporary: Temporary::Named(name),
        dirs: None,
    });
    assert_eq!(names(dir.path()), 0);
}

#[test]
fn what_came_meanwhile_is_not_clobbered() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("new");
    let target = create(&path, &[]).unwrap();
    fs::write(&path, "other").unwrap();
    assert_eq!(target.install(true).unwrap(), Installed::NotWanted);
    assert_eq!(fs::read(&path).unwrap(), b"other");
    assert_eq!(names(dir.path()), 1);
}

#[test]
fn links_are_followed_or_replaced() {
    let dir = tempfile::tempdir().unwrap();
    let (file, link) = (dir.path().join("file"), dir.path().join("link"));
    fs::write(&file, "old").unwrap();
    symlink("file", &link).unwrap();
    create(&link, &[]).unwrap().install(false).unwrap();
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(fs::read(&file).unwrap(), b"");
    let mode = Mode::from_raw_mode(0o600);
    let target = Target::create(&link, false, mode, &args(&[])).unwrap();
    target.install(false).unwrap();
    assert!(fs::symlink_metadata(&link).unwrap().is_file());
    symlink("nowhere", dir.path().join("dangling")).unwrap();
    assert!(create(&dir.path().join("dangling"), &[]).is_err());
    assert!(!dir.path().join("nowhere").exists());
}

#[test]
fn in_place_keeps_the_inode() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("file");
    fs::write(&path, "old").unwrap();
    let before = fs::metadata(&path).unwrap().ino();
    create(&path, &["--inplace"])
        .unwrap()
        .install(false)
        .unwrap();
    assert_eq!(fs::metadata(&path).unwrap().ino(), before);
}

#[test]
fn directories_are_not_replaced() {
    let dir = tempfile::tempdir().unwrap();
    assert!(create(dir.path(), &[]).is_err());
    assert!(create(&dir.path().join("none/file"), &[]).is_err());
}
