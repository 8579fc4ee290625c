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
            // SAFETY: `with_plug` started this plug in this task, and nothing has moved it.
            unsafe { bindings::blk_finish_plug(self.0.get()) };
        }
    }

    let plug = Opaque::uninit();
    // SAFETY: `plug` stays where it is until `Finish` has taken it off `current` again, which
    // happens before this function returns.
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
    // SAFETY: May be called in any task: only the task itself uses its plug.
    unsafe { bindings::raio_helper_plug_expect(n) }
}
