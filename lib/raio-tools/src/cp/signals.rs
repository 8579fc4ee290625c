// SPDX-License-Identifier: MIT OR Apache-2.0

//! What signals do: the first ends the copy in order, the second at once.

use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGTERM, SIGXFSZ},
    flag,
};
use std::{
    io,
    mem::MaybeUninit,
    ptr,
    sync::{
        atomic::{AtomicBool, AtomicUsize},
        Arc,
    },
};

/// Catches them; the number of the one that came is in what is returned, or 0.
pub fn catch() -> io::Result<Arc<AtomicUsize>> {
    let signal = Arc::new(AtomicUsize::new(0));
    let second = Arc::new(AtomicBool::new(false));
    for number in [SIGINT, SIGTERM, SIGHUP] {
        // As below nohup.  (A shell without job control ignores SIGINT for what it runs in the background,
        // but who sends that to a copy means it.)
        if number == SIGHUP && action(number)?.sa_sigaction == libc::SIG_IGN {
            continue;
        }
        flag::register_conditional_default(number, second.clone())?;
        flag::register(number, second.clone())?;
        flag::register_usize(number, signal.clone(), number as usize)?;
        interrupts_calls(number)?;
    }
    // A file that gets too large is a failure of that file.
    flag::register(SIGXFSZ, Arc::new(AtomicBool::new(false)))?;
    Ok(signal)
}

/// What is said of a signal that was caught.
pub fn name(signal: usize) -> &'static str {
    i32::try_from(signal)
        .ok()
        .and_then(signal_hook::low_level::signal_name)
        .unwrap_or("a signal")
}

fn action(signal: i32) -> io::Result<libc::sigaction> {
    let mut action = MaybeUninit::<libc::sigaction>::uninit();
    // SAFETY: The address is that of memory for one; it is filled if the call succeeds.
    if unsafe { libc::sigaction(signal, ptr::null(), action.as_mut_ptr()) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: The call succeeded.
    Ok(unsafe { action.assume_init() })
}

/// Takes SA_RESTART from the signal's handler: an open(2) that waits for a FIFO's other end is to
/// end.
fn interrupts_calls(signal: i32) -> io::Result<()> {
    let mut action = action(signal)?;
    action.sa_flags &= !libc::SA_RESTART;
    // SAFETY: It is the action that is installed, with the same handler.
    match unsafe { libc::sigaction(signal, &action, ptr::null_mut()) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}
