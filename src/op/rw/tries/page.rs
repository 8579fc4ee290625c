// SPDX-License-Identifier: GPL-2.0

//! Reads that wait for a page.

use crate::{
    context::Context,
    engine::late,
    pure::lists::List,
    request::Running,
    sys::{
        request::{
            Armed,
            PageRun, //
        },
        trace, //
    },
    window::Window, //
};
use kernel::sync::Arc;

/// Arms the request on the page. Returns it if the page was unlocked meanwhile.
pub(super) fn wait_for_page(context: &Arc<Context>, mut page: PageRun<Context>) -> Option<Running> {
    page.shared().note_page(List::Run, page.transfer().done());
    context.counters().armed();
    trace::arm(|| page.shared().about(context, 0));
    let deadline = page.private().deadline.clone();
    Window::Wait.pass_asleep();
    match page.wait() {
        Armed::Left => {
            // The deadline could not cancel the request while it was running.
            deadline.inspect(late::meet);
            None
        }
        Armed::Again(run) | Armed::Cancelled(run) => {
            context.counters().disarmed();
            Some(run)
        }
    }
}
