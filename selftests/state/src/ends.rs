// SPDX-License-Identifier: GPL-2.0

//! Who meets whom when the context of a request ends, or its deadline is over. Each test tries all orders.

use crate::{
    interleavings::{cancel, driver, explore_all, fire, run, wake, work, Actor},
    request::{Answer, End, File, Request},
};

fn destroy(request: &Request) {
    request.destroy();
}

fn due(request: &Request) {
    request.due();
}

/// Destroy waits for nobody but the page, the driver, and who runs it.
fn ended(request: &Request) {
    request.expect_ended();
}

fn ended_and_over(request: &Request) {
    request.expect_ended();
    request.expect_over();
}

fn late(request: &Request) {
    request.expect_late();
    request.expect_over();
}

/// As [`late`], where nothing else can have ended it.
fn late_for_certain(request: &Request) {
    request.expect_late();
    assert_eq!(request.expect_over(), End::Late);
}

fn finished(request: &Request) {
    assert_eq!(request.expect_over(), End::Result);
}

fn explore(file: File, begin: Actor, actors: &'static [Actor], expect: Actor) {
    explore_all((file, false), begin, actors, expect);
}

#[test]
fn destroy_and_arm() {
    explore(
        File::Polled,
        Request::issue,
        &[run, destroy],
        ended_and_over,
    );
}

/// All was cancelled before it began.
#[test]
fn destroy_and_a_submitter_who_arms() {
    explore(
        File::Polled,
        nothing,
        &[issue_and_run, destroy],
        ended_and_over,
    );
}

#[test]
fn destroy_and_a_wake() {
    explore(
        File::Polled,
        Request::issue,
        &[run, wake, destroy],
        ended_and_over,
    );
}

#[test]
fn destroy_and_a_result() {
    explore(
        File::Polled,
        Request::issue,
        &[run, fire, destroy],
        ended_and_over,
    );
}

#[test]
fn destroy_and_a_cancel() {
    explore(
        File::Polled,
        Request::issue,
        &[run, cancel, destroy],
        ended_and_over,
    );
}

#[test]
fn destroy_and_a_page_that_does_not_come() {
    explore(File::Paged, Request::issue, &[run, destroy], ended);
}

#[test]
fn destroy_and_a_page() {
    explore(
        File::Paged,
        Request::issue,
        &[run, wake, destroy],
        ended_and_over,
    );
}

#[test]
fn destroy_and_a_driver() {
    explore(
        File::Driven(Answer::Data),
        Request::issue,
        &[run, driver, destroy],
        ended_and_over,
    );
}

#[test]
fn destroy_and_a_driver_that_would_have_to_wait() {
    explore(
        File::Driven(Answer::Again),
        Request::issue,
        &[run, driver, destroy],
        ended_and_over,
    );
}

/// What is on a list is ended, or run, by one.
#[test]
fn destroy_and_a_worker() {
    explore(
        File::Done,
        Request::punt,
        &[work_once, destroy],
        ended_and_over,
    );
}

#[test]
fn destroy_and_a_submitter_who_punts() {
    explore(
        File::Done,
        nothing,
        &[Request::punt, destroy],
        ended_and_over,
    );
}

/// What was accepted is done, by whoever comes.
#[test]
fn destroy_and_what_was_accepted() {
    explore_all(
        (File::Done, true),
        nothing,
        &[Request::punt, work_once, destroy],
        finished,
    );
}

#[test]
fn destroy_and_what_was_accepted_and_a_driver_refused() {
    explore_all(
        (File::Driven(Answer::Again), true),
        Request::issue,
        &[run, driver, destroy],
        finished,
    );
}

#[test]
fn a_deadline_and_arm() {
    explore(File::Polled, Request::issue, &[run, due], late_for_certain);
}

#[test]
fn a_deadline_and_a_wake() {
    explore(File::Polled, Request::issue, &[run, wake, due], late);
}

#[test]
fn a_deadline_and_a_result() {
    explore(File::Polled, Request::issue, &[run, fire, due], late);
}

#[test]
fn a_deadline_and_a_cancel() {
    explore(File::Polled, Request::issue, &[run, cancel, due], late);
}

#[test]
fn a_deadline_and_a_page_that_does_not_come() {
    explore(File::Paged, Request::issue, &[run, due], ended_late);
}

#[test]
fn a_deadline_and_a_page() {
    explore(File::Paged, Request::issue, &[run, wake, due], late);
}

#[test]
fn a_deadline_and_a_driver() {
    explore(
        File::Driven(Answer::Data),
        Request::issue,
        &[run, driver, due],
        late,
    );
}

/// It goes from the driver to a list just then.
#[test]
fn a_deadline_and_a_driver_that_would_have_to_wait() {
    explore(
        File::Driven(Answer::Again),
        Request::issue,
        &[run, driver, due],
        late,
    );
}

/// From the submitter to a list.
#[test]
fn a_deadline_and_a_run_that_punts() {
    explore(
        File::Polled,
        Request::issue,
        &[run_and_punt, due],
        late_for_certain,
    );
}

#[test]
fn a_deadline_and_a_worker() {
    explore(
        File::Polled,
        Request::punt,
        &[work_once, due],
        late_for_certain,
    );
}

#[test]
fn a_deadline_and_destroy() {
    explore(File::Polled, Request::issue, &[run, due, destroy], late);
}

#[test]
fn a_deadline_and_destroy_and_a_page() {
    explore(
        File::Paged,
        Request::issue,
        &[run, due, destroy],
        ended_late,
    );
}

fn ended_late(request: &Request) {
    request.expect_late();
}

fn issue_and_run(request: &Request) {
    request.issue();
    request.run();
}

fn work_once(request: &Request) {
    work(request);
}

fn run_and_punt(request: &Request) {
    request.run_and_punt();
}

fn nothing(_: &Request) {}
