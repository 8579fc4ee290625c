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
