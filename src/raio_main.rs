// SPDX-License-Identifier: GPL-2.0

//! raio: asynchronous I/O behind `/dev/raio`.
//!
//! Data flows one way. [`device`] decodes an ioctl, [`lifecycle`] finds the [`context`], [`submit`]
//! takes a credit and a [`request`], [`op`] prepares and tries the operation, and [`run`] retries what
//! could not go on. [`engine`] completes the request inline or later, in any context: it writes an
//! event to the ring of the context and wakes waiters.
//!
//! Each room uses only those below it: device, lifecycle, submit, run, op, engine, request, context,
//! pure. Below all of them is [`sys`], the kernel.

#![deny(unsafe_code)]

use kernel::prelude::*;

mod context;
mod device;
mod engine;
mod lifecycle;
mod op;
mod pure;
mod request;
mod run;
mod submit;
#[allow(unsafe_code)]
#[path = "../rust/lib.rs"]
mod sys;
mod window;

module! {
    type: Raio,
    name: "raio",
    authors: ["The raio authors"],
    description: "Asynchronous I/O by ioctls of /dev/raio",
    license: "GPL v2",
}

#[pin_data]
struct Raio {
    #[pin]
    _device: sys::miscdevice::Registration,
    _sysctls: sys::sysctl::Sysctls,
    _queue: sys::workqueue::WorkQueue,
    // After the work queue, whose end waits for work items that are held at a window.
    #[cfg(CONFIG_FAULT_INJECTION_DEBUG_FS)]
    #[pin]
    _windows: window::Files,
    // The last field to be dropped.
    _text: sys::rcupdate::TextInUse,
}

impl kernel::InPlaceModule for Raio {
    fn init(_module: &'static ThisModule) -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            _text: sys::rcupdate::TextInUse,
            _queue: sys::workqueue::WorkQueue::new(c"raio")?,
            _sysctls: context::limit::sysctls()?,
            #[cfg(CONFIG_FAULT_INJECTION_DEBUG_FS)]
            _windows <- window::Files::new(),
            // From here on programs can open the device.
            _device <- sys::miscdevice::Registration::new(c"raio", context::limit::Users::new()?),
        })
    }
}
