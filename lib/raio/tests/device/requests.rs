// SPDX-License-Identifier: MIT OR Apache-2.0

//! Deadlines, barriers, ranges, the file position, and parts of buffers.

use super::{next, run, submit};
use crate::{
    common::{bytes_in, pipe, temp_file},
    need_device,
};
use raio::{Buffer, Context, Info, Output, Request, SyncRangeFlags};
use std::{
    io::{Seek, SeekFrom, Write},
    time::{Duration, Instant},
};

/// Whether the module has it.
fn has(what: &str, feature: fn(&Info) -> bool) -> bool {
    let has = feature(&Info::query().unwrap());
    if !has {
        eprintln!("skipped: the module has no {what}");
    }
    has
}

const SHORT: Duration = Duration::from_millis(20);

#[test]
fn a_deadline_ends_it_and_tells_what_was_moved() {
    need_device!();
    if !has("deadlines", Info::has_deadline) {
        return;
    }
    let (mut context, (reader, writer)) = (Context::new(4).unwrap(), pipe());
    let read = Request::read(&reader, Buffer::new(8)).with_timeout(SHORT);
    let read = run(&mut context, read);
    assert!(read.is_timed_out() && !read.is_cancelled());
    assert_eq!((read.moved, read.buffer.unwrap().len()), (0, 8));
    let deadline = Instant::now() + SHORT;
    let write = Request::write(&writer, Buffer::new(1 << 20)).with_deadline(deadline);
    let write = run(&mut context, write);
    assert!(write.is_timed_out());
    assert!(write.moved > 0);
    assert_eq!(write.moved, bytes_in(&reader));
}

#[test]
fn what_is_in_time_has_no_deadline() {
    need_device!();
    if !has("deadlines", Info::has_deadline) {
        return;
    }
    let (mut context, file) = (Context::new(4).unwrap(), temp_file());
    let mut buffers = [Buffer::new(4096)];
    context.register_buffers(&mut buffers).unwrap();
    let [mut buffer] = buffers;
    buffer.fill(7);
    // Its index is where the deadline is.
    let write = Request::write_at(&file, buffer, 0).with_timeout(Duration::MAX);
    let write = run(&mut context, write);
    assert_eq!((write.result.unwrap(), write.moved), (4096, 4096));
    let read = Request::read_at(&file, Buffer::new(8), 0).with_timeout(Duration::from_secs(3600));
    assert_eq!(&run(&mut context, read).buffer.unwrap()[..], [7; 8]);
}

#[test]
fn a_barrier_waits_and_is_waited_for() {
    need_device!();
    if !has("barriers", Info::has_barrier) {
        return;
    }
    let (mut context, (reader, mut writer)) = (Context::new(4).unwrap(), pipe());
    let before = submit(&mut context, Request::read(&reader, Buffer::new(8)));
    let barrier = submit(&mut context, Request::noop().with_barrier());
    let after = submit(&mut context, Request::noop());
    let mut none = Vec::new();
    assert_eq!(context.getevents(1, Some(SHORT), &mut none).unwrap(), 0);
    writer.write_all(b"data").unwrap();
    let mut completions = Vec::new();
    assert_eq!(context.getevents(3, None, &mut completions).unwrap(), 3);
    let order: Vec<_> = completions.iter().map(|completion| completion.id).collect();
    assert_eq!(order, [before, barrier, after]);
}

#[test]
fn a_part_of_a_file_is_synchronised() {
    need_device!();
    if !has("ranges", Info::has_sync_range) {
        return;
    }
    let (mut context, mut file) = (Context::new(4).unwrap(), temp_file());
    file.write_all(&[7; 65536]).unwrap();
    let all = SyncRangeFlags::WAIT_BEFORE | SyncRangeFlags::WRITE | SyncRangeFlags::WAIT_AFTER;
    for request in [
        Request::fsync(&file).with_range(0, 4096),
        Request::fdsync(&file).with_range(4096, 0),
        Request::sync_file_range(&file, 0, 0, all),
    ] {
        assert_eq!(run(&mut context, request).output().unwrap(), Output::Done);
    }
    let wrong = SyncRangeFlags::from_bits(0x100);
    let request = Request::sync_file_range(&file, 0, 4096, wrong);
    let errno = match context.submit_one(request) {
        Ok(_) => next(&mut context).result.unwrap_err().raw_os_error(),
        Err(rejected) => rejected.error().raw_os_error(),
    };
    assert_eq!(errno, Some(libc::EINVAL));
}

