// SPDX-License-Identifier: MIT OR Apache-2.0

use super::{next, run, submit};
use crate::{
    common::{pipe, temp_file},
    need_device,
};
use raio::{Buffer, Context, ErrorKind, Limit, Output, Readiness, Request};
use std::{
    fs::File,
    io::{self, Write},
    os::fd::AsFd,
};

const LEN: usize = 2 * Buffer::ALIGN;

fn file_of(bytes: &[u8]) -> File {
    let mut file = temp_file();
    file.write_all(bytes).unwrap();
    file
}

fn protect(address: *const u8, protection: libc::c_int) {
    // SAFETY: They are the pages of a buffer, which nobody uses as long as they are not
    // accessible.
    let ret = unsafe { libc::mprotect(address.cast_mut().cast(), LEN, protection) };
    assert_eq!(ret, 0);
}

/// Reads into the buffer while its pages are out of reach for all who look at
/// addresses: what is registered is known by its index.
fn read_hidden(context: &mut Context, file: &File, buffer: Buffer) -> (io::Result<usize>, Buffer) {
    let address = buffer.as_ptr();
    protect(address, libc::PROT_NONE);
    let (result, buffer) = match context.submit_one(Request::read_at(file, buffer, 0)) {
        Ok(_) => {
            let completion = next(context);
            (completion.result, completion.buffer)
        }
        Err(rejected) => {
            let (request, error) = rejected.into_parts();
            (Err(error.into_io_error()), request.into_buffer())
        }
    };
    protect(address, libc::PROT_READ | libc::PROT_WRITE);
    (result, buffer.expect("a read has one"))
}

fn expect_known(context: &mut Context, file: &File, buffer: Buffer) -> Buffer {
    let (result, buffer) = read_hidden(context, file, buffer);
    let len = result.unwrap();
    assert_eq!(&buffer[..len], b"database");
    buffer
}

fn expect_plain(context: &mut Context, file: &File, buffer: Buffer) -> Buffer {
    let (result, buffer) = read_hidden(context, file, buffer);
    assert_eq!(result.unwrap_err().raw_os_error(), Some(libc::EFAULT));
    let read = run(context, Request::read_at(file, buffer, 0));
    assert_eq!(read.result.unwrap(), 8);
    read.buffer.unwrap()
}

#[test]
fn registered_buffers_are_known_to_their_context() {
    need_device!();
    let (mut context, file) = (Context::new(4).unwrap(), file_of(b"database"));
    let mut buffers = [Buffer::new(LEN), Buffer::new(0), Buffer::new(LEN)];
    context.register_buffers(&mut buffers).unwrap();
    let [first, empty, second] = buffers;
    let second = expect_known(&mut context, &file, second);
    let first = expect_known(&mut context, &file, first);
    expect_plain(&mut context, &file, Buffer::new(LEN));
    let read = run(&mut context, Request::read_at(&file, empty, 0));
    assert_eq!(read.result.unwrap(), 0);

    let mut other = Context::new(4).unwrap();
    let first = expect_plain(&mut other, &file, first);
    let vector = Request::read_vectored_at(&file, vec![first, second], 0);
    let mut read = run(&mut context, vector);
    assert_eq!(read.result.unwrap(), 8);

    // To whom it is registered last.
    other.register_buffers(&mut read.buffers[..1]).unwrap();
    let first = read.buffers.swap_remove(0);
    let first = expect_known(&mut other, &file, first);
    expect_plain(&mut context, &file, first);
}

