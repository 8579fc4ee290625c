// SPDX-License-Identifier: MIT OR Apache-2.0

use std::{
    io, ptr,
    sync::{
        atomic::{AtomicU64, Ordering},
        Mutex, PoisonError,
    },
};

/// Which process this is, as far as contexts matter: a child of fork(2) is another,
/// a thread or a child of vfork(2) is not.
///
/// A child has a copy of every [`Context`](crate::Context), and nothing at the
/// address of its ring: there may be something else there, or a context of its own.
/// getpid(2) would be a system call each time, and pids come again.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Process {
    word: &'static AtomicU64,
    value: u64,
}

/// The word, in a page that is zeroes again in a child, and the value that the next
/// process gets.  This memory is copied, so no value comes twice in one line of
/// descent.
static STATE: Mutex<(Option<&'static AtomicU64>, u64)> = Mutex::new((None, 1));

impl Process {
    pub(crate) fn current() -> io::Result<Self> {
        let mut state = STATE.lock().unwrap_or_else(PoisonError::into_inner);
        let (word, next) = &mut *state;
        let word = match *word {
            Some(word) => word,
            None => *word.insert(wiped_on_fork()?),
        };
        if word.load(Ordering::Relaxed) == 0 {
            word.store(*next, Ordering::Relaxed);
            *next += 1;
        }
        Ok(Self {
            word,
            value: word.load(Ordering::Relaxed),
        })
    }

    pub(crate) fn is_current(self) -> bool {
        self.word.load(Ordering::Relaxed) == self.value
    }
}

fn wiped_on_fork() -> io::Result<&'static AtomicU64> {
    // The kernel makes it a page.
    let len = size_of::<AtomicU64>();
    // SAFETY: New memory, wherever the kernel wants.
    let page = unsafe {
        libc::mmap(
            ptr::null_mut(),
            len,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
            -1,
            0,
        )
    };
    if page == libc::MAP_FAILED {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: It is the mapping from above.
    if unsafe { libc::madvise(page, len, libc::MADV_WIPEONFORK) } < 0 {
        let error = io::Error::last_os_error();
        // SAFETY: As above, and nobody else knows of it.
        unsafe { libc::munmap(page, len) };
        return Err(error);
    }
    // SAFETY: It is a page, so aligned and large enough, of zeroes, which are a
    // valid value; it is never unmapped.
    Ok(unsafe { &*page.cast::<AtomicU64>() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_one_for_all_threads() {
        let here = Process::current().unwrap();
        assert!(here.is_current());
        let there = std::thread::spawn(|| Process::current().unwrap())
            .join()
            .unwrap();
        assert_eq!(here.value, there.value);
        assert!(there.is_current());
    }

    #[test]
    fn is_another_in_a_child() {
        let parent = Process::current().unwrap();
        // SAFETY: The child only reads a word, and leaves.
        let pid = unsafe { libc::fork() };
        if pid == 0 {
            let is_parent = parent.is_current();
            // SAFETY: Ends the child at once.
            unsafe { libc::_exit(i32::from(is_parent)) };
        }
        let mut status = -1;
        // SAFETY: `status` is there to be written.
        assert_eq!(unsafe { libc::waitpid(pid, &mut status, 0) }, pid);
        assert_eq!(status, 0);
        assert!(parent.is_current());
    }
}
