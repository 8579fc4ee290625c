// SPDX-License-Identifier: MIT OR Apache-2.0

//! Submits a request and tells from the counters which way it went.

use crate::{
    device,
    fdinfo::{self, Counters},
};
use raio::{Buffer, Context, Request};
use serde::Serialize;
use std::{collections::VecDeque, fs, io, path::PathBuf, time::Duration};

/// Until a request that does not end is given up.
const PATIENCE: Duration = Duration::from_secs(5);

/// Which way a request went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Way {
    /// It had ended when submit returned.
    AtOnce,
    /// A driver had it when submit returned.
    InFlight,
    /// It ended before one could look.
    AtOnceOrInFlight,
    /// It waited for its file, without a thread.
    Armed,
    /// A thread ran it.
    Thread,
    /// A thread began it, and it waited for its file or page without one.
    ThreadArmed,
}

impl Way {
    /// For people.
    pub fn text(self) -> &'static str {
        match self {
            Way::AtOnce => "at once",
            Way::InFlight => "in flight",
            Way::AtOnceOrInFlight => "at once or in flight",
            Way::Armed => "armed",
            Way::Thread => "thread",
            Way::ThreadArmed => "thread, page",
        }
    }
}

/// What was counted while a request ran.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Counted {
    /// It waited for its file when submit had returned.
    pub armed: u32,
    /// Wakes.
    pub kicks: u32,
    /// Tries after the first.
    pub retries: u32,
    /// It was left to a thread.
    pub punts: u32,
}

/// A request's way, and the counters that tell it.
#[derive(Clone, Copy, Debug)]
pub struct Measured {
    /// The way.
    pub way: Way,
    /// The counters.
    pub counted: Counted,
}

/// What is asked of a file.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Through the page cache, or to a stream.
    Plain,
    /// Past it.
    Direct,
}

/// Tells the way by the counters before, when submit had returned, and in the end.
fn tell(before: &Counters, submitted: &Counters, end: &Counters, kind: Kind) -> Way {
    let (look, all) = (submitted.since(before), end.since(before));
    let armed = look.armed > 0 || all.kicks > 0;
    match (all.punts > 0, armed) {
        (true, true) => Way::ThreadArmed,
        (true, false) => Way::Thread,
        (false, true) => Way::Armed,
        (false, false) if look.completed == 0 => Way::InFlight,
        (false, false) if kind == Kind::Direct => Way::AtOnceOrInFlight,
        (false, false) => Way::AtOnce,
    }
}

/// A context to submit to, and where its counters are.
pub struct Prober {
    context: Context,
    fdinfo: PathBuf,
}

impl Prober {
    /// Sets a context up.
    pub fn new() -> Result<Self, Box<dyn std::error::Error>> {
        Ok(Self {
            context: device::context(1)?,
            fdinfo: fdinfo::own_fdinfo()?,
        })
    }

    fn counters(&self) -> io::Result<Counters> {
        let contexts = fdinfo::parse(&fs::read_to_string(&self.fdinfo)?);
        let counters = contexts.first().map(|(_, counters)| *counters);
        counters.ok_or_else(|| io::Error::other("its fdinfo has no context"))
    }

    /// Submits the request, then calls `ready` if it is to make the file ready.  An error is the
    /// request's.
    pub fn measure(
        &mut self,
        request: Request<'_>,
        kind: Kind,
        ready: impl FnOnce() -> io::Result<()>,
    ) -> io::Result<Measured> {
        if self.context.in_flight() > 0 {
            return Err(io::Error::other("not probed: the one before has not ended"));
        }
        let before = self.counters()?;
        self.context
            .submit(&mut VecDeque::from([request]))
            .map_err(|error| match error.raw_os_error() {
                Some(libc::EINVAL) => {
                    io::Error::other("such a file has none that are asynchronous")
                }
                Some(errno) => io::Error::from_raw_os_error(errno),
                None => error.into(),
            })?;
        let submitted = self.counters()?;
        ready()?;
        let mut completions = Vec::new();
        self.context
            .getevents(1, Some(PATIENCE), &mut completions)?;
        let Some(completion) = completions.pop() else {
            return Err(io::Error::other(format!(
                "no answer in {} s",
                PATIENCE.as_secs()
            )));
        };
        completion.result?;
        let end = self.counters()?;
        let all = end.since(&before);
        Ok(Measured {
            way: tell(&before, &submitted, &end, kind),
            counted: Counted {
                armed: submitted.armed,
                kicks: all.kicks,
                retries: all.retries,
                punts: all.punts,
            },
        })
    }
}

/// A buffer that is written as it is: nothing is zero in it.
pub fn buffer(len: usize) -> Buffer {
    let mut buffer = Buffer::new(len);
    buffer.fill(0xa1);
    buffer
}

#[cfg(test)]
mod tests {
    use super::*;

    fn way(look: Counters, end: Counters, kind: Kind) -> Way {
        let before = Counters {
            completed: u32::MAX,
            ..Counters::default()
        };
        let end = Counters {
            completed: 0,
            ..end
        };
        tell(&before, &look, &end, kind)
    }

    #[test]
    fn ways_are_told_apart() {
        let running = Counters {
            completed: u32::MAX,
            inflight: 1,
            ..Counters::default()
        };
        let armed = Counters {
            armed: 1,
            ..running
        };
        let (none, kicked) = (
            Counters::default(),
            Counters {
                kicks: 1,
                ..Counters::default()
            },
        );
        let punted = Counters {
            punts: 1,
            retries: 1,
            ..Counters::default()
        };
        let both = Counters { kicks: 1, ..punted };
        assert_eq!(way(none, none, Kind::Plain), Way::AtOnce);
        assert_eq!(way(none, none, Kind::Direct), Way::AtOnceOrInFlight);
        assert_eq!(way(running, none, Kind::Direct), Way::InFlight);
        assert_eq!(way(armed, none, Kind::Plain), Way::Armed);
        assert_eq!(way(running, kicked, Kind::Plain), Way::Armed);
        assert_eq!(way(running, punted, Kind::Plain), Way::Thread);
        assert_eq!(way(running, both, Kind::Plain), Way::ThreadArmed);
    }
}
