// SPDX-License-Identifier: GPL-2.0

//! Who meets whom. Each test tries all orders.

use crate::request::{Answer, File, Request};
use loom::thread;
use std::sync::{
    atomic::{AtomicUsize, Ordering::Relaxed},
    Arc,
};

type Actor = fn(&Request);

/// The first actor has the request; then all act at once.
fn explore(file: File, begin: Actor, actors: &'static [Actor]) {
    let count = Arc::new(AtomicUsize::new(0));
    let counter = count.clone();
    let mut model = loom::model::Builder::new();
    // All of them, whatever the environment says.
    model.preemption_bound = None;
    model.check(move || {
        counter.fetch_add(1, Relaxed);
        let request = Request::new(file);
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
        request.expect_over();
    });
    println!("{} interleavings", count.load(Relaxed));
}

fn run(request: &Request) {
    request.run();
}

fn wake(request: &Request) {
    request.wake();
}

fn wake_twice(request: &Request) {
    request.wake_for_nothing();
    request.wake();
}

fn work(request: &Request) {
    request.work();
}

fn cancel(request: &Request) {
    request.cancel();
}

fn driver(request: &Request) {
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

fn fire(request: &Request) {
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
