// SPDX-License-Identifier: MIT OR Apache-2.0

use super::*;
use clap::Parser;
use std::os::unix::{
    fs::{symlink, FileTypeExt, MetadataExt, PermissionsExt},
    net::UnixListener,
};

/// Goes through the sources; what is yielded, and how many failed.
fn walk(options: &[&str], sources: &[(&Path, &Path)]) -> (Vec<Work>, u64) {
    walk_and(options, sources, 0, || ())
}

/// The same, with a signal that has come, and something happens before the directories are
/// finished.
fn walk_and(
    options: &[&str],
    sources: &[(&Path, &Path)],
    signal: usize,
    happens: impl FnOnce(),
) -> (Vec<Work>, u64) {
    let line = ["raio", "cp", "--quiet", "a", "b"].iter().chain(options);
    let mut args = match cli::Cli::parse_from(line).command {
        cli::Command::Cp(args) => args,
        _ => unreachable!(),
    };
    args.apply();
    let owned = |&(from, to): &(&Path, &Path)| (from.to_path_buf(), to.to_path_buf());
    let sources = sources.iter().map(owned).collect();
    let mut walk = Walk::new(&args, sources, Arc::new(AtomicUsize::new(signal)));
    let mut report = Report::new(&args, None);
    let works = std::iter::from_fn(|| walk.next(&mut report)).collect();
    happens();
    walk.finish(&mut report);
    (works, report.failures())
}

#[test]
fn a_tree_is_made() {
    let dir = tempfile::tempdir().unwrap();
    let (from, to) = (dir.path().join("from"), dir.path().join("to"));
    fs::create_dir_all(from.join("sub")).unwrap();
    fs::write(from.join("sub/file"), "x").unwrap();
    symlink("nowhere", from.join("link")).unwrap();
    let socket = UnixListener::bind(from.join("socket")).unwrap();
    fs::set_permissions(from.join("sub"), fs::Permissions::from_mode(0o500)).unwrap();

    let (works, failures) = walk(&["-r"], &[(&from, &to)]);
    assert_eq!(failures, 0);
    assert_eq!(works.len(), 1);
    assert_eq!(works[0].destination, to.join("sub/file"));
    assert!(!works[0].named);
    assert_eq!(
        fs::read_link(to.join("link")).unwrap(),
        Path::new("nowhere")
    );
    assert!(fs::metadata(to.join("socket"))
        .unwrap()
        .file_type()
        .is_socket());
    // Closed again when all is in it.
    assert_eq!(fs::metadata(to.join("sub")).unwrap().mode() & 0o777, 0o500);
    drop(socket);

    // And again, over what is there.
    let (_, failures) = walk(&["-r"], &[(&from, &to)]);
    assert_eq!(failures, 0);
    assert!(!fs::read_dir(&to).unwrap().any(|entry| {
        entry
            .unwrap()
            .file_name()
            .to_string_lossy()
            .starts_with(".raio")
    }));
}

#[test]
fn a_directory_wants_r() {
    let dir = tempfile::tempdir().unwrap();
    let (works, failures) = walk(&[], &[(dir.path(), Path::new("/nonexistent/x"))]);
    assert!(works.is_empty());
    assert_eq!(failures, 1);
}

#[test]
fn not_into_itself() {
    let dir = tempfile::tempdir().unwrap();
    let from = dir.path().join("from");
    fs::create_dir(&from).unwrap();
    symlink(&from, dir.path().join("link")).unwrap();
    for to in [
        "from",
        "from/sub",
        "from/a/b",
        "link/sub",
        "from/../from/sub",
    ] {
        let to = dir.path().join(to);
        assert_eq!(walk(&["-r"], &[(&from, &to)]).1, 1, "{to:?}");
    }
    assert_eq!(fs::read_dir(&from).unwrap().count(), 0);
    assert_eq!(walk(&["-r"], &[(&from, &dir.path().join("from2"))]).1, 0);
}

