// SPDX-License-Identifier: MIT OR Apache-2.0

//! The command line, as a newcomer would try it.  None of it needs the device.

use std::{
    fs,
    path::Path,
    process::{Command, Output, Stdio},
};

fn raio(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_raio"))
        .args(args)
        .stdin(Stdio::null())
        .output()
        .expect("it can be run")
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn what_is_wrong_is_status_2() {
    for (args, says) in [
        (&[][..], "Usage"),
        (&["copyy"], "unrecognized subcommand"),
        (&["cp"], "required"),
        (&["cp", "a"], "where shall 'a' be copied to?"),
        (
            &["cp", "--queue-depth", "0", "a", "b"],
            "0 is not in 1..=65536",
        ),
        (&["cp", "-b", "1000", "a", "b"], "a multiple of 4K"),
        (&["cp", "-q", "65536", "-b", "1M", "a", "b"], "more than 1G"),
        (&["cp", "-T", "a", "b", "c"], "-T is for one source"),
        (&["cp", "-n", "--inplace", "a", "b"], "cannot be used with"),
        (
            &["cp", "--no-reflink", "--reflink=always", "a", "b"],
            "cannot be used with",
        ),
        (&["cp", "--reflink=often", "a", "b"], "auto, always, never"),
        (&["stat", "zero"], "invalid digit"),
        (&["stat", "0"], "not in 1.."),
        (&["stat", "-w", "0"], "from 0.01 to 86400"),
        (&["stat", "-n", "0"], "not in 1.."),
        (&["probe", "--colour"], "unexpected argument"),
        (&["completion", "tcsh"], "possible values"),
    ] {
        let output = raio(args);
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        assert!(
            stderr(&output).contains(says),
            "{args:?}: {}",
            stderr(&output)
        );
        assert!(output.stdout.is_empty(), "{args:?}");
    }
}

#[test]
fn what_is_not_run_ends_as_with_env() {
    for (args, status, says) in [
        (&["run"][..], 125, "required"),
        (&["run", "--colour", "true"], 125, "unexpected argument"),
        (
            &["run", "--stats", "--check", "true"],
            125,
            "cannot be used with",
        ),
        (
            &["run", "--library", "/none", "true"],
            125,
            "'/none': No such file",
        ),
        (
            &["run", "no-such-program"],
            127,
            "'no-such-program': No such file",
        ),
        (&["run", "--check", "./none"], 127, "'./none': No such file"),
        (&["run", "--check", "/etc/passwd"], 1, ""),
    ] {
        let output = raio(args);
        assert_eq!(output.status.code(), Some(status), "{args:?}");
        assert!(
            stderr(&output).contains(says),
            "{args:?}: {}",
            stderr(&output)
        );
    }
    assert_eq!(raio(&["run", "--help"]).status.code(), Some(0));
}

#[test]
fn a_dynamic_program_is_looked_at() {
    let output = raio(&["run", "--check", "--json", env!("CARGO_BIN_EXE_raio")]);
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{json}");
    assert_eq!(json["raio"], true);
    // It asks what native aio is, for `raio probe`.
    assert_eq!(json["files"][0]["syscall"], true);
}

#[test]
fn without_the_module_it_says_how_to_load_it() {
    if Path::new("/dev/raio").exists() {
        return;
    }
    for args in [&["cp", "/etc/passwd", "/tmp/x"][..], &["stat"], &["probe"]] {
        let output = raio(args);
        assert_eq!(output.status.code(), Some(1), "{args:?}");
        let text = stderr(&output);
        assert!(text.contains("open /dev/raio: No such file"), "{text}");
        assert!(text.contains("modprobe raio"), "{text}");
    }
    assert!(!Path::new("/tmp/x").exists());
}

#[test]
fn probe_tells_of_the_kernel_without_the_module() {
    if Path::new("/dev/raio").exists() {
        return;
    }
    let output = raio(&["probe", "--json", "/"]);
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(json["module"].is_null());
    assert!(json["native_aio"]["available"].is_boolean());
    assert!(json["io_uring"]["available"].is_boolean());
    assert_eq!(json["paths"][0]["path"], "/");
}

#[test]
fn help_has_examples_and_exit_statuses() {
    for command in ["cp", "run", "stat", "probe"] {
        let output = raio(&[command, "--help"]);
        assert_eq!(output.status.code(), Some(0));
        let text = stdout(&output);
        assert!(text.contains("Examples:"), "{command}");
        assert!(text.contains("Exit status:"), "{command}");
        assert!(!text.contains('\x1b'), "colours, but no terminal");
    }
    assert!(stdout(&raio(&["--help"])).contains("Exit status:"));
    assert!(stdout(&raio(&["--version"])).starts_with("raio "));
}

#[test]
fn completions_are_scripts() {
    for (shell, says) in [
        ("bash", "complete -F"),
        ("zsh", "#compdef raio"),
        ("fish", "complete -c raio"),
    ] {
        let output = raio(&["completion", shell]);
        assert!(output.status.success());
        let text = stdout(&output);
        assert!(text.contains(says), "{shell}");
        assert!(text.contains("queue-depth"), "{shell}");
        assert!(text.contains("no-reflink"), "{shell}");
    }
}

#[test]
fn manual_pages_are_complete() {
    let dir = tempfile::tempdir().unwrap();
    let output = raio(&["man", dir.path().to_str().unwrap()]);
    assert!(output.status.success(), "{}", stderr(&output));
    let mut names: Vec<_> = fs::read_dir(dir.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    let expected = [
        "raio-completion.1",
        "raio-cp.1",
        "raio-probe.1",
        "raio-run.1",
        "raio-stat.1",
        "raio.1",
    ];
    assert_eq!(names, expected);
    let text = fs::read_to_string(dir.path().join("raio.1")).unwrap();
    assert!(!text.contains("help(1)"), "there is no such page");
    for name in names {
        let page = fs::read_to_string(dir.path().join(&name)).unwrap();
        for section in [".TH", ".SH NAME", ".SH SYNOPSIS", ".SH DESCRIPTION"] {
            assert!(page.contains(section), "{name}: {section}");
        }
        // Lines that begin so would be requests of roff.
        assert!(!page.lines().any(|line| line.starts_with('\'')), "{name}");
    }
    assert_eq!(raio(&["man", "/proc/nowhere"]).status.code(), Some(1));
}

#[test]
fn output_that_can_not_be_written_is_an_error() {
    let full = fs::File::options().write(true).open("/dev/full").unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_raio"))
        .args(["completion", "bash"])
        .stdout(full)
        .stderr(Stdio::piped())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(
        stderr(&output).contains("No space left on device"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn who_stops_reading_is_not_told_of_an_error() {
    use std::os::unix::process::ExitStatusExt;
    let mut child = Command::new(env!("CARGO_BIN_EXE_raio"))
        .args(["completion", "bash"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // It may have written all before that.
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    let ended = output.status.success() || output.status.signal() == Some(libc::SIGPIPE);
    assert!(ended, "{:?}", output.status);
    assert!(output.stderr.is_empty(), "{}", stderr(&output));
}
