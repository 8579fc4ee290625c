// SPDX-License-Identifier: MIT OR Apache-2.0

use super::{next, run, submit};
use crate::{
    common::{bytes_in, eventfd, pipe, temp_file},
    need_device,
};
use raio::{Buffer, Context, IoPriority, Operation, Output, Readiness, Request, RwFlags};
use std::io::{Read, Write};

#[test]
fn what_is_written_is_read() {
    need_device!();
    let (mut context, file) = (Context::new(4).unwrap(), temp_file());
    let written = run(
        &mut context,
        Request::write_at(&file, b"database"[..].into(), 3),
    );
    assert_eq!(written.output().unwrap(), Output::Bytes(8));
    assert_eq!(&written.buffer.unwrap()[..], b"database");
    for request in [Request::fsync(&file), Request::fdsync(&file)] {
        assert_eq!(run(&mut context, request).output().unwrap(), Output::Done);
    }
    let read = run(&mut context, Request::read_at(&file, Buffer::new(64), 7));
    assert_eq!(read.operation, Operation::Read);
    assert_eq!(read.result.unwrap(), 4);
    assert_eq!(&read.buffer.unwrap()[..4], b"base");
}

#[test]
fn vectors_are_in_order_and_come_back() {
    need_device!();
    let (mut context, file) = (Context::new(4).unwrap(), temp_file());
    let parts: Vec<Buffer> = vec![b"data"[..].into(), vec![].into(), b"base!"[..].into()];
    let written = run(&mut context, Request::write_vectored_at(&file, parts, 0));
    assert_eq!(written.output().unwrap(), Output::Bytes(9));
    assert_eq!(written.buffers.len(), 3);
    let parts = vec![Buffer::new(2), Buffer::new(3), Buffer::new(100)];
    let read = run(&mut context, Request::read_vectored_at(&file, parts, 0));
    assert_eq!(read.result.unwrap(), 9);
    assert_eq!(&read.buffers[0][..], b"da");
    assert_eq!(&read.buffers[1][..], b"tab");
    assert_eq!(&read.buffers[2][..4], b"ase!");
}

#[test]
fn flags_are_the_transfer_s() {
    need_device!();
    let (mut context, mut file) = (Context::new(4).unwrap(), temp_file());
    file.write_all(b"data").unwrap();
    let append = Request::write_at(&file, b"base"[..].into(), 0).with_flags(RwFlags::APPEND);
    assert_eq!(run(&mut context, append).result.unwrap(), 4);
    let read = run(&mut context, Request::read_at(&file, Buffer::new(16), 0));
    assert_eq!(&read.buffer.unwrap()[..8], b"database");

    let (reader, _writer) = pipe();
    let nowait = Request::read_at(&reader, Buffer::new(1), 0).with_flags(RwFlags::NOWAIT);
    let error = run(&mut context, nowait).result.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock);
}

#[test]
fn priority_is_looked_at() {
    need_device!();
    let (mut context, file) = (Context::new(4).unwrap(), temp_file());
    for priority in [IoPriority::idle(), IoPriority::best_effort(7)] {
        let request = Request::write_at(&file, b"x"[..].into(), 0).with_priority(priority);
        assert_eq!(run(&mut context, request).result.unwrap(), 1);
    }
}

#[test]
fn eventfd_counts_completions() {
    need_device!();
    let (mut context, mut counter) = (Context::new(4).unwrap(), eventfd());
    for _ in 0..3 {
        submit(&mut context, Request::noop().with_eventfd(&counter));
    }
    let mut completions = Vec::new();
    assert_eq!(context.getevents(3, None, &mut completions).unwrap(), 3);
    let mut count = [0; 8];
    counter.read_exact(&mut count).unwrap();
    assert_eq!(u64::from_ne_bytes(count), 3);
}

#[test]
fn poll_says_what_is_there() {
    need_device!();
    let (mut context, (reader, mut writer)) = (Context::new(4).unwrap(), pipe());
    submit(&mut context, Request::poll(&reader, Readiness::IN));
    assert_eq!(context.reap(&mut Vec::new()).unwrap(), 0);
    writer.write_all(b"x").unwrap();
    let Output::Ready(ready) = next(&mut context).output().unwrap() else {
        panic!("not of a poll");
    };
    assert!(ready.contains(Readiness::IN) && ready.is_readable() && !ready.is_writable());
    drop(writer);
    let poll = run(&mut context, Request::poll(&reader, Readiness::empty()));
    assert_eq!(poll.output().unwrap(), Output::Ready(Readiness::HUP));
    assert_eq!(bytes_in(&reader), 1);
}

#[test]
fn noop_brings_its_word_back() {
    need_device!();
    let mut context = Context::new(4).unwrap();
    let noop = run(&mut context, Request::noop().with_user_data(u64::MAX));
    assert_eq!(noop.output().unwrap(), Output::Done);
    assert_eq!(noop.user_data, u64::MAX);
    assert!(noop.buffer.is_none() && noop.buffers.is_empty());
}

#[test]
fn a_vector_comes_back_as_one() {
    need_device!();
    let (mut context, mut file) = (Context::new(4).unwrap(), temp_file());
    file.write_all(b"database").unwrap();
    let vec = vec![0; 8];
    let address = vec.as_ptr();
    let read = run(&mut context, Request::read_at(&file, vec.into(), 0));
    let vec = read.buffer.unwrap().into_vec();
    assert_eq!((&vec[..], vec.as_ptr()), (&b"database"[..], address));
}

#[test]
fn all_operations_are_served() {
    need_device!();
    let info = Context::new(1).unwrap().info().unwrap();
    for operation in [
        Operation::Read,
        Operation::Write,
        Operation::ReadVectored,
        Operation::WriteVectored,
        Operation::Fsync,
        Operation::Fdsync,
        Operation::Poll,
        Operation::Noop,
    ] {
        assert!(info.serves(operation), "{operation:?}");
    }
    assert!(info.has_direct() && info.has_retry() && info.has_register());
    assert_eq!(info.serves(Operation::SyncFileRange), info.has_sync_range());
    assert!(info.user_nr >= 1 && info.nr >= info.user_nr);
}
