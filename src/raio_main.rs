// SPDX-License-Identifier: GPL-2.0

//! raio: asynchronous I/O behind `/dev/raio`.
//!
//! Data flows one way: [`device`] decodes an ioctl, [`mapping`](sys::mapping) finds the
//! [`context`], [`submit`] takes a [`credit`] and a request, [`op`] prepares and issues it, and it
//! completes at once or later, in any context, by [`request`], which writes an event to the
//! [`ring`] and wakes [`getevents`].

#![deny(unsafe_code)]

use kernel::{
    miscdevice::{
        MiscDeviceOptions,
        MiscDeviceRegistration, //
    },
    prelude::*, //
};

mod cancel;
mod context;
mod credit;
mod device;
mod getevents;
mod key;
mod limit;
mod op;
mod request;
mod ring;
mod state;
mod submit;
#[allow(unsafe_code)]
#[path = "../rust/lib.rs"]
mod sys;

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
    _device: MiscDeviceRegistration<device::Raio>,
    _sysctls: sys::sysctl::Sysctls,
    // The last to go.
    _text: sys::rcupdate::TextInUse,
}

impl kernel::InPlaceModule for Raio {
    fn init(_module: &'static ThisModule) -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            _text: sys::rcupdate::TextInUse,
            _sysctls: limit::sysctls()?,
            // From here on programs come in.
            _device <- MiscDeviceRegistration::register(MiscDeviceOptions { name: c"raio" }),
        })
    }
}
