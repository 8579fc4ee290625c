// SPDX-License-Identifier: GPL-2.0

//! What one call of submit knows: of its task, and of the file of the request before, which is
//! often the next one's as well.

use super::rw::{
    self,
    Rules, //
};
use crate::{
    context::{
        registered::Registered,
        Context, //
    },
    pure::policy::Try,
    sys::{
        cred,
        fs::{
            self,
            Facts,
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
    /// Whether it is the index of a registered file, or else a descriptor.
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

/// The file of the request before.
struct Recent {
    /// When the iocb was read for which it was looked up.
    stamp: Stamp,
    name: Name,
    open: OpenFile<Rules>,
    facts: Facts,
    /// How a plain read is tried that is over at once, if it can be.
    reads: Option<Try>,
}

/// What a call of submit has found out. Of the task, as of when it was first asked for; of files and
/// buffers, as of when the task has last slept or had a page fault: what a descriptor or an index
/// means may have been changed by whoever let it go on.
pub(crate) struct FileCache<'a> {
    context: &'a Context,
    task: FullTask<'a>,
    state: ThreadState,
    /// When the iocb that is submitted was read.
    now: Stamp,
    recent: Option<Recent>,
    registered: Option<(Stamp, Registered)>,
    ioprio: Option<u16>,
    cred: Option<ARef<Credential>>,
}

impl<'a> FileCache<'a> {
    /// The current task submits to `context`.
    pub(crate) fn new(context: &'a Context, task: FullTask<'a>) -> Self {
        // Most have the credentials with which the context was set up: no reference is needed.
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

    /// The next iocb was read at `now`: it means what its names mean then.
    #[inline(always)]
    pub(crate) fn begin(&mut self, now: Stamp) {
        self.now = now;
    }

    /// RAIO_SETUP_* of the context.
    #[inline(always)]
    pub(crate) fn flags(&self) -> u32 {
        self.context.flags()
    }

    /// Who submits.
    pub(crate) fn task(&self) -> FullTask<'a> {
        self.task
    }

    /// Who submits, if the context is not theirs.
    pub(crate) fn cred(&self) -> Option<ARef<Credential>> {
        self.cred.clone()
    }

    /// What else of the task whoever runs a request has to have.
    #[inline]
    pub(crate) fn state(&self) -> ThreadState {
        self.state
    }

    /// The task's I/O priority.
    pub(crate) fn ioprio(&mut self) -> u16 {
        *self.ioprio.get_or_insert_with(ioprio::current)
    }

    /// The file of `iocb`. EBADF, and EINVAL if it is an open /dev/raio.
    #[inline]
    pub(crate) fn file(&mut self, iocb: &iocb) -> Result<&File> {
        self.find(Name::of(iocb))?;
        self.recent
            .as_ref()
            .map(|recent| recent.open.file())
            .ok_or(EBADF)
    }

    /// The registered buffer of `iocb`, if it names one. EFAULT if there is none.
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

    /// Drops files and buffers: somebody may wait for their release.
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

    /// The file of `iocb`, how a plain read of it is tried that is over at once, and the registered
    /// buffer if it names one; `None` if there is no such file, no such buffer or no such read.
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

    /// The file that was asked for last, however long ago, and the facts about it.
    #[inline]
    pub(super) fn open(&mut self) -> Option<(&mut OpenFile<Rules>, &Facts)> {
        let recent = self.recent.as_mut()?;
        Some((&mut recent.open, &recent.facts))
    }
}
