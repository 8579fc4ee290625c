// SPDX-License-Identifier: GPL-2.0

//! Kicks: what follows when a wait entry of a request is woken.

use crate::{
    context::Context,
    sys::{
        poll,
        request::{
            Fired,
            Kick, //
        },
        trace, //
    },
    window::Window, //
};

/// A wait entry of the request was woken. Any context, under the lock of a wait queue.
pub(crate) fn kick(mut kick: Kick<'_, Context>) {
    Window::Kick.pass();
    let (context, index, shared) = (kick.client(), kick.index(), kick.shared());
    if shared.is_fired() {
        if context.has_held() {
            let arc = || kick.client_arc();
            context.queues().lock().try_held(context, arc);
        }
        kick = match kick.fire() {
            Fired::Own(request, mask) => {
                context.counters().kicked();
                request.complete_in_wake(poll::to_user(mask) as isize);
                return;
            }
            Fired::No(kick) => kick,
        };
    }
    let by_sleeper = shared.is_by_waker() && kick.is_by_sleeper();
    let mut queues = context.queues().lock();
    let arc = kick.client_arc();
    shared.keep_told(|| kick.told());
    // All of it under the lock: when the lock is released, the request may be over.
    if !kick.make() {
        drop(queues);
        return;
    }
    context.counters().kicked();
    trace::kick(|| shared.about(context, 0));
    // Only after the step to Queued: until the lock is released nobody owns the request. Before it was
    // armed, its owner set the list and the marks.
    if by_sleeper {
        shared.set_not_by_waker();
    }
    let list = shared.kicked_to();
    queues.push(context, || arc.clone(), index, list);
    queues.try_held(context, || arc.clone());
}
