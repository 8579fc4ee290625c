// SPDX-License-Identifier: MIT OR Apache-2.0

use super::{submit::explain_submit, Context, Entered};
use crate::{
    sys,
    wait::{address, Wait},
    Completion, Request, Result,
};
use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

const ENTER: &str = "RAIO_IOC_ENTER";

impl Context {
    /// [`submit`](Self::submit) and then [`getevents`](Self::getevents), as a rule in
    /// one system call.
    ///
    /// An error is that of the first request of the queue, or came before one was
    /// taken.  If some were taken it is no error that a signal came: there are fewer
    /// completions.
    pub fn submit_and_getevents(
        &mut self,
        queue: &mut VecDeque<Request<'_>>,
        min: usize,
        timeout: Option<Duration>,
        completions: &mut Vec<Completion>,
    ) -> Result<Entered> {
        self.submitted.clear();
        self.in_this_process(ENTER)?;
        self.stage(queue)?;
        let Some(first) = queue.front().filter(|_| !self.batch.is_empty()) else {
            let completed = self.getevents(min, timeout, completions)?;
            return Ok(Entered {
                completed,
                ..Entered::default()
            });
        };
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let wait = Wait::new(timeout, None);
        completions.reserve(self.in_flight() + self.batch.len());
        let nr = self.batch.len();
        let mut arg = sys::raio_enter {
            ctx_id: self.id,
            nr: nr as i64,
            iocbpp: address(&self.batch[..]),
            submitted: 0,
            // It waits only if it takes all of them.
            min_events: min.min(self.in_flight() + nr) as i64,
            nr_events: self.capacity() as i64,
            events: self.events_address(),
            timeout: wait.fields().0,
            ..sys::raio_enter::default()
        };
        // SAFETY: As in `submit_batch` and `getevents_call`.
        let result = unsafe {
            self.device
                .call_shortly(ENTER, sys::RAIO_ADVISE_ENTER, sys::RAIO_IOC_ENTER, &mut arg)
        };
        let submitted = match &result {
            // It could not say how many: all are held then, rather than one freed.
            Err(error) if error.raw_os_error() == Some(libc::EFAULT) && arg.submitted == 0 => nr,
            _ => usize::try_from(arg.submitted).map_or(nr, |submitted| submitted.min(nr)),
        };
        let result = result.map_err(|error| match submitted {
            0 => explain_submit(error, first, &self.registered),
            _ => error,
        });
        self.hold(queue, submitted);
        let mut entered = Entered {
            submitted,
            completed: 0,
        };
        match result {
            Ok(nr) => entered.completed = self.finish(nr, completions)?,
            Err(_) if submitted > 0 => return Ok(entered),
            Err(error) => return Err(error),
        }
        let missing = min.saturating_sub(entered.completed).min(self.in_flight());
        let rest = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        let waited = submitted == nr && entered.completed == 0;
        if missing > 0 && !waited && rest != Some(Duration::ZERO) {
            // What has come must not be lost to an error.
            entered.completed += self.getevents(missing, rest, completions).unwrap_or(0);
        }
        Ok(entered)
    }
}
