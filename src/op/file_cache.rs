// SPDX-License-Identifier: GPL-2.0

//! What one call of submit knows about its task, and about the file of the previous request, which is
//! often the file of the next one as well.

use super::rw::{
    self,
    Rules, //
};
use crate::{
    context::{
        registered::Registered,
        Context, //
    },
    pure::{
        class::Facts,
        policy::Try, //
    },
    sys::{
        cred,
        fs::{
            self,
            OpenFile, //
        },
        ioprio,
        miscdevice,
        pinned::PinnedBuffer,
        sched::{
            Stamp,
            ThreadState, //
        },
        task::FullTask,
        uapi::{
            iocb,
            RAIO_IOCB_FLAG_FIXED_BUFFER,
            RAIO_IOCB_FLAG_FIXED_FILE, //
        }, //
    }, //
};
use kernel::{
    cred::Credential,
    fs::File,
    prelude::*,
    sync::{
        aref::ARef,
        Arc, //
    }, //
};

/// How an iocb names its file.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Name {
    number: u32,
    /// Whether `number` is the index of a registered file. Otherwise it is a descriptor.
    fixed: bool,
}

impl Name {
    #[inline]
    fn of(iocb: &iocb) -> Self {
        Name {
            number: iocb.aio_fildes,
            fixed: iocb.aio_flags & RAIO_IOCB_FLAG_FIXED_FILE != 0,
        }
    }
}

/// Whether `iocb` names a registered buffer.
#[inline]
fn names_buffer(iocb: &iocb) -> bool {
    iocb.aio_flags & RAIO_IOCB_FLAG_FIXED_BUFFER != 0
}

/// The file of the previous request.
struct Recent {
    /// The stamp of the iocb for which the file was looked up.
    stamp: Stamp,
    name: Name,
    open: OpenFile<Rules>,
    facts: Facts,
    /// The first try of a plain read that may complete inline, if the file allows that.
    reads: Option<Try>,
}

/// What a call of submit has found out. About the task, as of its first use. About files and buffers,
/// as of the last time that the task slept or had a page fault: a task that it waited for may have
/// changed what a descriptor or an index means.
pub(crate) struct FileCache<'a> {
    context: &'a Context,
    task: FullTask<'a>,
    state: ThreadState,
    /// The stamp of the iocb that is being submitted.
    now: Stamp,
    recent: Option<Recent>,
    registered: Option<(Stamp, Registered)>,
    ioprio: Option<u16>,
    cred: Option<ARef<Credential>>,
}

impl<'a> FileCache<'a> {
    /// The cache for a call in which the current task submits to `context`.
    pub(crate) fn new(context: &'a Context, task: FullTask<'a>) -> Self {
        // Most tasks have the credentials of the context, which need no reference.
        let own = cred::is_current(context.cred());
        FileCache {
            context,
            task,
            state: ThreadState::current(),
            now: Stamp::now(),
            recent: None,
            registered: None,
            ioprio: None,
            cred: (!own).then(cred::current),
        }
    }

    /// The next iocb was read at `now`. Its file and buffer are looked up as of then.
    #[inline(always)]
    pub(crate) fn begin(&mut self, now: Stamp) {
        self.now = now;
    }

    /// The RAIO_SETUP_* flags of the context.
    #[inline(always)]
    pub(crate) fn flags(&self) -> u32 {
        self.context.flags()
    }

    /// The submitter.
    pub(crate) fn task(&self) -> FullTask<'a> {
        self.task
    }

    /// The submitter's credentials, if they are not those of the context.
    pub(crate) fn cred(&self) -> Option<ARef<Credential>> {
        self.cred.clone()
    }

    /// The other state of the submitter that a run takes over.
    #[inline]
    pub(crate) fn state(&self) -> ThreadState {
        self.state
    }

    /// The I/O priority of the task.
    pub(crate) fn ioprio(&mut self) -> u16 {
        *self.ioprio.get_or_insert_with(ioprio::current)
    }

    /// The file of `iocb`. EBADF, or EINVAL if it is an open /dev/raio.
    #[inline]
    pub(crate) fn file(&mut self, iocb: &iocb) -> Result<&File> {
        self.find(Name::of(iocb))?;
        self.recent
            .as_ref()
            .map(|recent| recent.open.file())
            .ok_or(EBADF)
    }

    /// The registered buffer of `iocb`, if it names one. EFAULT if there is no such buffer.
    #[inline]
    pub(crate) fn buffer(&mut self, iocb: &iocb) -> Result<Option<Arc<PinnedBuffer>>> {
        if !names_buffer(iocb) {
            return Ok(None);
        }
        let buffers = self.registered().buffers().ok_or(EFAULT)?;
        let buffer = buffers.get(iocb.aio_reserved2).ok_or(EFAULT)?;
        Ok(Some(buffer.clone()))
    }

    fn registered(&mut self) -> &Registered {
        let (context, now) = (self.context, self.now);
        let cache = self.registered.take().filter(|(stamp, _)| *stamp == now);
        let (_, registered) = self.registered.insert(match cache {
            Some(cache) => cache,
            None => (now, context.registered().lock().clone()),
        });
        registered
    }

    /// Drops files and buffers, since a task may wait for their release.
    pub(crate) fn forget_files(&mut self) {
        self.recent = None;
        self.registered = None;
    }

    #[inline]
    fn find(&mut self, name: Name) -> Result {
        match &self.recent {
            Some(recent) if recent.name == name && recent.stamp == self.now => Ok(()),
            _ => self.look_up(name),
        }
    }

    fn look_up(&mut self, name: Name) -> Result {
        let file = if name.fixed {
            let files = self.registered().files().ok_or(EBADF)?;
            files.get(name.number).ok_or(EBADF)?.clone()
        } else {
            fs::fget(self.task, name.number)?
        };
        if miscdevice::is_open_device(&file) {
            return Err(EINVAL);
        }
        let facts = fs::facts(&file);
        self.recent = Some(Recent {
            stamp: self.now,
            name,
            reads: rw::reads_inline(&file, facts),
            facts,
            open: OpenFile::new(file),
        });
        Ok(())
    }

    /// The file of `iocb`, the first try of a plain read of it that may complete inline, and the
    /// registered buffer if `iocb` names one. `None` if there is no such file, buffer or try.
    #[inline]
    pub(super) fn reads_inline(
        &mut self,
        iocb: &iocb,
    ) -> Option<(&mut OpenFile<Rules>, Try, Option<&PinnedBuffer>)> {
        self.find(Name::of(iocb)).ok()?;
        if names_buffer(iocb) {
            self.registered();
        }
        let recent = self.recent.as_mut()?;
        let mode = recent.reads?;
        let buffer = if names_buffer(iocb) {
            let (_, registered) = self.registered.as_ref()?;
            let buffers = registered.buffers()?;
            Some(&**buffers.get(iocb.aio_reserved2)?)
        } else {
            None
        };
        Some((&mut recent.open, mode, buffer))
    }

    /// The file that was looked up last, however long ago, and the facts about it.
    #[inline]
    pub(super) fn open(&mut self) -> Option<(&mut OpenFile<Rules>, &Facts)> {
        let recent = self.recent.as_mut()?;
        Some((&mut recent.open, &recent.facts))
    }
}
