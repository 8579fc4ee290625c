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
            // SAFETY: `with_plug` started this plug in this task, as the stack belongs to one task,
            // and nothing has moved it. Plugs inside of `f` have ended. The call may flush, and so
            // issue requests, as is allowed in process context, where `with_plug` is called.
            unsafe { bindings::blk_finish_plug(self.0.get()) };
        }
    }

    let plug = Opaque::uninit();
    // SAFETY: The call initialises `plug`, and makes it the plug of the current task if that has
    // none. `plug` does not move until `Finish` has removed it again, before this returns.
    unsafe { bindings::blk_start_plug(plug.get()) };
    let _finish = Finish(&plug);
    f()
}

/// Announces about `n` requests for one device under the current plug, if there is one. The first
/// request then allocates tags for all of them, if so many adjacent tags are free.
///
/// Process context. Unused tags block nobody: whoever needs a tag sleeps, and a task that sleeps,
/// for that or any other reason, first returns its unused tags, as does the end of the plug
/// (`__blk_flush_plug()`). With IOCB_NOWAIT a request is refused as if all `n` were issued.
pub(crate) fn expect(n: u16) {
    // SAFETY: Writes a number in the plug of the current task, if it has one. Only the task itself
    // uses that number, in process context. A plug is valid until it is finished.
    unsafe { bindings::raio_helper_plug_expect(n) }
}
