// SPDX-License-Identifier: GPL-2.0

//! Registered files and buffers, which requests name by their index.

use super::Context;
use crate::sys::{
    nospec,
    pinned::PinnedBuffer, //
};
use kernel::{
    fs::File,
    prelude::*,
    sync::{
        aref::ARef,
        Arc, //
    }, //
};

/// Registered files, by index.
pub(crate) struct Files(pub(crate) KVVec<Option<ARef<File>>>);
/// Registered buffers, by index.
pub(crate) struct Buffers(pub(crate) KVVec<Option<Arc<PinnedBuffer>>>);

impl Files {
    /// The file with this index.
    pub(crate) fn get(&self, index: u32) -> Option<&ARef<File>> {
        nospec::get(&self.0, index as usize)?.as_ref()
    }
}

impl Buffers {
    /// The buffer with this index.
    #[inline]
    pub(crate) fn get(&self, index: u64) -> Option<&Arc<PinnedBuffer>> {
        nospec::get(&self.0, usize::try_from(index).ok()?)?.as_ref()
    }
}

/// What a context has registered. A table never changes, so users take a reference to it.
#[derive(Clone, Default)]
pub(crate) struct Registered {
    pub(crate) files: Option<Arc<Files>>,
    pub(crate) buffers: Option<Arc<Buffers>>,
}

impl Registered {
    /// The registered files.
    pub(crate) fn files(&self) -> Option<&Files> {
        self.files.as_deref()
    }

    /// The registered buffers.
    pub(crate) fn buffers(&self) -> Option<&Buffers> {
        self.buffers.as_deref()
    }
}

/// Unregisters all files and buffers. The context must be dead, so that no more are registered. Process
/// context, sleeps.
pub(crate) fn unregister_all(context: &Context, put: fn(ARef<File>)) {
    // Dropping either may sleep, so not under the lock.
    let Registered { files, buffers } = core::mem::take(&mut *context.registered().lock());
    drop(buffers);
    // A task that submits at the same time holds a reference to the table, and drops the files then.
    if let Some(mut files) = files.and_then(Arc::into_unique_or_drop) {
        files.0.drain_all().flatten().for_each(put);
    }
}
