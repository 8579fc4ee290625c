// SPDX-License-Identifier: MIT OR Apache-2.0

use super::{next, run, submit};
use crate::{
    common::{bytes_in, pipe},
    need_device,
};
use raio::{Buffer, Context, ErrorKind, Request};
use std::io::Write;

#[test]
fn a_waiting_read_ends_and_takes_nothing() {
    need_device!();
    let (mut context, (reader, mut writer)) = (Context::new(2).unwrap(), pipe());
    let request = Request::read_at(&reader, Buffer::new(8), 0).with_user_data(7);
    let id = submit(&mut context, request);
    let completion = context.cancel(id).unwrap();
    assert!(completion.is_cancelled());
    assert_eq!((completion.id, completion.user_data), (id, 7));
    assert_eq!(completion.buffer.unwrap().len(), 8);
    assert_eq!(context.in_flight(), 0);
    writer.write_all(b"data").unwrap();
    assert_eq!(bytes_in(&reader), 4);
    assert_eq!(context.cancel(id).unwrap_err().kind(), ErrorKind::Gone);
}

#[test]
fn what_has_ended_comes_by_getevents() {
    need_device!();
    let mut context = Context::new(2).unwrap();
    let id = submit(&mut context, Request::noop());
    assert_eq!(context.cancel(id).unwrap_err().kind(), ErrorKind::Running);
    assert_eq!(next(&mut context).id, id);
    assert_eq!(context.cancel(id).unwrap_err().kind(), ErrorKind::Gone);
}

#[test]
fn an_old_name_cancels_nobody() {
    need_device!();
    let (mut context, (reader, mut writer)) = (Context::new(1).unwrap(), pipe());
    let old = run(&mut context, Request::noop()).id;
    let mut other = Context::new(1).unwrap();
    let others = submit(&mut other, Request::noop());
    // The only slot has the next one now.
    let id = submit(&mut context, Request::read_at(&reader, Buffer::new(8), 0));
    for name in [old, others] {
        assert_eq!(context.cancel(name).unwrap_err().kind(), ErrorKind::Gone);
    }
    writer.write_all(b"data").unwrap();
    let completion = next(&mut context);
    assert_eq!((completion.id, completion.result.unwrap()), (id, 4));
}

#[test]
fn with_cancel_event_the_completion_is_in_the_ring() {
    need_device!();
    let mut context = Context::builder(2).cancel_event().build().unwrap();
    let (reader, _writer) = pipe();
    let id = submit(&mut context, Request::read_at(&reader, Buffer::new(8), 0));
    assert_eq!(context.cancel(id).unwrap_err().kind(), ErrorKind::Cancelled);
    let completion = next(&mut context);
    assert!(completion.id == id && completion.is_cancelled());
    assert!(completion.buffer.is_some());
}

#[test]
fn all_are_cancelled_that_can_be() {
    need_device!();
    let (mut context, (reader, _writer)) = (Context::new(8).unwrap(), pipe());
    for _ in 0..5 {
        submit(&mut context, Request::read_at(&reader, Buffer::new(8), 0));
    }
    submit(&mut context, Request::noop());
    let mut completions = Vec::new();
    assert_eq!(context.cancel_all(&mut completions).unwrap(), 5);
    assert!(completions
        .iter()
        .all(|completion| completion.is_cancelled()));
    assert_eq!(context.in_flight(), 1);
    assert!(next(&mut context).result.is_ok());
}

#[test]
fn a_cancel_that_meets_the_data_has_one_completion() {
    need_device!();
    let (mut context, (reader, mut writer)) = (Context::new(2).unwrap(), pipe());
    for _ in 0..2000 {
        let id = submit(&mut context, Request::read_at(&reader, Buffer::new(1), 0));
        let mut other = writer.try_clone().unwrap();
        let thread = std::thread::spawn(move || other.write_all(b"x").unwrap());
        let completion = match context.cancel(id) {
            Ok(completion) => completion,
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Running);
                next(&mut context)
            }
        };
        thread.join().unwrap();
        // The byte is in the buffer or in the pipe.
        assert_eq!(completion.result.is_ok(), bytes_in(&reader) == 0);
        assert_eq!(context.in_flight(), 0);
        if completion.is_cancelled() {
            run(&mut context, Request::read_at(&reader, Buffer::new(1), 0));
        }
    }
    writer.flush().unwrap();
}