#[test]
fn not_onto_itself() {
    let dir = tempfile::tempdir().unwrap();
    let (a, b, link) = (
        dir.path().join("a"),
        dir.path().join("b"),
        dir.path().join("link"),
    );
    fs::write(&a, "x").unwrap();
    fs::hard_link(&a, &b).unwrap();
    symlink("a", &link).unwrap();
    for (from, to) in [(&a, &a), (&a, &b), (&a, &link), (&link, &a)] {
        assert_eq!(walk(&[], &[(from, to)]).1, 1, "{from:?} {to:?}");
    }
    assert_eq!(walk(&["-P"], &[(&link, &link)]).1, 1);
}

#[test]
fn no_two_sources_to_one_file() {
    let dir = tempfile::tempdir().unwrap();
    let (a, b) = (dir.path().join("a"), dir.path().join("b"));
    fs::write(&a, "a").unwrap();
    fs::write(&b, "b").unwrap();
    let to = dir.path().join("to");
    let (works, failures) = walk(&[], &[(&a, &to), (&b, &to)]);
    assert_eq!((works.len(), failures), (1, 1));
}

#[test]
fn a_signal_ends_it() {
    let dir = tempfile::tempdir().unwrap();
    let to = dir.path().join("to");
    symlink("x", dir.path().join("link")).unwrap();
    walk_and(&["-r"], &[(&dir.path().join("link"), &to)], 2, || ());
    assert!(fs::symlink_metadata(to).is_err());
}

#[test]
fn loops_end() {
    let dir = tempfile::tempdir().unwrap();
    let from = dir.path().join("from");
    fs::create_dir(&from).unwrap();
    symlink(".", from.join("loop")).unwrap();
    let (works, failures) = walk(&["-rL"], &[(&from, &dir.path().join("to"))]);
    assert_eq!((works.len(), failures), (0, 1));
}

#[test]
fn links_inside_the_destination_are_not_followed() {
    let dir = tempfile::tempdir().unwrap();
    let (from, to, other) = (
        dir.path().join("from"),
        dir.path().join("to"),
        dir.path().join("other"),
    );
    for path in [&from.join("sub"), &to, &other] {
        fs::create_dir_all(path).unwrap();
    }
    fs::write(from.join("sub/file"), "x").unwrap();
    symlink(&other, to.join("sub")).unwrap();
    let (works, failures) = walk(&["-r"], &[(&from, &to)]);
    assert_eq!((works.len(), failures), (0, 1));
}

#[test]
fn links_in_the_destination_are_no_directories() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    for name in ["a", "b/x", "to", "other"] {
        fs::create_dir_all(path(name)).unwrap();
    }
    fs::write(path("b/x/file"), "x").unwrap();
    // One that is there already.
    symlink(path("other"), path("to/y")).unwrap();
    let (works, failures) = walk(&["-r"], &[(&path("b/x"), &path("to/y"))]);
    assert_eq!((works.len(), failures), (0, 1));
    // One that another source is.
    symlink(path("other"), path("a/x")).unwrap();
    let sources = [(&path("a/x"), &path("to/x")), (&path("b/x"), &path("to/x"))];
    let (works, failures) = walk(
        &["-r"],
        &sources.map(|(from, to)| (from.as_path(), to.as_path())),
    );
    assert_eq!((works.len(), failures), (0, 1));
    // DST itself.
    let to = path("to/y").to_str().unwrap().to_string();
    let (works, failures) = walk(&["-rt", &to], &[(&path("b/x"), &path("to/y"))]);
    assert_eq!((works.len(), failures), (1, 0));
}

#[test]
fn a_directory_that_was_swapped_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    for options in [&["-r"][..], &["-r", "-p"]] {
        fs::create_dir_all(path("from/sub")).unwrap();
        fs::write(path("from/sub/file"), "x").unwrap();
        fs::set_permissions(path("from/sub"), fs::Permissions::from_mode(0o577)).unwrap();
        fs::create_dir_all(path("other")).unwrap();
        fs::set_permissions(path("other"), fs::Permissions::from_mode(0o700)).unwrap();
        let swap = || {
            fs::rename(path("to/sub"), path("to/old")).unwrap();
            symlink(path("other"), path("to/sub")).unwrap();
        };
        assert_eq!(
            walk_and(options, &[(&path("from"), &path("to"))], 0, swap).1,
            1
        );
        assert_eq!(fs::metadata(path("other")).unwrap().mode() & 0o777, 0o700);
        fs::remove_dir_all(path("to")).unwrap();
    }
}