#[test]
fn a_registered_buffer_is_so_to_its_capacity() {
    need_device!();
    let (mut context, file) = (Context::new(4).unwrap(), file_of(&[7; LEN]));
    let mut buffers = [Buffer::new(LEN)];
    buffers[0].set_len(1);
    context.register_buffers(&mut buffers).unwrap();
    let [mut buffer] = buffers;
    buffer.set_len(LEN);
    let (result, mut buffer) = read_hidden(&mut context, &file, buffer);
    assert_eq!(result.unwrap(), LEN);
    assert!(buffer.iter().all(|&byte| byte == 7));
    buffer.fill(5);
    buffer.set_len(LEN - 1);
    let write = run(&mut context, Request::write_at(&file, buffer, 1));
    assert_eq!(write.result.unwrap(), LEN - 1);
    let read = run(&mut context, Request::read_at(&file, Buffer::new(LEN), 0));
    let buffer = read.buffer.unwrap();
    assert_eq!(buffer[0], 7);
    assert!(buffer[1..].iter().all(|&byte| byte == 5));
}

#[test]
fn an_index_is_not_the_next_registration_s() {
    need_device!();
    let (mut context, file) = (Context::new(4).unwrap(), file_of(b"database"));
    let mut old = [Buffer::new(LEN)];
    context.register_buffers(&mut old).unwrap();
    context.unregister_buffers().unwrap();
    let [old] = old;
    let old = expect_plain(&mut context, &file, old);
    let mut new = [Buffer::new(LEN)];
    context.register_buffers(&mut new).unwrap();
    let [new] = new;
    expect_plain(&mut context, &file, old);
    expect_known(&mut context, &file, new);
}

#[test]
fn what_is_unregistered_is_there_until_its_requests_end() {
    need_device!();
    let (mut context, (reader, mut writer)) = (Context::new(4).unwrap(), pipe());
    let mut buffers = [Buffer::new(LEN)];
    context.register_buffers(&mut buffers).unwrap();
    let fixed = context.register_files(&[reader]).unwrap()[0];
    let [buffer] = buffers;
    submit(&mut context, Request::read_at(fixed, buffer, 0));
    context.unregister_buffers().unwrap();
    context.unregister_files().unwrap();
    writer.write_all(b"data").unwrap();
    let read = next(&mut context);
    assert_eq!(read.result.unwrap(), 4);
    assert_eq!(&read.buffer.unwrap()[..4], b"data");
}

#[test]
fn they_are_registered_once() {
    need_device!();
    let (mut context, file) = (Context::new(4).unwrap(), file_of(b"database"));
    let none = |error: raio::Error| {
        assert_eq!(error.kind(), ErrorKind::NotRegistered);
        assert_eq!(error.call(), "RAIO_IOC_REGISTER");
    };
    none(context.unregister_buffers().unwrap_err());
    none(context.unregister_files().unwrap_err());
    let mut buffers = [Buffer::new(LEN)];
    context.register_buffers(&mut buffers).unwrap();
    let fixed = context.register_files(&[&file]).unwrap()[0];
    let mut others = [Buffer::new(LEN)];
    let busy = context.register_buffers(&mut others).unwrap_err();
    assert_eq!(busy.raw_os_error(), Some(libc::EBUSY));
    let busy = context.register_files(&[&file, &file]).unwrap_err();
    assert_eq!(busy.raw_os_error(), Some(libc::EBUSY));
    // And nothing has changed.
    let ([buffer], [other]) = (buffers, others);
    expect_known(&mut context, &file, buffer);
    expect_plain(&mut context, &file, other);
    assert!(run(&mut context, Request::fsync(fixed)).result.is_ok());
    context.unregister_buffers().unwrap();
    context.unregister_files().unwrap();
    none(context.unregister_buffers().unwrap_err());
    none(context.unregister_files().unwrap_err());
}

