// SPDX-License-Identifier: MIT OR Apache-2.0

//! Contexts, on a device.  Without one nothing is tested.

#[path = "../common/mod.rs"]
mod common;

mod cancel;
mod errors;
mod lifetime;
mod operations;
mod registered;
mod requests;
mod submission;

use raio::{Completion, Context, Request, RequestId};

fn submit(context: &mut Context, request: Request<'_>) -> RequestId {
    context.submit_one(request).expect("a good request")
}

fn next(context: &mut Context) -> Completion {
    let mut completions = Vec::new();
    assert_eq!(context.getevents(1, None, &mut completions).unwrap(), 1);
    completions.pop().unwrap()
}

fn run(context: &mut Context, request: Request<'_>) -> Completion {
    let id = submit(context, request);
    let completion = next(context);
    assert_eq!(completion.id, id);
    completion
}
