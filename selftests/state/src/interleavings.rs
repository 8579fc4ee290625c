// SPDX-License-Identifier: GPL-2.0

//! Who meets whom. Each test tries all orders.

use crate::{
    check_bounded,
    request::{Answer, File, Request},
};
use loom::thread;

pub(crate) type Actor = fn(&Request);

/// The first actor has the request; then all act at once. Then `expect` looks.
pub(crate) fn explore_all(
    request: (File, bool),
    begin: Actor,
    actors: &'static [Actor],
    expect: Actor,
) {
    let (file, accepted) = request;
    check_bounded((actors.len() > 2).then_some(4), move || {
        let request = Request::new(file, accepted);
        begin(&request);
        let threads: Vec<_> = actors[1..]
            .iter()
            .map(|actor| {
                let request = request.clone();
                thread::spawn(move || actor(&request))
            })
            .collect();
        actors[0](&request);
        for thread in threads {
            thread.join().unwrap();
        }
        expect(&request);
    });
}

fn explore(file: File, begin: Actor, actors: &'static [Actor]) {
    explore_all((file, false), begin, actors, over);
}

fn over(request: &Request) {
    request.expect_over();
}

pub(crate) fn run(request: &Request) {
    request.run();
}

pub(crate) fn wake(request: &Request) {
    request.wake();
}

fn wake_twice(request: &Request) {
    request.wake_for_nothing();
    request.wake();
}

pub(crate) fn work(request: &Request) {
    request.work();
}

pub(crate) fn cancel(request: &Request) {
    request.cancel();
}

pub(crate) fn driver(request: &Request) {
    request.driver();
}

#[test]
fn a_wake_is_not_lost() {
    explore(File::Polled, Request::issue, &[run, wake]);
}

#[test]
fn nor_is_one_after_another() {
    explore(File::Polled, Request::issue, &[run, wake_twice]);
}

#[test]
fn a_woken_request_is_run_by_one() {
    explore(File::Polled, Request::issue, &[run, wake_twice, work]);
}

#[test]
fn two_wakers() {
    explore(
        File::Polled,
        Request::issue,
        &[run, wake, Request::wake_for_nothing],
    );
}

/// Whoever comes too late to cancel it leaves word, and nobody arms it any more.
#[test]
fn a_cancel_alone() {
    explore(File::Polled, Request::issue, &[run, cancel]);
}

#[test]
fn a_wake_and_a_cancel() {
    explore(File::Polled, Request::issue, &[run, wake, cancel]);
}

pub(crate) fn fire(request: &Request) {
    request.fire();
}

#[test]
fn a_wake_that_is_the_result() {
    explore(File::Polled, Request::issue, &[run, fire]);
}

#[test]
fn a_result_and_a_cancel() {
    explore(File::Polled, Request::issue, &[run, fire, cancel]);
}

#[test]
fn two_results() {
    explore(File::Polled, Request::issue, &[run, fire, fire]);
}

#[test]
fn a_result_and_a_wake() {
    explore(
        File::Polled,
        Request::issue,
        &[run, fire, Request::wake_for_nothing],
    );
}

#[test]
fn two_cancels() {
    explore(
        File::Polled,
        Request::issue,
        &[run_and_wake, cancel, cancel],
    );
}

fn run_and_wake(request: &Request) {
    request.run();
    request.wake();
}

#[test]
fn a_page() {
    explore(File::Paged, Request::issue, &[run, wake]);
}

#[test]
fn a_page_and_a_cancel() {
    explore(File::Paged, Request::issue, &[run, wake, cancel]);
}

#[test]
fn a_page_and_two_cancels() {
    explore(File::Paged, Request::issue, &[run_and_wake, cancel, cancel]);
}

#[test]
fn a_driver() {
    explore(File::Driven(Answer::Data), Request::issue, &[run, driver]);
}

#[test]
fn a_driver_and_a_cancel() {
    explore(
        File::Driven(Answer::Data),
        Request::issue,
        &[run, driver, cancel],
    );
}

#[test]
fn a_driver_that_would_have_to_wait() {
    explore(
        File::Driven(Answer::Again),
        Request::issue,
        &[run, driver, work],
    );
}

#[test]
fn a_driver_that_would_have_to_wait_and_a_cancel() {
    explore(
        File::Driven(Answer::Again),
        Request::issue,
        &[run, driver, cancel],
    );
}

#[test]
fn two_workers_and_a_cancel() {
    explore(File::Polled, Request::punt, &[work_and_wake, work, cancel]);
}

fn work_and_wake(request: &Request) {
    request.work();
    request.wake();
}
