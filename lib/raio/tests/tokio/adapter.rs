// SPDX-License-Identifier: MIT OR Apache-2.0

//! `AsyncRead` and `AsyncWrite`.

use super::{poll_once, runtime};
use crate::{
    common::{pipe, temp_file},
    need_device,
};
use raio::tokio::{Handle, Io};
use std::{
    io::{ErrorKind, Write},
    os::unix::net::UnixStream,
    pin::pin,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

#[test]
fn a_socket_is_read_and_written() {
    need_device!();
    runtime().block_on(async {
        let raio = Handle::new(8).unwrap();
        let (here, there) = UnixStream::pair().unwrap();
        here.set_nonblocking(true).unwrap();
        let mut here = Io::stream(&raio, here).with_capacity(1000);
        let mut there = Io::stream(&raio, there);
        let bytes: Vec<u8> = (0..2_000_000).map(|n| (n / 9) as u8).collect();
        let write = async {
            here.write_all(&bytes).await.unwrap();
            here.shutdown().await.unwrap();
            let mut answer = String::new();
            here.read_to_string(&mut answer).await.unwrap();
            answer
        };
        let read = async {
            let mut all = Vec::new();
            there.read_to_end(&mut all).await.unwrap();
            there.write_all(b"thanks").await.unwrap();
            there.shutdown().await.unwrap();
            all
        };
        let (answer, all) = tokio::join!(write, read);
        assert!(all == bytes && answer == "thanks");
    });
}

#[test]
fn what_a_dropped_read_got_is_for_the_next() {
    need_device!();
    runtime().block_on(async {
        let raio = Handle::new(8).unwrap();
        let (reader, mut writer) = pipe();
        let mut reader = Io::stream(&raio, reader);
        let mut bytes = [0; 4];
        assert!(poll_once(pin!(reader.read_exact(&mut bytes))).is_pending());
        writer.write_all(b"data").unwrap();
        reader.read_exact(&mut bytes).await.unwrap();
        assert_eq!(bytes, *b"data");
    });
}

#[test]
fn a_file_has_a_position_of_its_own() {
    need_device!();
    runtime().block_on(async {
        let raio = Handle::new(8).unwrap();
        let mut file = Io::file(&raio, temp_file(), 0).with_capacity(3);
        file.write_all(b"database").await.unwrap();
        assert_eq!(file.position(), Some(8));
        // It sees what was written, though it was not flushed.
        file.set_position(2);
        let mut bytes = [0; 2];
        file.read_exact(&mut bytes).await.unwrap();
        assert_eq!((bytes, file.position()), (*b"ta", Some(4)));
        // What was read ahead is not what is there now.
        file.write_all(b"X").await.unwrap();
        file.set_position(3);
        let mut rest = String::new();
        file.read_to_string(&mut rest).await.unwrap();
        assert_eq!((&rest[..], file.position()), ("aXase", Some(8)));
        file.flush().await.unwrap();
        file.shutdown().await.unwrap();
    });
}

#[test]
fn errors_come_once() {
    need_device!();
    runtime().block_on(async {
        let raio = Handle::new(8).unwrap();
        let (socket, peer) = UnixStream::pair().unwrap();
        let mut socket = Io::stream(&raio, socket);
        drop(peer);
        let error = socket.write_all(b"data").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BrokenPipe);
        socket.flush().await.unwrap();
    });
}

#[test]
fn one_that_is_dropped_leaves_nothing() {
    need_device!();
    runtime().block_on(async {
        let raio = Handle::new(8).unwrap();
        let (reader, _writer) = pipe();
        let mut reader = Io::stream(&raio, reader);
        assert!(poll_once(pin!(reader.read_u8())).is_pending());
        assert_eq!(raio.in_flight(), 1);
        drop(reader);
        assert_eq!(raio.in_flight(), 0);
    });
}
