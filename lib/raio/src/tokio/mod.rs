// SPDX-License-Identifier: MIT OR Apache-2.0

//! Futures, on a tokio runtime (feature `tokio`).
//!
//! A [`Handle`] is a context, and a task of the runtime that takes its completions
//! when epoll says that there are any.  Requests are submitted where their futures
//! are polled; one that ends at once, as a read from the page cache does, is ready at
//! once.
//!
//! ```no_run
//! use raio::{tokio::Handle, Buffer};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let raio = Handle::new(64)?;
//! let file = std::fs::File::open("/etc/os-release")?;
//! let (result, buffer) = raio.read_at(&file, Buffer::new(512), 0).await;
//! print!("{}", String::from_utf8_lossy(&buffer[..result?]));
//! # Ok(())
//! # }
//! ```
//!
//! **Buffers** are [`IoBuf`](crate::IoBuf): vectors, which are read into up to their capacity, boxes,
//! arrays, [`Buffer`](crate::Buffer), and parts of these.  They come back with the result, whatever it is.
//!
//! **`O_NONBLOCK`**, as sockets of tokio are, does not matter: where the kernel says
//! `EAGAIN` the file is polled, and then there is another try.  In which order several
//! reads of one such stream are served is not defined.  `EAGAIN` comes
//! through for [`nonblocking`](Transfer::nonblocking) transfers, for files that can't be
//! polled, and where a poll says nothing but that there is an error and the file does not
//! say which (a socket with something in its error queue).
//!
//! **Room.** If as many requests are in flight as the context was made for, futures
//! wait for their turn, first come, first served.
//!
//! **Dropping a future** cancels its request, if it can be cancelled.  If not, the
//! context keeps the buffer until the request has ended.  What it has read is lost,
//! and what it was to write may be written; [`cancel`](Transfer::cancel) and
//! [`timeout`](Transfer::timeout) lose nothing.  Forgetting a future loses the buffer, and
//! no more.
//!
//! **The end.**  [`Handle::shutdown`] cancels what can be cancelled, and waits for the
//! rest.  When the last handle is dropped the task does the same.  If the runtime is
//! dropped before that, this waits, so that no future waits for a task that is gone.
//!
//! The context's calls are made under a mutex; submit does not wait for files, but see
//! [`Builder::no_threads`](crate::Builder::no_threads).

mod adapter;
mod driver;
mod handle;
mod machine;
mod operation;
mod state;
mod timeout;
mod transfer;

pub use adapter::Io;
pub use handle::Handle;
pub use timeout::{TimedOut, Timeout};
pub use transfer::{Incomplete, Transfer, Transferred};
