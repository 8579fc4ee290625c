// SPDX-License-Identifier: MIT OR Apache-2.0

//! Asynchronous file I/O through `/dev/raio`.
//!
//! A [`Context`] takes [`Request`]s and gives back [`Completion`]s.  A request
//! owns its [`Buffer`], and the context owns the request until its completion
//! has been taken: what the kernel may still read or write can't be touched or
//! freed by safe code, not even by dropping or forgetting the context.
//!
//! ```no_run
//! use raio::{Buffer, Context, Request};
//! use std::{collections::VecDeque, fs::File};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let file = File::open("/etc/os-release")?;
//! let mut context = Context::new(8)?;
//! let mut queue = VecDeque::from([Request::read_at(&file, Buffer::new(512), 0)]);
//! context.submit(&mut queue)?;
//!
//! let mut completions = Vec::new();
//! context.getevents(1, None, &mut completions)?;
//! for completion in completions {
//!     let len = completion.result?;
//!     let buffer = completion.buffer.expect("a read has one");
//!     print!("{}", String::from_utf8_lossy(&buffer[..len]));
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # Tour
//!
//! **Requests** are made by functions of [`Request`]: `read_at` and `write_at`, `read` and
//! `write` for streams and the file position, vectored as well, `fsync`, `fdsync` and
//! `sync_file_range`, `poll` and `noop`.  `with_*` adds flags, a priority, an eventfd, a
//! deadline, a range, a barrier, or a word that comes back.  A request borrows its file only until it
//! is submitted.
//!
//! **Submitting** does not wait for files.  [`Context::submit`] takes from a queue what
//! there is room for and leaves the rest there; [`Context::submit_one`] takes one, or
//! gives it back.
//!
//! **Completions** come from [`Context::getevents`]; if there are enough of them already
//! that is done without a system call.  [`Context::submit_and_getevents`] does both in
//! one.  A program with an event loop polls the context itself: it is
//! [`AsFd`](std::os::fd::AsFd).
//!
//! **Cancelling** is by [`RequestId`], which no other request ever has:
//!
//! ```no_run
//! # use raio::{Buffer, Context, ErrorKind, Request};
//! # use std::time::Duration;
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let pipe = std::os::unix::net::UnixStream::pair()?.0;
//! let mut context = Context::new(8)?;
//! let request = Request::read_at(&pipe, Buffer::new(512), 0);
//! let id = context.submit_one(request).map_err(raio::Error::from)?;
//! let mut completions = Vec::new();
//! if context.getevents(1, Some(Duration::from_secs(1)), &mut completions)? == 0 {
//!     match context.cancel(id) {
//!         Ok(completion) => assert!(completion.is_cancelled()),
//!         Err(error) if matches!(error.kind(), ErrorKind::Running | ErrorKind::Cancelled) => {
//!             context.getevents(1, None, &mut completions)?;
//!         }
//!         Err(error) => return Err(error.into()),
//!     }
//! }
//! # Ok(())
//! # }
//! ```
//!
//! **Registering** what is used again and again saves a part of what each request costs:
//! [`Context::register_buffers`] pins memory, [`Context::register_files`] looks files up.
//!
//! **Errors** name the call; where a limit is the reason, the message has its numbers,
//! and [`Error::limit`] too.
//!
//! **Older modules**: what they do not have is
//! [`Unsupported`](ErrorKind::Unsupported) when it is asked for; [`Info`] tells beforehand.
//!
//! **Futures**: feature `tokio`, module `tokio`.
//!
//! # Features
//!
//! - `tokio` (off by default): module `tokio`.

mod abi;
mod buffer;
mod builder;
mod completion;
mod context;
mod data;
mod deadline;
mod device;
mod error;
mod flags;
mod info;
mod io_buf;
mod iovec;
mod operation;
mod process;
mod registered;
mod rejected;
mod request;
mod ring;
mod slots;
pub mod sys;
#[cfg(feature = "tokio")]
pub mod tokio;
mod wait;

pub use buffer::Buffer;
pub use builder::Builder;
pub use completion::{Completion, Output, RequestId};
pub use context::{Context, Entered};
pub use error::{Error, ErrorKind, Limit, Result};
pub use flags::{IoPriority, Readiness, RwFlags, SyncRangeFlags};
pub use info::Info;
pub use io_buf::{IoBuf, IoBufMut, Slice};
pub use operation::Operation;
pub use registered::{FixedFile, Target};
pub use rejected::Rejected;
pub use request::Request;

/// The examples of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
