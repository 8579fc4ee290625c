// SPDX-License-Identifier: GPL-2.0

//! The engines: each does the same operations by another interface.

mod aio;
mod interface;
mod iocbs;
#[cfg(libraio)]
mod libraio;
mod raio;
pub mod sync;
mod uring;

pub use interface::{check, Buffers, Engine, Kind, Op, Setup};

use clap::ValueEnum;
use iocbs::Iocbs;
use std::io;

/// The engines by name.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum Name {
    /// pread(2), pwrite(2) ...
    Sync,
    /// io_submit(2) and io_getevents(2)
    Native,
    /// io_uring_enter(2): submit and wait
    Uring,
    /// The same with registered buffers and files
    UringFixed,
    /// RAIO_IOC_SUBMIT and RAIO_IOC_GETEVENTS
    Raio,
    /// RAIO_IOC_ENTER
    RaioEnter,
    /// The same with registered buffers and files
    RaioFixed,
    /// libraio's io_submit and io_getevents
    Libraio,
}

impl Name {
    pub fn text(self) -> String {
        self.to_possible_value().unwrap().get_name().to_owned()
    }
}

pub fn open(name: Name, setup: &Setup, buffers: &Buffers) -> io::Result<Box<dyn Engine>> {
    match name {
        Name::Sync => Ok(Box::new(sync::Sync)),
        Name::Uring => Ok(Box::new(uring::Uring::new(setup, buffers, false)?)),
        Name::UringFixed => Ok(Box::new(uring::Uring::new(setup, buffers, true)?)),
        Name::RaioFixed => {
            let calls = raio::fixed(setup, buffers)?;
            Ok(Box::new(Iocbs::new(calls, setup.depth, true)))
        }
        _ => Handle::new(name, setup.depth)?.open(setup.depth),
    }
}

/// A context alone, which several engines may use, on as many threads.
#[derive(Clone, Copy)]
pub enum Handle {
    Native(aio::Native),
    #[cfg(libraio)]
    Libraio(libraio::Libraio),
    Raio(raio::Raio),
}

impl Handle {
    pub fn new(name: Name, events: usize) -> io::Result<Self> {
        Ok(match name {
            Name::Native => Handle::Native(aio::Native::new(events)?),
            #[cfg(libraio)]
            Name::Libraio => Handle::Libraio(libraio::Libraio::new(events)?),
            #[cfg(not(libraio))]
            Name::Libraio => return Err(io::Error::other("built without libraio")),
            Name::Raio => Handle::Raio(raio::Raio::new(events, false)?),
            Name::RaioEnter => Handle::Raio(raio::Raio::new(events, true)?),
            _ => return Err(io::Error::from(io::ErrorKind::Unsupported)),
        })
    }

    pub fn open(self, depth: usize) -> io::Result<Box<dyn Engine>> {
        Ok(match self {
            Handle::Native(calls) => Box::new(Iocbs::new(calls, depth, false)),
            #[cfg(libraio)]
            Handle::Libraio(calls) => Box::new(Iocbs::new(calls, depth, false)),
            Handle::Raio(calls) => Box::new(Iocbs::new(calls, depth, false)),
        })
    }

    pub fn destroy(self) -> io::Result<()> {
        match self {
            Handle::Native(calls) => calls.destroy(),
            #[cfg(libraio)]
            Handle::Libraio(calls) => calls.destroy(),
            Handle::Raio(calls) => calls.destroy(),
        }
    }
}
