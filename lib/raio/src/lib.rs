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
//! let mut queue = VecDeque::from([Request::read(&file, Buffer::new(512), 0)]);
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

mod buffer;
mod context;
mod error;
mod request;
pub mod sys;

pub use buffer::Buffer;
pub use context::{Context, Info};
pub use error::{Error, Result};
pub use request::{Completion, Request};
