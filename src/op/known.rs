// SPDX-License-Identifier: GPL-2.0

//! What one call of submit knows: of its task, and of the file of the request before, which is
//! often the next one's as well.

use super::rw;
use crate::{
    context::Context,
    sys::{
        cred,
        fs::{
            self,
            Direction,
            Mode,
            Verified, //
        },
        miscdevice, //
    },
    way::Way, //
};
use kernel::{
    cred::Credential,
    fs::File,
    prelude::*,
    sync::aref::ARef, //
};

/// A kind of transfer.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Kind {
    pub(crate) direction: Direction,
    /// Past the page cache.
    pub(crate) direct: bool,
    /// RWF_NOWAIT.
    pub(crate) nowait: bool,
}

/// The file of the request before.
struct Recent {
    fd: u32,
    file: ARef<File>,
    /// How a plain read is tried that is over at once, if it can be.
    reads: Option<Mode>,
    /// The way of the last transfer.
    way: Option<(Kind, Way)>,
    reading: Verified,
    writing: Verified,
}

/// What is known in a call of submit. As of when it was first asked for.
pub(crate) struct Known {
    recent: Option<Recent>,
    ioprio: Option<u16>,
    cred: Option<ARef<Credential>>,
    none: Verified,
}

impl Known {
    /// The current task submits to `context`. Process context.
    pub(crate) fn new(context: &Context) -> Self {
        // Most have the credentials with which the context was set up: no reference is needed.
        let own = cred::is_current(context.cred());
        Known {
            recent: None,
            ioprio: None,
            cred: (!own).then(cred::current),
            none: Verified::default(),
        }
    }

    /// Who submits, if the context is not theirs.
    pub(crate) fn cred(&self) -> Option<ARef<Credential>> {
        self.cred.clone()
    }

    /// The task's I/O priority.
    pub(crate) fn ioprio(&mut self) -> u16 {
        *self.ioprio.get_or_insert_with(fs::current_ioprio)
    }

    /// The file behind `fd`. EBADF, and EINVAL if it is a door of this module.
    #[inline]
    pub(crate) fn file(&mut self, fd: u32) -> Result<&File> {
        match &self.recent {
            Some(recent) if recent.fd == fd => {}
            _ => self.look_up(fd)?,
        }
        self.recent
            .as_ref()
            .map(|recent| &*recent.file)
            .ok_or(EBADF)
    }

    /// Lets go of the file, which is looked up anew if it is asked for again.
    pub(crate) fn forget_file(&mut self) {
        self.recent = None;
    }

    fn look_up(&mut self, fd: u32) -> Result {
        let file = fs::fget(fd)?;
        if miscdevice::is_door(&file) {
            return Err(EINVAL);
        }
        self.recent = Some(Recent {
            fd,
            reads: rw::reads_at_once(&file),
            file,
            way: None,
            reading: Verified::default(),
            writing: Verified::default(),
        });
        Ok(())
    }

    /// The file behind `fd`, and how a plain read of it is tried that is over at once; `None` if
    /// there is no such file, or no such read.
    #[inline]
    pub(crate) fn reads_at_once(&mut self, fd: u32) -> Option<(&File, Mode, &mut Verified)> {
        match &self.recent {
            Some(recent) if recent.fd == fd => {}
            _ => self.look_up(fd).ok()?,
        }
        let recent = self.recent.as_mut()?;
        let mode = recent.reads?;
        Some((&recent.file, mode, &mut recent.reading))
    }

    /// What was found out about transfers of that direction of the file that was asked for last.
    #[inline]
    pub(crate) fn verified(&mut self, direction: Direction) -> &mut Verified {
        match (&mut self.recent, direction) {
            (Some(recent), Direction::Read) => &mut recent.reading,
            (Some(recent), Direction::Write) => &mut recent.writing,
            (None, _) => &mut self.none,
        }
    }

    /// The way of transfers of that kind of the file that was asked for last.
    #[inline]
    pub(crate) fn way(&mut self, kind: Kind) -> Way {
        let Some(recent) = &mut self.recent else {
            return Way::default();
        };
        match &recent.way {
            Some((known, way)) if *known == kind => *way,
            _ => {
                let way = rw::way(&recent.file, kind);
                recent.way = Some((kind, way));
                way
            }
        }
    }
}
