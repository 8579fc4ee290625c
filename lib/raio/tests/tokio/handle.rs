// SPDX-License-Identifier: MIT OR Apache-2.0

use super::{poll_once, runtime, until};
use crate::{
    common::{bytes_in, pipe, sysctl, temp_file},
    need_device,
};
use raio::{tokio::Handle, Buffer, Context as RaioContext, Readiness, Request};
use std::{
    fs::File,
    io::{ErrorKind, Write},
    pin::pin,
    sync::Arc,
    task::Poll,
    time::Duration,
};
use tokio::{task::JoinSet, time::timeout};

/// A file with these bytes, by itself and for those who only read.
fn file_of(bytes: &[u8]) -> File {
    let mut file = temp_file();
    file.write_all(bytes).unwrap();
    file
}

#[test]
fn many_files_at_once() {
    need_device!();
    runtime().block_on(async {
        // Fewer than there are tasks.
        let raio = Handle::new(8).unwrap();
        let mut tasks = JoinSet::new();
        for n in 0..50u8 {
            let raio = raio.clone();
            tasks.spawn(async move {
                let file = temp_file();
                for block in 0..8u64 {
                    let buffer = Buffer::from(vec![n ^ block as u8; 5000]);
                    let (result, buffer) = raio.write_at(&file, buffer, block * 5000).await;
                    assert_eq!((result.unwrap(), buffer.len()), (5000, 5000));
                }
                raio.fsync(&file).await.unwrap();
                raio.fdsync(&file).await.unwrap();
                for block in (0..8u64).rev() {
                    let (result, buffer) =
                        raio.read_at(&file, Buffer::new(5000), block * 5000).await;
                    assert_eq!(result.unwrap(), 5000);
                    assert!(buffer.iter().all(|&byte| byte == n ^ block as u8));
                }
            });
        }
        while let Some(task) = tasks.join_next().await {
            task.unwrap();
        }
        assert_eq!(raio.in_flight(), 0);
    });
}

#[test]
fn vectors_and_all_else() {
    need_device!();
    runtime().block_on(async {
        let raio = Handle::new(4).unwrap();
        let file = temp_file();
        let parts = vec![b"data"[..].into(), b"base"[..].into()];
        let (result, parts) = raio.write_vectored_at(&file, parts, 0).await;
        assert_eq!((result.unwrap(), parts.len()), (8, 2));
        let parts = vec![Buffer::new(3), Buffer::new(9)];
        let (result, parts) = raio.read_vectored_at(&file, parts, 0).await;
        assert_eq!(result.unwrap(), 8);
        assert_eq!(
            (&parts[0][..], &parts[1][..5]),
            (&b"dat"[..], &b"abase"[..])
        );

        let (reader, mut writer) = pipe();
        let mut poll = pin!(raio.poll(&reader, Readiness::IN));
        assert!(poll_once(poll.as_mut()).is_pending());
        writer.write_all(b"x").unwrap();
        assert!(poll.await.unwrap().contains(Readiness::IN));

        let completion = raio.submit(Request::noop()).await;
        assert_eq!(completion.result.unwrap(), 0);
    });
}

#[test]
fn what_is_not_taken_gives_the_buffer_back() {
    need_device!();
    runtime().block_on(async {
        let raio = Handle::new(1).unwrap();
        let (reader, _writer) = pipe();
        // Not open for that; more often than there is room.
        for _ in 0..3 {
            let (result, buffer) = raio.write(&reader, Buffer::from(&b"mine"[..])).await;
            assert_eq!(result.unwrap_err().raw_os_error(), Some(libc::EBADF));
            assert_eq!(&buffer[..], b"mine");
        }
    });
}

#[test]
fn what_ends_at_once_is_ready_at_once() {
    need_device!();
    runtime().block_on(async {
        let raio = Handle::new(1).unwrap();
        let (mut reader, mut writer) = pipe();
        writer.write_all(b"data").unwrap();
        let Poll::Ready((result, _)) = poll_once(pin!(raio.read(&reader, Buffer::new(8)))) else {
            panic!("there was data");
        };
        assert_eq!(result.unwrap(), 4);
        std::io::Write::flush(&mut reader).unwrap();
    });
}

#[test]
fn a_dropped_read_takes_nothing() {
    need_device!();
    runtime().block_on(async {
        let raio = Handle::new(1).unwrap();
        let (reader, mut writer) = pipe();
        for _ in 0..10 {
            let read = raio.read(&reader, Buffer::new(8));
            assert!(timeout(Duration::from_millis(1), read).await.is_err());
            assert_eq!(raio.in_flight(), 0);
        }
        writer.write_all(b"data").unwrap();
        assert_eq!(bytes_in(&reader), 4);
        // And there is room again.
        let (result, buffer) = raio.read(&reader, Buffer::new(8)).await;
        assert_eq!(&buffer[..result.unwrap()], b"data");
    });
}