#[test]
fn the_file_position_is_used_and_moves() {
    need_device!();
    if !has("file position", Info::has_file_position) {
        return;
    }
    let (mut context, mut file) = (Context::new(4).unwrap(), temp_file());
    for part in ["data", "base"] {
        let write = Request::write(&file, part.as_bytes().into());
        assert_eq!(run(&mut context, write).result.unwrap(), 4);
    }
    assert_eq!(file.stream_position().unwrap(), 8);
    file.seek(SeekFrom::Start(2)).unwrap();
    let read = run(&mut context, Request::read(&file, Buffer::new(4)));
    assert_eq!(&read.buffer.unwrap()[..], b"taba");
    let read = Request::read_vectored(&file, vec![Buffer::new(1), Buffer::new(1)]);
    assert_eq!(&run(&mut context, read).buffers[1][..], b"e");
    assert_eq!(file.stream_position().unwrap(), 8);
}

/// -1 is the file position, and 2^64 - 1 is no offset.
#[test]
fn an_offset_that_is_too_large_is_no_file_position() {
    need_device!();
    let (mut context, mut file) = (Context::new(4).unwrap(), temp_file());
    file.write_all(b"data").unwrap();
    file.rewind().unwrap();
    for offset in [u64::MAX, 1 << 63] {
        let request = Request::read_at(&file, Buffer::new(4), offset);
        let errno = match context.submit_one(request) {
            Ok(_) => next(&mut context).result.unwrap_err().raw_os_error(),
            Err(rejected) => rejected.error().raw_os_error(),
        };
        assert_eq!(errno, Some(libc::EINVAL), "{offset:#x}");
    }
    assert_eq!(file.stream_position().unwrap(), 0);
}

#[test]
fn a_stream_has_no_position() {
    need_device!();
    let (mut context, (reader, writer)) = (Context::new(4).unwrap(), pipe());
    let write = Request::write_vectored(&writer, vec![b"data"[..].into()]);
    assert_eq!(run(&mut context, write).result.unwrap(), 4);
    let read = run(&mut context, Request::read(&reader, Buffer::new(8)));
    assert_eq!((read.result.unwrap(), read.moved), (4, 4));
}

#[test]
fn a_part_of_a_buffer_is_moved_and_all_comes_back() {
    need_device!();
    let (mut context, file) = (Context::new(4).unwrap(), temp_file());
    let mut buffers = [Buffer::new(8192), Buffer::from(&b"my database"[..])];
    context.register_buffers(&mut buffers).unwrap();
    let [to, from] = buffers;
    let write = run(
        &mut context,
        Request::write_at(&file, from, 0).with_slice(3..7),
    );
    assert_eq!(
        (write.result.unwrap(), write.buffer.unwrap().len()),
        (4, 11)
    );
    let read = run(
        &mut context,
        Request::read_at(&file, to, 1).with_slice(4096..),
    );
    assert_eq!(read.result.unwrap(), 3);
    let buffer = read.buffer.unwrap();
    assert_eq!((buffer.len(), &buffer[4095..4100]), (8192, &b"\0ata\0"[..]));
}

#[test]
fn sync_writes_are_done_when_they_are_submitted() {
    need_device!();
    let sync_writes =
        |info: &Info| info.setup_flags & u64::from(raio::sys::RAIO_SETUP_SYNC_WRITES) != 0;
    if !has("synchronous writes", sync_writes) {
        let error = Context::builder(1).sync_writes().build().unwrap_err();
        assert_eq!(error.kind(), raio::ErrorKind::Unsupported);
        return;
    }
    let (mut context, file) = (
        Context::builder(4).sync_writes().build().unwrap(),
        temp_file(),
    );
    let mut completions = Vec::new();
    for n in 0..32 {
        submit(
            &mut context,
            Request::write_at(&file, Buffer::new(100), n * 100),
        );
        assert_eq!(context.reap(&mut completions).unwrap(), 1);
    }
    assert_eq!(file.metadata().unwrap().len(), 3200);
}

#[test]
fn what_the_module_does_not_have_is_an_error() {
    need_device!();
    let info = Info::query().unwrap();
    let (mut context, file) = (Context::new(4).unwrap(), temp_file());
    for (request, has) in [
        (Request::noop().with_timeout(SHORT), info.has_deadline()),
        (Request::noop().with_barrier(), info.has_barrier()),
        (
            Request::fsync(&file).with_range(0, 1),
            info.has_sync_range(),
        ),
        (
            Request::read(&file, Buffer::new(1)),
            info.has_file_position(),
        ),
    ] {
        match context.submit_one(request) {
            Ok(_) => assert!(has && next(&mut context).result.is_ok()),
            Err(rejected) => {
                assert!(!has, "{rejected}");
                assert_eq!(rejected.error().kind(), raio::ErrorKind::Unsupported);
            }
        }
    }
}
