// SPDX-License-Identifier: MIT OR Apache-2.0

use super::Context;
use crate::{ring::Ring, sys, wait::Wait, Completion, Error, ErrorKind, Result};
use std::time::Duration;

const GETEVENTS: &str = "RAIO_IOC_GETEVENTS";

impl Context {
    /// Waits until at least `min` requests have ended, or the time is over, and
    /// appends all that have ended to `completions`.  Says how many that were.
    ///
    /// `min` may be more than there are in flight; it waits for these then.  With 0
    /// it does not wait.  There may be fewer than `min` if a signal came; if there is
    /// none then, the error is [`Interrupted`](ErrorKind::Interrupted).
    ///
    /// If enough have ended already it makes no system call.
    pub fn getevents(
        &mut self,
        min: usize,
        timeout: Option<Duration>,
        completions: &mut Vec<Completion>,
    ) -> Result<usize> {
        self.in_this_process(GETEVENTS)?;
        if self.ready() >= min.min(self.in_flight()).max(1) {
            return self.reap(completions);
        }
        self.getevents_call(min, &Wait::new(timeout, None), completions)
    }

    /// The same under a signal mask, as ppoll(2) does it: a signal that only this
    /// mask lets through interrupts the wait, also if it came before.
    pub fn getevents_masked(
        &mut self,
        min: usize,
        timeout: Option<Duration>,
        mask: &libc::sigset_t,
        completions: &mut Vec<Completion>,
    ) -> Result<usize> {
        self.in_this_process(GETEVENTS)?;
        self.getevents_call(min, &Wait::new(timeout, Some(mask)), completions)
    }

    /// Appends what has ended, without a system call: requests that the caller itself
    /// would have to go on with do so in [`getevents`](Self::getevents) only, or in a
    /// thread.
    pub fn reap(&mut self, completions: &mut Vec<Completion>) -> Result<usize> {
        self.in_this_process(GETEVENTS)?;
        completions.reserve(self.in_flight());
        let nr = match &mut self.ring {
            Some(ring) => ring.take(&mut self.events),
            // The layout of the ring is not known.
            None => return self.getevents_call(0, &Wait::new(None, None), completions),
        };
        self.finish(nr, completions)
    }

    fn ready(&self) -> usize {
        self.ring.as_ref().map_or(0, Ring::len)
    }

    fn getevents_call(
        &mut self,
        min: usize,
        wait: &Wait<'_>,
        completions: &mut Vec<Completion>,
    ) -> Result<usize> {
        let max = self.in_flight();
        if max == 0 {
            return Ok(0);
        }
        // Allocate before the call: if it failed after it, events would be lost.
        completions.reserve(max);
        let (timeout, sigmask, sigsetsize) = wait.fields();
        let mut arg = sys::raio_getevents {
            ctx_id: self.id,
            min_nr: min.min(max) as i64,
            nr: max as i64,
            events: self.events_address(),
            timeout,
            sigmask,
            sigsetsize,
            flags: 0,
        };
        // SAFETY: `events` has room for as many as there are slots; it, the timeout
        // and the mask outlive the call.
        let nr = unsafe {
            self.device.call_shortly(
                GETEVENTS,
                sys::RAIO_ADVISE_GETEVENTS,
                sys::RAIO_IOC_GETEVENTS,
                &mut arg,
            )?
        };
        self.finish(nr, completions)
    }

    pub(super) fn events_address(&mut self) -> u64 {
        self.events.as_mut_ptr().expose_provenance() as u64
    }

    pub(super) fn finish(&mut self, nr: usize, completions: &mut Vec<Completion>) -> Result<usize> {
        let mut stray = false;
        let before = completions.len();
        for event in self.events.iter().take(nr) {
            match self.slots.finish(event) {
                Some(completion) => completions.push(completion),
                None => stray = true,
            }
        }
        if stray {
            return Err(Error::errno(GETEVENTS, ErrorKind::StrayEvent, libc::EIO));
        }
        Ok(completions.len() - before)
    }
}
