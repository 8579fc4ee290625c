// SPDX-License-Identifier: MIT OR Apache-2.0

use super::Context;
use crate::{
    registered::Registered, sys, wait::address, Error, ErrorKind, Limit, Rejected, Request,
    RequestId, Result,
};
use std::{collections::VecDeque, iter};

const SUBMIT: &str = "RAIO_IOC_SUBMIT";

impl Context {
    /// Submits requests from the front of the queue: as many as the context
    /// has room for and the kernel takes.  Says how many, and leaves the rest
    /// in the queue.
    ///
    /// An error is that of the first request of the queue, and nothing was
    /// taken.
    pub fn submit(&mut self, queue: &mut VecDeque<Request<'_>>) -> Result<usize> {
        self.submitted.clear();
        self.in_this_process(SUBMIT)?;
        self.stage(queue)?;
        let Some(first) = queue.front().filter(|_| !self.batch.is_empty()) else {
            return Ok(0);
        };
        let taken = self.submit_batch(first)?;
        let taken = taken.min(self.batch.len());
        self.hold(queue, taken);
        Ok(taken)
    }

    /// Stages what can be submitted of the queue, up to what this module is too old for.
    pub(super) fn stage(&mut self, queue: &VecDeque<Request<'_>>) -> Result<()> {
        let features = self.device.features;
        if let Some(what) = queue.front().and_then(|first| first.lacks(features)) {
            return Err(Error::older(SUBMIT, what));
        }
        let known = queue
            .iter()
            .take_while(|request| request.lacks(features).is_none());
        self.slots
            .stage(known, &self.registered, features, &mut self.batch);
        Ok(())
    }

    /// Submits one request.  What can't be submitted is given back.
    pub fn submit_one<'fd>(
        &mut self,
        request: Request<'fd>,
    ) -> std::result::Result<RequestId, Rejected<'fd>> {
        self.submitted.clear();
        if let Err(error) = self.in_this_process(SUBMIT) {
            return Err(Rejected::new(request, error));
        }
        if let Some(what) = request.lacks(self.device.features) {
            return Err(Rejected::new(request, Error::older(SUBMIT, what)));
        }
        let full = || Error::errno(SUBMIT, ErrorKind::Full, libc::EAGAIN);
        self.slots.stage(
            iter::once(&request),
            &self.registered,
            self.device.features,
            &mut self.batch,
        );
        if self.batch.is_empty() {
            return Err(Rejected::new(request, full()));
        }
        match self.submit_batch(&request) {
            Ok(0) => Err(Rejected::new(request, full())),
            Ok(_) => {
                // Staging has found room.
                let id = self.slots.hold(request).expect("there was room");
                self.submitted.push(id);
                Ok(id)
            }
            Err(error) => Err(Rejected::new(request, error)),
        }
    }

    /// The names of the requests that the last submission has taken, in their order.
    pub fn submitted(&self) -> &[RequestId] {
        &self.submitted
    }

    /// Submits what was staged, of which this is the first.  What the kernel takes is
    /// in flight, and the caller has to `hold` it.
    fn submit_batch(&mut self, first: &Request<'_>) -> Result<usize> {
        let mut arg = sys::raio_submit {
            ctx_id: self.id,
            nr: self.batch.len() as i64,
            iocbpp: address(&self.batch[..]),
            flags: 0,
        };
        // SAFETY: The iocbs are in slots, which stay where they are and are written
        // by no code until their requests have ended.  The buffers they name are
        // exclusively the requests', which leave their owner only into these slots;
        // vectors are so as well.
        unsafe {
            self.device.call_shortly(
                SUBMIT,
                sys::RAIO_ADVISE_SUBMIT,
                sys::RAIO_IOC_SUBMIT,
                &mut arg,
            )
        }
        .map_err(|error| explain_submit(error, first, &self.registered))
    }

    /// Moves the requests that the kernel has taken into their slots.
    pub(super) fn hold(&mut self, queue: &mut VecDeque<Request<'_>>, taken: usize) {
        for _ in 0..taken {
            let Some(request) = queue.pop_front() else {
                return;
            };
            self.submitted.extend(self.slots.hold(request));
        }
    }
}

/// What an error of submit means, which is that of the first request.
pub(super) fn explain_submit(error: Error, first: &Request<'_>, registered: &Registered) -> Error {
    let segments = first.segments();
    match error.raw_os_error() {
        Some(libc::EAGAIN) => error.with_kind(ErrorKind::Full),
        Some(libc::EBADF) if first.lacks_file(registered) => {
            error.with_kind(ErrorKind::NotRegistered)
        }
        Some(libc::EINVAL) if segments > Request::MAX_SEGMENTS => {
            error.with_kind(ErrorKind::Limit(Limit::Segments {
                wanted: segments,
                max: Request::MAX_SEGMENTS,
            }))
        }
        _ => error,
    }
}
