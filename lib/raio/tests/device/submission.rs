// SPDX-License-Identifier: MIT OR Apache-2.0

use super::{next, run, submit};
use crate::{
    common::{pipe, temp_file},
    need_device,
};
use raio::{Buffer, Context, ErrorKind, Request};
use std::{
    collections::VecDeque,
    fs::{self, File},
    io::Write,
    os::fd::{AsFd, AsRawFd},
    thread,
    time::Duration,
};

fn noops(nr: u64) -> VecDeque<Request<'static>> {
    (0..nr)
        .map(|word| Request::noop().with_user_data(word))
        .collect()
}

#[test]
fn a_long_queue_is_taken_in_parts() {
    need_device!();
    let (mut context, mut queue) = (Context::new(8).unwrap(), noops(100));
    let (mut completions, mut submitted) = (Vec::new(), 0);
    while !queue.is_empty() || context.in_flight() > 0 {
        let taken = context.submit(&mut queue).unwrap();
        assert_eq!(context.submitted().len(), taken);
        submitted += taken;
        assert!(context.in_flight() <= context.capacity());
        context.getevents(1, None, &mut completions).unwrap();
    }
    assert_eq!(submitted, 100);
    let mut words: Vec<_> = completions.iter().map(|c| c.user_data).collect();
    words.sort_unstable();
    assert_eq!(words, (0..100).collect::<Vec<_>>());
}

/// A context that has taken all it has room for, by requests that do not end.
fn full(reader: &File) -> Context {
    let mut context = Context::new(3).unwrap();
    for _ in 0..3 {
        submit(&mut context, Request::read_at(reader, Buffer::new(8), 0));
    }
    context
}

#[test]
fn a_full_context_gives_requests_back() {
    need_device!();
    let (reader, _writer) = pipe();
    let mut context = full(&reader);
    assert_eq!(context.room(), 0);
    let mut queue = noops(2);
    assert_eq!(context.submit(&mut queue).unwrap(), 0);
    assert_eq!(queue.len(), 2);
    let request = Request::write_at(&reader, b"mine"[..].into(), 0);
    let (request, error) = context.submit_one(request).unwrap_err().into_parts();
    assert_eq!(error.kind(), ErrorKind::Full);
    assert_eq!(&request.into_buffer().unwrap()[..], b"mine");
}

#[test]
fn the_first_bad_request_ends_a_batch() {
    need_device!();
    let (mut context, (reader, writer)) = (Context::new(8).unwrap(), pipe());
    // Not open for that.
    let bad = || Request::write_at(&reader, b"mine"[..].into(), 0);
    let mut queue = noops(2);
    queue.push_back(bad());
    queue.push_back(Request::write_at(&writer, b"x"[..].into(), 0));
    assert_eq!(context.submit(&mut queue).unwrap(), 2);
    let error = context.submit(&mut queue).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(libc::EBADF));
    assert!(context.submitted().is_empty());
    assert_eq!((queue.len(), context.in_flight()), (2, 2));
    let buffer = queue.pop_front().unwrap().into_buffer().unwrap();
    assert_eq!(&buffer[..], b"mine");
    assert_eq!(context.submit(&mut queue).unwrap(), 1);
}

#[test]
fn submit_and_getevents_does_both() {
    need_device!();
    let (mut context, mut completions) = (Context::new(8).unwrap(), Vec::new());
    let mut queue = noops(5);
    let done = context
        .submit_and_getevents(&mut queue, 5, None, &mut completions)
        .unwrap();
    assert_eq!((done.submitted, done.completed), (5, 5));
    assert_eq!((completions.len(), queue.len()), (5, 0));
    // Nothing to submit, nothing in flight.
    let done = context
        .submit_and_getevents(&mut queue, 5, None, &mut completions)
        .unwrap();
    assert_eq!((done.submitted, done.completed), (0, 0));
}

#[test]
fn submit_and_getevents_waits_for_no_more_than_was_taken() {
    need_device!();
    let (mut context, (reader, _writer)) = (Context::new(8).unwrap(), pipe());
    let (mut queue, mut completions) = (noops(2), Vec::new());
    queue.push_back(Request::write_at(&reader, b"x"[..].into(), 0));
    queue.extend(noops(2));
    let done = context
        .submit_and_getevents(&mut queue, 5, None, &mut completions)
        .unwrap();
    assert_eq!((done.submitted, done.completed, queue.len()), (2, 2, 3));
    let error = context
        .submit_and_getevents(&mut queue, 5, None, &mut completions)
        .unwrap_err();
    assert_eq!(error.raw_os_error(), Some(libc::EBADF));
    assert_eq!((error.call(), queue.len()), ("RAIO_IOC_ENTER", 3));
}

