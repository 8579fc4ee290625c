// SPDX-License-Identifier: MIT OR Apache-2.0

use super::Context;
use crate::{sys, Completion, Error, ErrorKind, RequestId, Result};
use std::ptr;

const CANCEL: &str = "RAIO_IOC_CANCEL";

impl Context {
    /// Cancels a request: if it waits for its file, or has not begun, it ends, and
    /// this is its completion.  Its result is `ECANCELED`, or the number of bytes if
    /// some were moved before.
    ///
    /// Else the error says which: its completion will come, from
    /// [`getevents`](Self::getevents), if it is [`Running`](ErrorKind::Running), or
    /// [`Cancelled`](ErrorKind::Cancelled), as one that a thread runs is; that was taken
    /// if it is [`Gone`](ErrorKind::Gone).
    pub fn cancel(&mut self, id: RequestId) -> Result<Completion> {
        self.in_this_process(CANCEL)?;
        let gone = || Error::errno(CANCEL, ErrorKind::Gone, libc::EINVAL);
        let iocb = self.slots.find(id).ok_or_else(gone)?;
        let mut event = sys::io_event::default();
        let mut arg = sys::raio_cancel {
            ctx_id: self.id,
            iocb: iocb as u64,
            result: ptr::from_mut(&mut event).expose_provenance() as u64,
            flags: 0,
        };
        // SAFETY: The iocb is that of a slot in use; the event outlives the call.
        match unsafe { self.device.call(CANCEL, sys::RAIO_IOC_CANCEL, &mut arg) } {
            Ok(_) => self.slots.finish_id(id, &event).ok_or_else(gone),
            Err(error) => Err(match error.raw_os_error() {
                // EINVAL: its event is in the ring already.
                Some(libc::EAGAIN | libc::EINVAL) => error.with_kind(ErrorKind::Running),
                Some(libc::EINPROGRESS) => error.with_kind(ErrorKind::Cancelled),
                _ => error,
            }),
        }
    }

    /// Cancels all requests that can be cancelled, and appends their completions.
    /// Says how many these were; those of the others will come.
    pub fn cancel_all(&mut self, completions: &mut Vec<Completion>) -> Result<usize> {
        let ids: Vec<_> = self.slots.ids().collect();
        completions.reserve(ids.len());
        let mut cancelled = 0;
        for id in ids {
            match self.cancel(id) {
                Ok(completion) => {
                    completions.push(completion);
                    cancelled += 1;
                }
                Err(error) => match error.kind() {
                    ErrorKind::Running | ErrorKind::Cancelled => {}
                    _ => return Err(error),
                },
            }
        }
        Ok(cancelled)
    }
}
