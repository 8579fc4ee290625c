// SPDX-License-Identifier: GPL-2.0

//! Block plugs.
//!
//! C header: [`include/linux/blkdev.h`](srctree/include/linux/blkdev.h)

use super::bindings;
use kernel::types::Opaque;

/// Calls `f` under a block plug: the requests that it issues reach their devices in batches.
///
/// Process context. The plug is flushed when the task sleeps and when `f` returns.
pub(crate) fn with_plug<R>(f: impl FnOnce() -> R) -> R {
    struct Finish<'a>(&'a Opaque<bindings::blk_plug>);

    impl Drop for Finish<'_> {
        fn drop(&mut self) {
            // SAFETY: `with_plug` started this plug, in this task, as its stack is that of one
            // task, and nothing has moved it. Plugs inside of `f` have ended. It may flush, and so
            // issue requests, as in process context, where `with_plug` is called.
            unsafe { bindings::blk_finish_plug(self.0.get()) };
        }
    }

    let plug = Opaque::uninit();
    // SAFETY: The call initialises `plug`, and sets a pointer of the current task, if that has
    // none. `plug` stays where it is until `Finish` has taken it off again, before this returns.
    unsafe { bindings::blk_start_plug(plug.get()) };
    let _finish = Finish(&plug);
    f()
}

/// Says that about `n` requests follow, for one device and under the plug, if there is one: the
/// first of them takes tags for all, if so many are free side by side.
///
/// Process context. Nobody hangs for want of a tag that is not used: whoever needs one sleeps, and
/// a task that sleeps, for that or anything else, gives back what it has left, as does the end of
/// the plug (`__blk_flush_plug()`). With IOCB_NOWAIT it is refused as if the `n` were issued.
pub(crate) fn expect(n: u16) {
    // SAFETY: Writes a number in the plug of the current task, if it has one. Only the task itself
    // uses that, in process context; a plug is valid until it is finished.
    unsafe { bindings::raio_helper_plug_expect(n) }
}
