// SPDX-License-Identifier: MIT OR Apache-2.0

use crate::abi;

/// What a request does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Operation {
    /// [`Request::read`](crate::Request::read), [`Request::read_at`](crate::Request::read_at).
    Read,
    /// [`Request::write`](crate::Request::write), [`Request::write_at`](crate::Request::write_at).
    Write,
    /// [`Request::read_vectored`](crate::Request::read_vectored), [`Request::read_vectored_at`](crate::Request::read_vectored_at).
    ReadVectored,
    /// [`Request::write_vectored`](crate::Request::write_vectored), [`Request::write_vectored_at`](crate::Request::write_vectored_at).
    WriteVectored,
    /// [`Request::fsync`](crate::Request::fsync).
    Fsync,
    /// [`Request::fdsync`](crate::Request::fdsync).
    Fdsync,
    /// [`Request::sync_file_range`](crate::Request::sync_file_range).
    SyncFileRange,
    /// [`Request::poll`](crate::Request::poll).
    Poll,
    /// [`Request::noop`](crate::Request::noop).
    Noop,
}

impl Operation {
    pub(crate) const fn opcode(self) -> u16 {
        match self {
            Self::Read => abi::IOCB_CMD_PREAD,
            Self::Write => abi::IOCB_CMD_PWRITE,
            Self::ReadVectored => abi::IOCB_CMD_PREADV,
            Self::WriteVectored => abi::IOCB_CMD_PWRITEV,
            Self::Fsync => abi::IOCB_CMD_FSYNC,
            Self::Fdsync => abi::IOCB_CMD_FDSYNC,
            Self::SyncFileRange => abi::RAIO_CMD_SYNC_FILE_RANGE,
            Self::Poll => abi::IOCB_CMD_POLL,
            Self::Noop => abi::IOCB_CMD_NOOP,
        }
    }

    pub(crate) const fn is_read(self) -> bool {
        matches!(self, Self::Read | Self::ReadVectored)
    }

    pub(crate) const fn is_transfer(self) -> bool {
        self.is_read() || matches!(self, Self::Write | Self::WriteVectored)
    }
}
