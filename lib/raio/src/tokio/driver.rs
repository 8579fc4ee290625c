// SPDX-License-Identifier: MIT OR Apache-2.0

use super::state::Shared;
use crate::ErrorKind;
use std::{
    future::{poll_fn, Future},
    os::fd::OwnedFd,
    sync::Arc,
    task::{ready, Context, Poll},
};
use tokio::io::unix::AsyncFd;

/// Takes completions until the end: until handles are closed and nothing is in
/// flight.
///
/// Not an `async fn`: a runtime may drop the task before it has polled it, and the
/// driver must be there to be dropped.
pub(super) fn drive(shared: Arc<Shared>, fd: AsyncFd<OwnedFd>) -> impl Future<Output = ()> + Send {
    let mut driver = Driver {
        shared,
        fd,
        cancelled: false,
    };
    poll_fn(move |cx| driver.poll(cx))
}

struct Driver {
    shared: Arc<Shared>,
    fd: AsyncFd<OwnedFd>,
    // All was cancelled, after closing.
    cancelled: bool,
}

impl Driver {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            let waker = cx.waker().clone();
            let cancelled = &mut self.cancelled;
            let (over, _old) = self.shared.with(|state, after| {
                if state.closing && !*cancelled {
                    *cancelled = true;
                    // What was not cancelled ends by itself.
                    let _ = state.cancel_all(after);
                }
                let over = state.closing && state.context.in_flight() == 0;
                (over, state.driver.replace(waker))
            });
            if over {
                return Poll::Ready(());
            }
            // An error says that the runtime ends.
            let Ok(mut guard) = ready!(self.fd.poll_read_ready(cx)) else {
                return Poll::Ready(());
            };
            match self.shared.with(|state, after| state.reap(after)) {
                // What comes from now on is a new edge, which this does not clear.
                Ok(0) => guard.clear_ready(),
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::StrayEvent => {}
                Err(_) => return Poll::Ready(()),
            }
        }
    }
}

impl Drop for Driver {
    /// Nobody takes completions after this, so there must be none to come: the
    /// runtime may have dropped the task at any time.
    fn drop(&mut self) {
        self.shared.room.close();
        self.shared.with(|state, after| {
            state.closing = true;
            let _ = state.cancel_all(after);
            while state.context.in_flight() > 0 {
                match state.wait_for_all(after) {
                    Err(error)
                        if !matches!(
                            error.kind(),
                            ErrorKind::Interrupted | ErrorKind::StrayEvent
                        ) =>
                    {
                        break;
                    }
                    _ => {}
                }
            }
            state.end(after);
        });
    }
}