#[test]
fn futures_wait_for_room_in_turn() {
    need_device!();
    runtime().block_on(async {
        let raio = Handle::new(4).unwrap();
        let (reader, mut writer) = pipe();
        let reader = Arc::new(reader);
        let mut tasks = JoinSet::new();
        for _ in 0..64 {
            let (raio, reader) = (raio.clone(), Arc::clone(&reader));
            tasks.spawn(async move {
                let (result, buffer) = raio.read(&*reader, Buffer::new(1)).await;
                assert!(raio.in_flight() <= 4);
                (result.unwrap(), buffer[0])
            });
        }
        until(|| raio.in_flight() == 4).await;
        let all: Vec<u8> = (0..64).collect();
        writer.write_all(&all).unwrap();
        let mut bytes = Vec::new();
        while let Some(task) = tasks.join_next().await {
            let (len, byte) = task.unwrap();
            assert_eq!(len, 1);
            bytes.push(byte);
        }
        bytes.sort_unstable();
        assert_eq!(bytes, all);
    });
}

#[test]
fn a_future_that_waits_for_room_can_be_dropped() {
    need_device!();
    runtime().block_on(async {
        let raio = Handle::new(1).unwrap();
        let (reader, mut writer) = pipe();
        let mut first = pin!(raio.read(&reader, Buffer::new(8)));
        assert!(poll_once(first.as_mut()).is_pending());
        for _ in 0..3 {
            let mut second = Box::pin(raio.read(&reader, Buffer::new(8)));
            assert!(poll_once(second.as_mut()).is_pending());
        }
        writer.write_all(b"data").unwrap();
        assert_eq!(first.await.0.unwrap(), 4);
        assert!(raio.submit(Request::noop()).await.result.is_ok());
    });
}

#[test]
fn one_that_is_over_but_not_polled_holds_no_room() {
    need_device!();
    runtime().block_on(async {
        let raio = Handle::new(1).unwrap();
        let (reader, mut writer) = pipe();
        let mut read = pin!(raio.read(&reader, Buffer::new(8)));
        assert!(poll_once(read.as_mut()).is_pending());
        writer.write_all(b"data").unwrap();
        // These have its slot, one after the other.
        for _ in 0..3 {
            assert!(raio.submit(Request::noop()).await.result.is_ok());
        }
        let (result, buffer) = read.await;
        assert_eq!(&buffer[..result.unwrap()], b"data");
    });
}

#[test]
fn a_forgotten_future_harms_nobody() {
    need_device!();
    let before = sysctl("raio-nr");
    let runtime = runtime();
    runtime.block_on(async {
        let raio = Handle::new(2).unwrap();
        let (reader, mut writer) = pipe();
        let mut read = Box::pin(raio.read(&reader, Buffer::new(8)));
        assert!(poll_once(read.as_mut()).is_pending());
        std::mem::forget(read);
        writer.write_all(b"data").unwrap();
        until(|| raio.in_flight() == 0).await;
        // One that has not ended when the handle goes.
        let mut read = Box::pin(raio.read(&reader, Buffer::new(8)));
        assert!(poll_once(read.as_mut()).is_pending());
        std::mem::forget(read);
        drop(raio);
        until(|| sysctl("raio-nr") == before).await;
        writer.write_all(b"more").unwrap();
        assert_eq!(bytes_in(&reader), 4);
    });
}

#[test]
fn the_context_goes_with_the_last_handle() {
    need_device!();
    let before = sysctl("raio-nr");
    runtime().block_on(async {
        let raio = Handle::new(8).unwrap();
        let clone = raio.clone();
        drop(raio);
        assert!(clone.submit(Request::noop()).await.result.is_ok());
        drop(clone);
        until(|| sysctl("raio-nr") == before).await;
    });
}

#[test]
fn shutdown_ends_what_is_in_flight() {
    need_device!();
    runtime().block_on(async {
        let raio = Handle::new(2).unwrap();
        let (reader, _writer) = pipe();
        let reader = Arc::new(reader);
        let mut tasks = JoinSet::new();
        // Two are in flight, one waits for room.
        for _ in 0..3 {
            let (raio, reader) = (raio.clone(), Arc::clone(&reader));
            tasks.spawn(async move { raio.read(&*reader, Buffer::from(&b"mine"[..])).await });
        }
        until(|| raio.in_flight() == 2).await;
        raio.shutdown().await;
        raio.shutdown().await;
        while let Some(task) = tasks.join_next().await {
            let (result, buffer) = task.unwrap();
            let error = result.unwrap_err();
            assert!(
                error.raw_os_error() == Some(libc::ECANCELED)
                    || error.kind() == ErrorKind::BrokenPipe
            );
            assert_eq!(&buffer[..], b"mine");
        }
        let (result, buffer) = raio.read(&*reader, Buffer::from(&b"mine"[..])).await;
        assert_eq!(result.unwrap_err().kind(), ErrorKind::BrokenPipe);
        assert_eq!(&buffer[..], b"mine");
    });
}

