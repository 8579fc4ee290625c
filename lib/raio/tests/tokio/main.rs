// SPDX-License-Identifier: MIT OR Apache-2.0

//! Futures, on a device.  Without one nothing is tested.

#[path = "../common/mod.rs"]
mod common;

mod adapter;
mod buffers;
mod ends;
mod handle;
mod nonblocking;

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll, Waker},
};
use tokio::runtime::Runtime;

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(3)
        .enable_all()
        .build()
        .unwrap()
}

fn poll_once<T>(future: Pin<&mut impl Future<Output = T>>) -> Poll<T> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

/// Gives other tasks a turn until it is so.
async fn until(mut condition: impl FnMut() -> bool) {
    while !condition() {
        tokio::task::yield_now().await;
    }
}
