// SPDX-License-Identifier: MIT OR Apache-2.0

//! The programs in `examples/`, on a device.  `RAIO_EXAMPLES` is where they are; without it,
//! or without a device, nothing is tested.

mod common;

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    path::PathBuf,
    process::{Child, Command, Output, Stdio},
};

/// A program in `examples/`; none if they are not there.
fn example(name: &str) -> Option<Command> {
    let dir = std::env::var_os("RAIO_EXAMPLES");
    if dir.is_none() {
        eprintln!("skipped: RAIO_EXAMPLES is not set");
    }
    let path = PathBuf::from(dir?).join(name);
    common::device().then(|| Command::new(path))
}

/// A directory that is removed in the end.
struct Dir(PathBuf);

impl Dir {
    fn new(name: &str) -> Self {
        let dir = std::env::var_os("RAIO_TEST_DIR").map_or_else(std::env::temp_dir, PathBuf::from);
        let dir = dir.join(format!("raio-{name}-{}", std::process::id()));
        fs::create_dir(&dir).unwrap();
        Self(dir)
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A server, and where it listens.  It is killed in the end.
struct Server(Child, String);

impl Server {
    fn start(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        output.read_line(&mut line).unwrap();
        // It goes on to print, and nobody is to be waited for.
        std::thread::spawn(move || std::io::copy(&mut output, &mut std::io::sink()));
        let address = line.strip_prefix("listening on ").unwrap().trim().into();
        Self(child, address)
    }

    fn connect(&self) -> TcpStream {
        TcpStream::connect(&self.1).unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

fn succeeded(output: Output) -> String {
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    String::from_utf8(output.stdout).unwrap()
}

fn bytes(len: usize) -> Vec<u8> {
    (0..len).map(|n| (n / 7) as u8).collect()
}

#[test]
fn copy() {
    let Some(mut copy) = example("copy") else {
        return;
    };
    let dir = Dir::new("copy");
    let (from, to) = (dir.0.join("from"), dir.0.join("to"));
    fs::write(&from, bytes(3_000_001)).unwrap();
    succeeded(copy.arg(&from).arg(&to).output().unwrap());
    assert!(fs::read(&to).unwrap() == bytes(3_000_001));
}

#[test]
fn relay() {
    let Some(mut relay) = example("relay") else {
        return;
    };
    let target = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = target.local_addr().unwrap().to_string();
    let server = Server::start(relay.args(["127.0.0.1:0", &address]));
    let answerer = std::thread::spawn(move || {
        let mut socket = target.accept().unwrap().0;
        let mut all = Vec::new();
        socket.read_to_end(&mut all).unwrap();
        // It answers after it was told that there is no more.
        socket.write_all(&all).unwrap();
    });
    let mut client = server.connect();
    client.write_all(&bytes(2_000_003)).unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    let mut answer = Vec::new();
    client.read_to_end(&mut answer).unwrap();
    answerer.join().unwrap();
    assert!(answer == bytes(2_000_003));
}

#[test]
fn log() {
    let Some(mut log) = example("log") else {
        return;
    };
    let dir = Dir::new("log");
    let path = dir.0.join("log");
    fs::write(&path, "old\n").unwrap();
    let mut child = log
        .arg(&path)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = "a line\n".repeat(100);
    let mut input = child.stdin.take().unwrap();
    input.write_all(lines.as_bytes()).unwrap();
    drop(input);
    let output = succeeded(child.wait_with_output().unwrap());
    assert_eq!(fs::read_to_string(&path).unwrap(), format!("old\n{lines}"));
    let durable: Vec<&str> = output.lines().collect();
    assert_eq!(
        (durable.len(), durable[0], durable[6]),
        (7, "durable 16", "durable 100")
    );
}

#[test]
fn serve() {
    let Some(mut serve) = example("serve") else {
        return;
    };
    let dir = Dir::new("serve");
    fs::create_dir(dir.0.join("sub")).unwrap();
    fs::write(dir.0.join("sub/file"), bytes(1_000_003)).unwrap();
    let server = Server::start(serve.arg("127.0.0.1:0").arg(&dir.0));
    let get = |path: &str| {
        let mut client = server.connect();
        // In two pieces, the second of which is waited for.
        write!(client, "GET {path} HTTP/1.0\r\n").unwrap();
        client.write_all(b"\r\n").unwrap();
        let mut answer = Vec::new();
        client.read_to_end(&mut answer).unwrap();
        answer
    };
    let head = b"HTTP/1.0 200 OK\r\nContent-Length: 1000003\r\n\r\n";
    assert!(get("/sub/file") == [&head[..], &bytes(1_000_003)].concat());
    for path in ["/none", "/sub", "/../etc/passwd", "//etc/passwd"] {
        assert!(get(path).starts_with(b"HTTP/1.0 404"), "{path}");
    }
}

#[test]
fn bench() {
    let Some(mut bench) = example("bench") else {
        return;
    };
    let dir = Dir::new("bench");
    let path = dir.0.join("file");
    fs::write(&path, bytes(1 << 20)).unwrap();
    let output = succeeded(bench.arg(&path).args(["1000", "16"]).output().unwrap());
    assert!(output.starts_with("reads      1000\n"), "{output}");
}
