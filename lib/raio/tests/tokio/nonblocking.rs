// SPDX-License-Identifier: MIT OR Apache-2.0

//! Streams that are `O_NONBLOCK`: they are as others.

use super::{poll_once, runtime, until};
use crate::need_device;
use raio::{tokio::Handle, Request};
use std::{
    io::{ErrorKind, Read, Write},
    os::unix::net::UnixStream as StdStream,
    pin::pin,
    sync::Arc,
};
use tokio::{
    net::{TcpListener, TcpStream, UnixStream},
    task::JoinSet,
};

/// One of tokio, and the other end.
fn pair() -> (UnixStream, StdStream) {
    let (ours, theirs) = StdStream::pair().unwrap();
    ours.set_nonblocking(true).unwrap();
    (UnixStream::from_std(ours).unwrap(), theirs)
}

#[test]
fn a_read_waits_for_data() {
    need_device!();
    runtime().block_on(async {
        let raio = Handle::new(4).unwrap();
        let (socket, mut peer) = pair();
        let mut read = pin!(raio.read(&socket, Vec::with_capacity(64)));
        assert!(poll_once(read.as_mut()).is_pending());
        peer.write_all(b"data").unwrap();
        let (result, bytes) = read.await;
        assert_eq!((result.unwrap(), &bytes[..]), (4, &b"data"[..]));
    });
}

#[test]
fn so_does_one_of_tcp_and_a_vectored_one() {
    need_device!();
    runtime().block_on(async {
        let raio = Handle::new(4).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (there, here) = tokio::join!(TcpStream::connect(address), listener.accept());
        let (there, here) = (there.unwrap(), here.unwrap().0);
        let parts = vec![vec![0; 2].into(), vec![0; 8].into()];
        let mut read = pin!(raio.read_vectored(&here, parts));
        assert!(poll_once(read.as_mut()).is_pending());
        assert_eq!(raio.write(&there, "data").await.0.unwrap(), 4);
        let (result, parts) = read.await;
        assert_eq!(result.unwrap(), 4);
        assert_eq!((&parts[0][..], &parts[1][..2]), (&b"da"[..], &b"ta"[..]));
    });
}

#[test]
fn a_write_goes_on_until_all_is_written() {
    need_device!();
    const LEN: usize = 3 << 20;
    runtime().block_on(async {
        let raio = Handle::new(4).unwrap();
        let (socket, mut peer) = pair();
        let reader = std::thread::spawn(move || {
            let mut bytes = Vec::new();
            peer.read_to_end(&mut bytes).unwrap();
            bytes
        });
        let bytes: Vec<u8> = (0..LEN).map(|n| (n / 7) as u8).collect();
        let (result, bytes) = raio.write(&socket, bytes).await;
        assert_eq!(result.unwrap(), LEN);
        drop(socket);
        assert!(reader.join().unwrap() == bytes);
    });
}

#[test]
fn the_end_and_errors_are_those_of_the_file() {
    need_device!();
    runtime().block_on(async {
        let raio = Handle::new(4).unwrap();
        let (socket, peer) = pair();
        let mut read = pin!(raio.read(&socket, vec![0; 8]));
        assert!(poll_once(read.as_mut()).is_pending());
        drop(peer);
        assert_eq!(read.await.0.unwrap(), 0);
        let (result, bytes) = raio.write(&socket, vec![7; 8]).await;
        assert_eq!(result.unwrap_err().kind(), ErrorKind::BrokenPipe);
        assert_eq!(bytes, [7; 8]);
    });
}

#[test]
fn one_try_is_to_be_had() {
    need_device!();
    runtime().block_on(async {
        let raio = Handle::new(4).unwrap();
        let (socket, _peer) = pair();
        let (result, bytes) = raio.read(&socket, vec![7; 8]).nonblocking().await;
        assert_eq!(result.unwrap_err().kind(), ErrorKind::WouldBlock);
        assert_eq!(bytes, [7; 8]);
        let request = Request::read(&socket, vec![7; 8].into()).nonblocking();
        let completion = raio.submit(request).await;
        assert_eq!(completion.result.unwrap_err().kind(), ErrorKind::WouldBlock);
        assert_eq!(&completion.buffer.unwrap()[..], [7; 8]);
    });
}

/// All are woken by a byte that one of them gets: the others wait on.
#[test]
fn readers_of_one_stream_get_each_byte_once() {
    need_device!();
    runtime().block_on(async {
        let raio = Handle::new(8).unwrap();
        let (socket, mut peer) = pair();
        let socket = Arc::new(socket);
        let mut tasks = JoinSet::new();
        for _ in 0..8 {
            let (raio, socket) = (raio.clone(), Arc::clone(&socket));
            tasks.spawn(async move {
                let mut bytes = Vec::new();
                loop {
                    let (result, byte) = raio.read(&*socket, [0; 1]).await;
                    match result.unwrap() {
                        0 => return bytes,
                        _ => bytes.push(byte[0]),
                    }
                }
            });
        }
        for byte in 0..=255 {
            peer.write_all(&[byte]).unwrap();
            tokio::task::yield_now().await;
        }
        drop(peer);
        let mut all = tasks.join_all().await.concat();
        all.sort_unstable();
        assert_eq!(all, (0..=255).collect::<Vec<u8>>());
    });
}

#[test]
fn a_dropped_one_that_polls_takes_nothing() {
    need_device!();
    runtime().block_on(async {
        let raio = Handle::new(4).unwrap();
        let (socket, mut peer) = pair();
        {
            let mut read = pin!(raio.read(&socket, vec![0; 8]));
            assert!(poll_once(read.as_mut()).is_pending());
        }
        until(|| raio.in_flight() == 0).await;
        peer.write_all(b"data").unwrap();
        let (result, bytes) = raio.read(&socket, Vec::with_capacity(8)).await;
        assert_eq!((result.unwrap(), &bytes[..]), (4, &b"data"[..]));
    });
}