#[test]
fn submit_and_getevents_waits_for_what_was_taken() {
    need_device!();
    let (mut context, (reader, mut writer)) = (Context::new(8).unwrap(), pipe());
    let (_, other_writer) = pipe();
    let mut queue = VecDeque::from([
        Request::read_at(&reader, Buffer::new(1), 0),
        // Open for writing only.
        Request::read_at(&other_writer, Buffer::new(1), 0),
    ]);
    let mut completions = Vec::new();
    let info = format!("/proc/self/fdinfo/{}", context.as_fd().as_raw_fd());
    let late = thread::spawn(move || {
        while !fs::read_to_string(&info).unwrap().contains(" armed=1 ") {
            thread::yield_now();
        }
        writer.write_all(b"x").unwrap();
    });
    let done = context
        .submit_and_getevents(&mut queue, 1, None, &mut completions)
        .unwrap();
    assert_eq!((done.submitted, done.completed, queue.len()), (1, 1, 1));
    late.join().unwrap();
}

#[test]
fn a_timeout_ends_the_wait() {
    need_device!();
    let (reader, _writer) = pipe();
    let (mut context, mut completions) = (full(&reader), Vec::new());
    let timeout = Some(Duration::from_millis(1));
    assert_eq!(context.getevents(3, timeout, &mut completions).unwrap(), 0);
    let done = context
        .submit_and_getevents(&mut noops(1), 1, timeout, &mut completions)
        .unwrap();
    assert_eq!((done.submitted, done.completed), (0, 0));
}

#[test]
fn what_is_in_the_ring_is_taken_without_a_call() {
    need_device!();
    let mut context = Context::new(100).unwrap();
    let file = context.as_fd().try_clone_to_owned().unwrap();
    let null = File::open("/dev/null").unwrap();
    let number = context.as_fd().as_raw_fd();
    // SAFETY: Nobody else uses the number meanwhile; it is the context's again below.
    let replace = |fd| assert_eq!(unsafe { libc::dup3(fd, number, libc::O_CLOEXEC) }, number);
    let mut words = Vec::new();
    // The ring goes round, and the kernel has to see that it has room.
    for round in 0..20 {
        let mut queue = noops(100);
        assert_eq!(context.submit(&mut queue).unwrap(), 100, "round {round}");
        let mut completions = Vec::new();
        replace(null.as_raw_fd());
        let nr = context.getevents(100, None, &mut completions);
        replace(file.as_raw_fd());
        assert_eq!(nr.unwrap(), 100);
        words.extend(completions.iter().map(|completion| completion.user_data));
    }
    assert!(words
        .chunks(100)
        .all(|words| words.iter().copied().eq(0..100)));
}

#[test]
fn a_context_can_be_polled() {
    need_device!();
    let mut context = Context::new(4).unwrap();
    let readable = |context: &Context| {
        let mut fd = libc::pollfd {
            fd: context.as_fd().as_raw_fd(),
            events: libc::POLLIN,
            revents: 0,
        };
        // SAFETY: It is one.
        assert!(unsafe { libc::poll(&mut fd, 1, 0) } >= 0);
        fd.revents & libc::POLLIN != 0
    };
    assert!(!readable(&context));
    submit(&mut context, Request::noop());
    assert!(readable(&context));
    next(&mut context);
    assert!(!readable(&context));
}

#[test]
fn many_requests_of_a_file_are_all_right() {
    need_device!();
    let (mut context, file) = (Context::new(16).unwrap(), temp_file());
    let mut queue: VecDeque<_> = (0..64u64)
        .map(|n| Request::write_at(&file, vec![n as u8; 1000].into(), n * 1000))
        .collect();
    let mut completions = Vec::new();
    while !queue.is_empty() || context.in_flight() > 0 {
        context
            .submit_and_getevents(&mut queue, 1, None, &mut completions)
            .unwrap();
    }
    assert_eq!(completions.len(), 64);
    let read = run(
        &mut context,
        Request::read_at(&file, Buffer::new(64_000), 0),
    );
    assert_eq!(read.result.unwrap(), 64_000);
    let buffer = read.buffer.unwrap();
    assert!(buffer
        .chunks(1000)
        .zip(0..)
        .all(|(chunk, n)| chunk.iter().all(|&byte| byte == n)));
}

#[test]
fn a_signal_that_the_mask_lets_through_ends_the_wait() {
    need_device!();
    extern "C" fn nothing(_: libc::c_int) {}
    let (reader, _writer) = pipe();
    let mut context = full(&reader);
    let mut completions = Vec::new();
    // SAFETY: Sets are initialised before they are used; the handler does nothing; the
    // signal is this thread's.
    let error = unsafe {
        let mut set = std::mem::zeroed();
        libc::sigemptyset(&mut set);
        let open = set;
        libc::sigaddset(&mut set, libc::SIGUSR1);
        libc::pthread_sigmask(libc::SIG_BLOCK, &set, std::ptr::null_mut());
        let handler = nothing as extern "C" fn(libc::c_int);
        libc::signal(libc::SIGUSR1, handler as libc::sighandler_t);
        libc::pthread_kill(libc::pthread_self(), libc::SIGUSR1);
        context
            .getevents_masked(1, None, &open, &mut completions)
            .unwrap_err()
    };
    assert_eq!(error.kind(), ErrorKind::Interrupted);
}
