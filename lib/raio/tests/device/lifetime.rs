// SPDX-License-Identifier: MIT OR Apache-2.0

use super::{next, run, submit};
use crate::{
    common::{bytes_in, pipe, rest, sysctl, temp_file},
    need_device,
};
use raio::{Buffer, Context, ErrorKind, Request};
use std::{io::Write, mem, thread};

const LEN: usize = 64 << 10;

/// Buffers which would be the memory of one that was freed.
fn neighbours() -> Vec<Buffer> {
    (0..64)
        .map(|_| {
            let mut buffer = Buffer::new(LEN);
            buffer.fill(0xaa);
            buffer
        })
        .collect()
}

fn are_untouched(buffers: &[Buffer]) -> bool {
    buffers
        .iter()
        .all(|buffer| buffer.iter().all(|&byte| byte == 0xaa))
}

#[test]
fn dropping_a_context_ends_its_requests() {
    need_device!();
    let (reader, mut writer) = pipe();
    let before = sysctl("raio-nr");
    let mut context = Context::new(8).unwrap();
    for _ in 0..8 {
        submit(&mut context, Request::read_at(&reader, Buffer::new(LEN), 0));
    }
    drop(context);
    assert_eq!(sysctl("raio-nr"), before);
    let neighbours = neighbours();
    writer.write_all(b"data").unwrap();
    drop(writer);
    assert_eq!(rest(&reader), b"data");
    assert!(are_untouched(&neighbours));
}

#[test]
fn a_forgotten_context_keeps_its_buffers() {
    need_device!();
    let (reader, mut writer) = pipe();
    let mut context = Context::new(1).unwrap();
    submit(&mut context, Request::read_at(&reader, Buffer::new(LEN), 0));
    mem::forget(context);
    let neighbours = neighbours();
    writer.write_all(&[0x55; 4096]).unwrap();
    // The request is there still, and has its data.
    while bytes_in(&reader) > 0 {
        thread::yield_now();
    }
    assert!(are_untouched(&neighbours));
}

#[test]
fn a_panic_ends_requests_before_their_buffers() {
    need_device!();
    let (reader, mut writer) = pipe();
    let thread = thread::spawn({
        let reader = reader.try_clone().unwrap();
        move || {
            let mut context = Context::new(1).unwrap();
            submit(&mut context, Request::read_at(&reader, Buffer::new(LEN), 0));
            panic!("with a request in flight");
        }
    });
    assert!(thread.join().is_err());
    let neighbours = neighbours();
    writer.write_all(b"data").unwrap();
    drop(writer);
    assert_eq!(rest(&reader), b"data");
    assert!(are_untouched(&neighbours));
}

#[test]
fn a_file_can_go_when_it_was_submitted() {
    need_device!();
    let mut context = Context::new(2).unwrap();
    let (reader, mut writer) = pipe();
    submit(&mut context, Request::read_at(&reader, Buffer::new(8), 0));
    drop(reader);
    writer.write_all(b"data").unwrap();
    assert_eq!(next(&mut context).result.unwrap(), 4);
    // That was the last reader.
    while writer.write_all(b"data").is_ok() {
        thread::yield_now();
    }
}

#[test]
fn another_thread_can_go_on() {
    need_device!();
    let (reader, mut writer) = pipe();
    let mut context = Context::new(2).unwrap();
    let id = submit(&mut context, Request::read_at(&reader, Buffer::new(8), 0));
    let thread = thread::spawn(move || {
        let completion = next(&mut context);
        (completion, context)
    });
    writer.write_all(b"data").unwrap();
    let (completion, mut context) = thread.join().unwrap();
    assert_eq!(completion.id, id);
    assert_eq!(&completion.buffer.unwrap()[..4], b"data");
    run(&mut context, Request::noop());
}

/// What a child finds that has a copy of its parent's context.
fn child(parents: Context, id: raio::RequestId) -> bool {
    let mut completions = Vec::new();
    let mut parents = parents;
    // At the same address, maybe.
    let mut own = Context::new(1).unwrap();
    let noop = submit(&mut own, Request::noop());
    let kinds = [
        parents.getevents(1, None, &mut completions).unwrap_err(),
        parents.reap(&mut completions).unwrap_err(),
        parents.cancel(id).unwrap_err(),
        parents.cancel_all(&mut completions).unwrap_err(),
        parents.submit_one(Request::noop()).unwrap_err().into(),
        parents.submit(&mut [Request::noop()].into()).unwrap_err(),
        parents
            .submit_and_getevents(&mut [].into(), 0, None, &mut completions)
            .unwrap_err(),
        parents.register_buffers(&mut [Buffer::new(1)]).unwrap_err(),
        parents.unregister_files().unwrap_err(),
    ]
    .map(|error| error.kind());
    drop(parents);
    kinds.iter().all(|kind| *kind == ErrorKind::OtherProcess)
        && completions.is_empty()
        && next(&mut own).id == noop
}

#[test]
fn a_child_has_no_part_in_its_parent_s_contexts() {
    need_device!();
    let (reader, mut writer) = pipe();
    let mut context = Context::new(1).unwrap();
    let id = submit(&mut context, Request::read_at(&reader, Buffer::new(LEN), 0));
    // SAFETY: Tests run one after the other on a device, and the allocator is usable
    // in a child, which does not return.
    let pid = unsafe { libc::fork() };
    assert!(pid >= 0);
    if pid == 0 {
        let test = std::panic::AssertUnwindSafe(|| child(context, id));
        let passed = std::panic::catch_unwind(test).unwrap_or(false);
        // SAFETY: The child is not to run anything else.
        unsafe { libc::_exit(i32::from(!passed)) };
    }
    let mut status = -1;
    // SAFETY: `status` is there to be written.
    assert_eq!(unsafe { libc::waitpid(pid, &mut status, 0) }, pid);
    assert_eq!(status, 0);
    writer.write_all(b"data").unwrap();
    let completion = next(&mut context);
    assert_eq!((completion.id, completion.result.unwrap()), (id, 4));
}

#[test]
fn contexts_that_are_not_used_cost_nothing_later() {
    need_device!();
    let (before, file) = (sysctl("raio-nr"), temp_file());
    for _ in 0..100 {
        let mut context = Context::new(4).unwrap();
        submit(&mut context, Request::write_at(&file, b"x"[..].into(), 0));
    }
    assert_eq!(sysctl("raio-nr"), before);
}
