// SPDX-License-Identifier: MIT OR Apache-2.0

//! Cancelling and timeouts lose nothing.

use super::{poll_once, runtime, until};
use crate::{
    common::{bytes_in, pipe},
    need_device,
};
use raio::{tokio::Handle, Request};
use std::{
    io::{ErrorKind, Write},
    os::unix::net::UnixStream as StdStream,
    pin::{pin, Pin},
    sync::Arc,
    time::Duration,
};

const SHORT: Duration = Duration::from_millis(20);
const LONG: Duration = Duration::from_secs(3600);

#[test]
fn a_cancelled_read_gives_its_buffer_back() {
    need_device!();
    runtime().block_on(async {
        let raio = Handle::new(4).unwrap();
        let (reader, mut writer) = pipe();
        let (socket, _peer) = StdStream::pair().unwrap();
        socket.set_nonblocking(true).unwrap();
        // One that the kernel has, one that is polled, and one that was not begun.
        let mut first = raio.read(&reader, b"mine".to_vec());
        let mut second = raio.read(&socket, b"mine".to_vec());
        let third = raio.read(&reader, b"mine".to_vec());
        assert!(poll_once(Pin::new(&mut first)).is_pending());
        assert!(poll_once(Pin::new(&mut second)).is_pending());
        for read in [first, second, third] {
            let (result, buffer) = read.cancel().await;
            assert_eq!(result.unwrap_err().raw_os_error(), Some(libc::ECANCELED));
            assert_eq!(buffer, b"mine");
        }
        assert_eq!(raio.in_flight(), 0);
        writer.write_all(b"data").unwrap();
        assert_eq!(bytes_in(&reader), 4);
    });
}

#[test]
fn a_cancel_that_meets_the_data_has_them() {
    need_device!();
    runtime().block_on(async {
        let raio = Handle::new(4).unwrap();
        let (reader, writer) = pipe();
        let writer = Arc::new(writer);
        for round in 0..500 {
            let mut read = raio.read(&reader, Vec::with_capacity(1));
            assert!(poll_once(Pin::new(&mut read)).is_pending());
            let other = Arc::clone(&writer);
            let thread = std::thread::spawn(move || (&*other).write_all(b"x").unwrap());
            if round % 2 == 0 {
                std::thread::yield_now();
            }
            let (result, bytes) = read.cancel().await;
            thread.join().unwrap();
            // The byte is in the buffer or in the pipe.
            assert_eq!(result.is_ok(), bytes_in(&reader) == 0);
            assert_eq!(bytes.len(), 1 - bytes_in(&reader));
            if result.is_err() {
                raio.read(&reader, [0; 1]).await.0.unwrap();
            }
        }
    });
}

#[test]
fn what_was_read_before_the_end_of_the_time_comes_back() {
    need_device!();
    runtime().block_on(async {
        let raio = Handle::new(4).unwrap();
        let (reader, mut writer) = pipe();
        writer.write_all(b"data").unwrap();
        let read = raio.read_exact(&reader, vec![0; 8]).timeout(SHORT);
        let late = read.await.unwrap_err();
        assert_eq!((late.moved, &late.buffer[..4]), (4, &b"data"[..]));
        assert_eq!(raio.in_flight(), 0);
        let late = raio.read(&reader, [7; 4]).timeout(SHORT).await.unwrap_err();
        assert_eq!((late.moved, late.buffer), (0, [7; 4]));
        let error = std::io::Error::from(late);
        assert_eq!(error.kind(), ErrorKind::TimedOut);
    });
}

/// The poll of a file that is `O_NONBLOCK` has what is left of the time.
#[test]
fn a_poll_has_the_time_of_its_transfer() {
    need_device!();
    runtime().block_on(async {
        let raio = Handle::new(4).unwrap();
        let (socket, mut peer) = StdStream::pair().unwrap();
        socket.set_nonblocking(true).unwrap();
        let late = raio.read(&socket, [7; 4]).timeout(SHORT).await.unwrap_err();
        assert_eq!((late.moved, late.buffer), (0, [7; 4]));
        peer.write_all(b"d").unwrap();
        let read = raio.read_exact(&socket, [0; 4]).timeout(SHORT);
        let late = read.await.unwrap_err();
        assert_eq!((late.moved, late.buffer), (1, *b"d\0\0\0"));
        let (result, _) = raio.write(&socket, "x").timeout(LONG).await.unwrap();
        assert_eq!(result.unwrap(), 1);
    });
}

#[test]
fn what_was_written_before_the_end_of_the_time_is_told() {
    need_device!();
    runtime().block_on(async {
        let raio = Handle::new(4).unwrap();
        let (reader, writer) = pipe();
        let write = raio.write_all(&writer, vec![7; 1 << 20]).timeout(SHORT);
        let late = write.await.unwrap_err();
        assert_eq!(late.buffer.len(), 1 << 20);
        assert_eq!(late.moved, bytes_in(&reader));
        assert!(late.moved > 0);
    });
}

#[test]
fn time_goes_by_while_it_waits_for_room() {
    need_device!();
    runtime().block_on(async {
        let raio = Handle::new(1).unwrap();
        let (reader, mut writer) = pipe();
        let mut first = pin!(raio.read(&reader, [0; 4]));
        assert!(poll_once(first.as_mut()).is_pending());
        let late = raio.read(&reader, [7; 4]).timeout(SHORT).await.unwrap_err();
        assert_eq!((late.moved, late.buffer), (0, [7; 4]));
        writer.write_all(b"data").unwrap();
        assert_eq!(first.await.1, *b"data");
    });
}

#[test]
fn what_is_in_time_is_what_it_was() {
    need_device!();
    runtime().block_on(async {
        let raio = Handle::new(4).unwrap();
        let (reader, mut writer) = pipe();
        for time in [LONG, Duration::MAX] {
            let mut read = pin!(raio.read(&reader, [0; 4]).timeout(time));
            assert!(poll_once(read.as_mut()).is_pending());
            writer.write_all(b"data").unwrap();
            let (result, bytes) = read.await.unwrap();
            assert_eq!((result.unwrap(), bytes), (4, *b"data"));
        }
        let read = raio.read(&writer, [0; 4]).timeout(LONG).await.unwrap();
        assert_eq!(read.0.unwrap_err().raw_os_error(), Some(libc::EBADF));
    });
}

#[test]
fn a_dropped_timeout_leaves_nothing() {
    need_device!();
    runtime().block_on(async {
        let raio = Handle::new(4).unwrap();
        let (reader, mut writer) = pipe();
        {
            let mut read = pin!(raio.read(&reader, [0; 4]).timeout(LONG));
            assert!(poll_once(read.as_mut()).is_pending());
        }
        until(|| raio.in_flight() == 0).await;
        writer.write_all(b"data").unwrap();
        assert_eq!(bytes_in(&reader), 4);
        assert!(raio.submit(Request::noop()).await.result.is_ok());
    });
}