#[test]
fn a_registered_file_takes_every_request() {
    need_device!();
    let mut context = Context::new(4).unwrap();
    let (reader, writer) = pipe();
    let files = [file_of(b"database"), reader, writer];
    let [file, reader, writer] = context.register_files(&files).unwrap()[..] else {
        panic!("not as many");
    };
    // The context has them open.
    drop(files);
    let read = run(&mut context, Request::read_at(file, Buffer::new(64), 4));
    assert_eq!(read.result.unwrap(), 4);
    assert_eq!(&read.buffer.unwrap()[..4], b"base");
    let parts = vec![b"post"[..].into(), b"gres"[..].into()];
    let write = run(&mut context, Request::write_vectored_at(file, parts, 2));
    assert_eq!(write.result.unwrap(), 8);
    for request in [Request::fsync(file), Request::fdsync(file)] {
        assert_eq!(run(&mut context, request).output().unwrap(), Output::Done);
    }
    let parts = vec![Buffer::new(2), Buffer::new(8)];
    let read = run(&mut context, Request::read_vectored_at(file, parts, 0));
    assert_eq!(read.result.unwrap(), 10);
    assert_eq!(&read.buffers[1][..], b"postgres");

    submit(&mut context, Request::poll(reader, Readiness::IN));
    let write = context.submit_one(Request::write_at(writer, b"x"[..].into(), 0));
    assert!(write.is_ok());
    let mut completions = Vec::new();
    assert_eq!(context.getevents(2, None, &mut completions).unwrap(), 2);
    assert!(completions
        .iter()
        .any(|completion| matches!(completion.output(), Ok(Output::Ready(ready)) if ready.contains(Readiness::IN))));
}

#[test]
fn a_file_is_that_of_one_registration() {
    need_device!();
    let (mut context, mut other) = (Context::new(4).unwrap(), Context::new(4).unwrap());
    let (file, secret) = (file_of(b"database"), file_of(b"password"));
    let fixed = context.register_files(&[&file]).unwrap()[0];
    let expect_refused = |context: &mut Context| {
        let rejected = context
            .submit_one(Request::read_at(fixed, Buffer::new(8), 0))
            .unwrap_err();
        assert_eq!(rejected.error().kind(), ErrorKind::NotRegistered);
        let (request, error) = rejected.into_parts();
        assert_eq!(error.raw_os_error(), Some(libc::EBADF));
        assert_eq!(request.into_buffer().unwrap()[..], [0; 8]);
    };
    expect_refused(&mut other);
    other.register_files(&[&secret]).unwrap();
    expect_refused(&mut other);
    context.unregister_files().unwrap();
    expect_refused(&mut context);
    context.register_files(&[&secret]).unwrap();
    expect_refused(&mut context);

    // What the kernel says of a file that there is, is another error.
    let read_only = File::open("/dev/null").unwrap();
    context.unregister_files().unwrap();
    let fixed = context.register_files(&[&read_only]).unwrap()[0];
    let rejected = context
        .submit_one(Request::write_at(fixed, Buffer::new(1), 0))
        .unwrap_err();
    assert_eq!(rejected.error().kind(), ErrorKind::Os);
    assert_eq!(rejected.error().raw_os_error(), Some(libc::EBADF));
}

#[test]
fn bad_registrations_leave_nothing() {
    need_device!();
    let (mut context, file) = (Context::new(4).unwrap(), file_of(b"database"));
    let max = Context::MAX_BUFFERS;
    let mut many: Vec<_> = (0..max + 1).map(|_| Buffer::from(vec![1])).collect();
    let error = context.register_buffers(&mut many).unwrap_err();
    let wanted = max + 1;
    assert_eq!(error.limit(), Some(Limit::Buffers { wanted, max }));
    context.register_buffers(&mut []).unwrap_err();
    let no_files: [File; 0] = [];
    context.register_files(&no_files).unwrap_err();
    // A device of raio's is not for requests.
    let device = Context::new(1).unwrap();
    let error = context
        .register_files(&[file.as_fd(), device.as_fd()])
        .unwrap_err();
    assert_eq!(error.raw_os_error(), Some(libc::EINVAL));
    assert_eq!(
        context.unregister_buffers().unwrap_err().kind(),
        ErrorKind::NotRegistered
    );
    assert_eq!(
        context.unregister_files().unwrap_err().kind(),
        ErrorKind::NotRegistered
    );
}
