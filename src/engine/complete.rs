// SPDX-License-Identifier: GPL-2.0

//! Completion: a request ends with one event, or gives back its credit.

use crate::{
    engine,
    request::{
        event_result,
        result_of,
        Over,
        Request, //
    },
    sys::{
        compat::ECANCELED,
        eventfd::EventFd,
        trace,
        uapi::io_event, //
    },
    window::Window, //
};
use kernel::prelude::*;

impl Request {
    /// Gives back what the request holds for its operation. Returns its eventfd.
    #[inline(always)]
    fn end_private(&mut self) -> Option<EventFd> {
        if self.private().has_to_leave() {
            engine::leave(self);
        }
        // The other fields mean nothing to the next user of the request.
        self.private().cred = None;
        let eventfd = self.private().eventfd.take();
        self.forget_file();
        eventfd
    }

    /// Whether the deadline was over before the request was.
    fn is_late(&mut self) -> bool {
        let deadline = &self.private().deadline;
        deadline.as_ref().is_some_and(|deadline| deadline.is_past())
    }

    /// Completes a request that was cancelled, with the bytes that it has moved. Any context.
    pub(crate) fn complete_cancelled(mut self) {
        let done = self.transfer().done();
        if self.is_late() {
            let event = self.shared().event_of_late(done);
            return self.complete_with(event);
        }
        self.complete(result_of(done, ECANCELED));
    }

    /// As [`Self::complete`], for a request with a deadline, which may have interrupted its wait.
    #[cold]
    fn complete_with_deadline(mut self, result: isize) {
        let ended = [ECANCELED, EINTR].map(|e| e.to_errno() as isize);
        let event = if ended.contains(&event_result(result)) && self.is_late() {
            self.shared().event_of_late(self.transfer().done())
        } else {
            self.shared().event(result)
        };
        self.complete_with(event);
    }

    /// Publishes the event of the request, and frees the request. Any context.
    #[inline]
    pub(crate) fn complete(mut self, result: isize) {
        if self.private().deadline.is_some() {
            return self.complete_with_deadline(result);
        }
        let event = self.shared().event(result);
        self.complete_with(event);
    }

    #[inline(always)]
    fn complete_with(mut self, event: io_event) {
        trace::complete(|| self.about(event.res as isize));
        Window::Publish.pass();
        let ended = self.is_ended();
        // Before the event: a program that sees the event may expect the file to be released. (A last
        // reference that is dropped in an interrupt is released a moment later.)
        let eventfd = self.end_private();
        let in_ring = !ended || self.shared().is_in_ring();
        if !ended {
            self.client().publish(event);
        }
        if let Some(eventfd) = eventfd.filter(|_| in_ring) {
            eventfd.signal();
        }
        engine::let_next_begin(self.client(), || self.client_arc());
        self.free();
    }

    /// As [`Self::complete`], for a request without an eventfd, under the lock of its file's wait
    /// queue. Wakes no task that could take that lock.
    pub(crate) fn complete_in_wake(mut self, result: isize) {
        let event = self.shared().event(result);
        trace::complete(|| self.about(event.res as isize));
        self.end_private();
        self.client().publish_in_wake(event, || self.client_arc());
        engine::let_next_begin(self.client(), || self.client_arc());
        self.free();
    }

    /// Ends the request and returns its event, which the submitter publishes with others, and a new
    /// request in its place. If an eventfd counts the event, publishes it instead and returns `None`.
    /// Process context.
    #[inline(always)]
    pub(crate) fn over(mut self, result: isize) -> Option<Over> {
        if self.private().eventfd.is_some() {
            self.complete(result);
            return None;
        }
        let event = self.shared().event(result);
        trace::complete(|| self.about(event.res as isize));
        self.end_private();
        let request = self.renew();
        Some(Over { request, event })
    }

    /// Frees the request and gives back its credit: it has no event in the ring. Process context.
    pub(crate) fn without_event(mut self) {
        self.end_private();
        self.client().give_back_credits(1);
        engine::let_next_begin(self.client(), || self.client_arc());
    }
}