#[test]
fn the_runtime_may_go_first() {
    need_device!();
    let first = runtime();
    let raio = first.block_on(async { Handle::new(2).unwrap() });
    let (reader, _writer) = pipe();
    let mut read = pin!(raio.read(&reader, Buffer::from(&b"mine"[..])));
    assert!(poll_once(read.as_mut()).is_pending());
    drop(first);
    assert_eq!(raio.in_flight(), 0);
    let (result, buffer) = runtime().block_on(read);
    assert_eq!(result.unwrap_err().raw_os_error(), Some(libc::ECANCELED));
    assert_eq!(&buffer[..], b"mine");
}

/// Its task was never polled.
#[test]
fn the_runtime_may_go_before_it_has_run() {
    need_device!();
    let first = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let raio = {
        let _guard = first.enter();
        Handle::new(2).unwrap()
    };
    let (reader, _writer) = pipe();
    let mut read = pin!(raio.read(&reader, Buffer::from(&b"mine"[..])));
    assert!(poll_once(read.as_mut()).is_pending());
    drop(first);
    assert_eq!(raio.in_flight(), 0);
    runtime().block_on(async {
        let (result, buffer) = read.await;
        assert_eq!(result.unwrap_err().raw_os_error(), Some(libc::ECANCELED));
        assert_eq!(&buffer[..], b"mine");
        raio.shutdown().await;
    });
}

#[test]
fn what_runs_is_waited_for() {
    need_device!();
    const LEN: usize = 4 << 20;
    for _ in 0..10 {
        let (first, file) = (runtime(), temp_file());
        let raio = first.block_on(async { Handle::new(1).unwrap() });
        let mut write = pin!(raio.write_at(&file, vec![1; LEN], 0));
        // A thread does that, and has begun, as a rule.
        let poll = poll_once(write.as_mut());
        std::thread::yield_now();
        drop(first);
        let (_, buffer) = match poll {
            Poll::Ready(done) => done,
            Poll::Pending => runtime().block_on(write),
        };
        assert_eq!(buffer.len(), LEN);
    }
}

#[test]
fn another_runtime_may_wait() {
    need_device!();
    let (first, second) = (runtime(), runtime());
    let raio = first.block_on(async { Handle::new(2).unwrap() });
    let (reader, mut writer) = pipe();
    let read = second.spawn(async move { raio.read(&reader, Buffer::new(8)).await });
    writer.write_all(b"data").unwrap();
    let (result, _) = second.block_on(read).unwrap();
    assert_eq!(result.unwrap(), 4);
}

#[test]
fn a_context_with_requests_is_refused() {
    need_device!();
    runtime().block_on(async {
        let mut context = RaioContext::new(1).unwrap();
        context.submit_one(Request::noop()).unwrap();
        let error = Handle::from_context(context).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        let context = RaioContext::builder(1).cancel_event().build().unwrap();
        let raio = Handle::from_context(context).unwrap();
        let (reader, _writer) = pipe();
        let read = raio.read(&reader, Buffer::new(8));
        assert!(timeout(Duration::from_millis(1), read).await.is_err());
        // The event is in the ring, and the driver takes it.
        assert!(raio.submit(Request::noop()).await.result.is_ok());
        until(|| raio.in_flight() == 0).await;
    });
}

/// Readers are aborted at any time while bytes come: each byte is read once, or lost
/// with a reader that had it, and no room is lost.
#[test]
fn aborted_tasks_leave_nothing_behind() {
    need_device!();
    runtime().block_on(async {
        let raio = Handle::new(8).unwrap();
        let (reader, mut writer) = pipe();
        let (reader, file) = (Arc::new(reader), Arc::new(file_of(&[7; 4096])));
        for round in 0..300u32 {
            let mut tasks = JoinSet::new();
            for task in 0..16 {
                let (raio, reader, file) = (raio.clone(), reader.clone(), file.clone());
                tasks.spawn(async move {
                    if task % 2 == 0 {
                        raio.read(&*reader, Buffer::new(1)).await.0.unwrap();
                    } else {
                        let (result, buffer) = raio.read_at(&*file, Buffer::new(4096), 0).await;
                        assert_eq!(result.unwrap(), 4096);
                        assert!(buffer.iter().all(|&byte| byte == 7));
                    }
                });
            }
            for _ in 0..round % 7 {
                writer.write_all(b"x").unwrap();
                tokio::task::yield_now().await;
            }
            tasks.abort_all();
            while let Some(task) = tasks.join_next().await {
                assert!(task.is_ok() || task.unwrap_err().is_cancelled());
            }
            until(|| raio.in_flight() == 0).await;
            let left = bytes_in(&reader);
            if left > 0 {
                raio.read(&*reader, Buffer::new(left)).await.0.unwrap();
            }
        }
    });
}
