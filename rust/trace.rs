// SPDX-License-Identifier: GPL-2.0

//! Tracepoints. A disabled tracepoint costs a nop: its arguments are not evaluated. (It costs a
//! load and a branch where the build dir of the kernel has no template for such a nop, as the
//! headers of some distributions: `raio_static_branch` is set by Kbuild.)
//!
//! `kernel::declare_trace!` only finds tracepoints in the kernel crate's bindings.
//!
//! C header: `rust/trace.h` of this tree

#[cfg(CONFIG_TRACEPOINTS)]
use super::bindings;

/// The arguments of a tracepoint, which describe a request.
#[cfg_attr(not(CONFIG_TRACEPOINTS), expect(dead_code))]
pub(crate) struct About {
    /// The id of the context.
    pub(crate) ctx: u64,
    /// The address of the iocb.
    pub(crate) iocb: u64,
    /// `aio_key`.
    pub(crate) key: u32,
    /// `aio_lio_opcode`.
    pub(crate) opcode: u16,
    /// `aio_fildes`.
    pub(crate) fd: u32,
    /// The result; 0 if there is none yet.
    pub(crate) result: i64,
}

macro_rules! tracepoints {
    ($($(#[$doc:meta])* $name:ident: $tracepoint:ident, $call:ident;)*) => {
        $(
            $(#[$doc])*
            ///
            /// Any context.
            #[inline(always)]
            #[cfg_attr(not(CONFIG_TRACEPOINTS), expect(unused_variables))]
            #[allow(dead_code)]
            pub(crate) fn $name(about: impl FnOnce() -> About) {
                #[cfg(CONFIG_TRACEPOINTS)]
                {
                    #[cfg(raio_static_branch)]
                    let on = {
                        // SAFETY: The static is a tracepoint that `rust/trace.c` defines, and the
                        // field is its key. The check is an instruction that the kernel patches:
                        // any context.
                        unsafe {
                            kernel::jump_label::static_branch_unlikely!(
                                bindings::$tracepoint,
                                bindings::tracepoint,
                                key
                            )
                        }
                    };
                    #[cfg(not(raio_static_branch))]
                    let on = {
                        // SAFETY: The static is a tracepoint that `rust/trace.c` defines. C changes
                        // the counter as a whole: any context.
                        unsafe {
                            (&raw const bindings::$tracepoint.key.key.enabled.counter)
                                .read_volatile()
                        }
                    } > 0;
                    if on {
                        let about = about();
                        // SAFETY: All arguments are integers: no memory. A tracepoint may be called
                        // in any context in which RCU watches, that is, outside of idle.
                        unsafe {
                            bindings::$call(
                                about.ctx,
                                about.iocb,
                                about.key,
                                about.opcode,
                                about.fd,
                                about.result,
                            )
                        };
                    }
                }
            }
        )*
    };
}

tracepoints! {
    /// A request was accepted.
    submit: __tracepoint_raio_submit, rust_do_trace_raio_submit;
    /// A request is armed, and waits for a wake.
    arm: __tracepoint_raio_arm, rust_do_trace_raio_arm;
    /// A request was woken.
    kick: __tracepoint_raio_kick, rust_do_trace_raio_kick;
    /// A request is tried again.
    retry: __tracepoint_raio_retry, rust_do_trace_raio_retry;
    /// A request can't go on in its context, and was put on a list.
    punt: __tracepoint_raio_punt, rust_do_trace_raio_punt;
    /// The event of a request is published in the ring.
    complete: __tracepoint_raio_complete, rust_do_trace_raio_complete;
    /// Somebody tried to cancel a request.
    cancel: __tracepoint_raio_cancel, rust_do_trace_raio_cancel;
}
