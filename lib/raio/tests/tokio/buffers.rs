// SPDX-License-Identifier: MIT OR Apache-2.0

//! What is read into, what is written, and how much.

use super::runtime;
use crate::{
    common::{pipe, temp_file},
    need_device,
};
use raio::{tokio::Handle, Buffer, Context, IoBuf};
use std::io::{ErrorKind, Seek, Write};

#[test]
fn a_vector_is_read_into_up_to_its_capacity() {
    need_device!();
    runtime().block_on(async {
        let (raio, file) = (Handle::new(4).unwrap(), temp_file());
        assert_eq!(raio.write_at(&file, "database", 0).await.0.unwrap(), 8);
        let (result, bytes) = raio.read_at(&file, Vec::with_capacity(64), 4).await;
        assert_eq!((result.unwrap(), &bytes[..]), (4, &b"base"[..]));
        // It is not made shorter, and begins at its start.
        let (result, bytes) = raio.read_at(&file, vec![b'x'; 8], 6).await;
        assert_eq!((result.unwrap(), &bytes[..]), (2, &b"sexxxxxx"[..]));
        // To append.
        let mut bytes = Vec::with_capacity(64);
        bytes.extend_from_slice(b"my ");
        let (result, slice) = raio.read_at(&file, bytes.slice(3..7), 0).await;
        assert_eq!(result.unwrap(), 4);
        assert_eq!(slice.into_inner(), b"my data");
    });
}

#[test]
fn boxes_arrays_and_parts_come_back_as_they_are() {
    need_device!();
    runtime().block_on(async {
        let (raio, file) = (Handle::new(4).unwrap(), temp_file());
        let (result, bytes) = raio.write_at(&file, *b"database", 0).await;
        assert_eq!((result.unwrap(), bytes), (8, *b"database"));
        let boxed = vec![0; 4].into_boxed_slice();
        let address = boxed.as_ptr();
        let (result, boxed) = raio.read_exact_at(&file, boxed, 2).await;
        assert_eq!((result.unwrap(), &boxed[..]), (4, &b"taba"[..]));
        assert_eq!(boxed.as_ptr(), address);
        let (result, array) = raio.read_exact_at(&file, [0; 3], 5).await;
        assert_eq!((result.unwrap(), array), (3, *b"ase"));
        let part = Buffer::new(8).slice(2..5);
        let (result, part) = raio.read_exact_at(&file, part, 0).await;
        assert_eq!(result.unwrap(), 3);
        assert_eq!(&part.into_inner()[..], b"\0\0dat\0\0\0");
        let part = "my database".to_string().slice(3..7);
        assert_eq!(raio.write_all_at(&file, part, 4).await.0.unwrap(), 4);
        let (_, array) = raio.read_exact_at(&file, [0; 8], 0).await;
        assert_eq!(array, *b"datadata");
    });
}

#[test]
fn an_early_end_tells_how_much_there_was() {
    need_device!();
    runtime().block_on(async {
        let (raio, file) = (Handle::new(4).unwrap(), temp_file());
        raio.write_all_at(&file, "data", 0).await.0.unwrap();
        let (result, bytes) = raio.read_exact_at(&file, [0; 8], 1).await;
        let error = result.unwrap_err();
        assert_eq!((error.moved, bytes), (3, *b"ata\0\0\0\0\0"));
        assert_eq!(error.source.kind(), ErrorKind::UnexpectedEof);
        let (reader, mut writer) = pipe();
        writer.write_all(b"data").unwrap();
        drop(writer);
        let (result, bytes) = raio.read_exact(&reader, Vec::with_capacity(8)).await;
        let error = result.unwrap_err();
        assert_eq!((error.moved, &bytes[..]), (4, &b"data"[..]));
        let (result, bytes) = raio.write_all(&reader, *b"data").await;
        let error = result.unwrap_err();
        assert_eq!((error.moved, bytes), (0, *b"data"));
        assert_eq!(error.source.raw_os_error(), Some(libc::EBADF));
    });
}

/// A read of a stream ends with the first data.
#[test]
fn exact_goes_on_where_a_stream_has_ended_early() {
    need_device!();
    runtime().block_on(async {
        let raio = Handle::new(4).unwrap();
        let (reader, mut writer) = pipe();
        let read = raio.read_exact(&reader, [0; 8]);
        let write = async {
            for part in [b"da", b"ta", b"ba", b"se"] {
                writer.write_all(part).unwrap();
                while crate::common::bytes_in(&reader) > 0 {
                    tokio::task::yield_now().await;
                }
            }
        };
        let ((result, bytes), ()) = tokio::join!(read, write);
        assert_eq!((result.unwrap(), bytes), (8, *b"database"));
    });
}

#[test]
fn nothing_is_nothing() {
    need_device!();
    runtime().block_on(async {
        let (raio, file) = (Handle::new(4).unwrap(), temp_file());
        assert_eq!(raio.read_exact_at(&file, [0; 0], 0).await.0.unwrap(), 0);
        assert_eq!(raio.write_all_at(&file, Vec::new(), 0).await.0.unwrap(), 0);
        assert_eq!(raio.read_at(&file, Vec::new(), 0).await.0.unwrap(), 0);
    });
}

/// Parts of it have its index: the kernel would refuse memory that is not in it.
#[test]
fn parts_of_a_registered_buffer_are_registered() {
    need_device!();
    runtime().block_on(async {
        let mut context = Context::new(4).unwrap();
        let mut buffers = [Buffer::new(8192)];
        context.register_buffers(&mut buffers).unwrap();
        let (raio, file) = (Handle::from_context(context).unwrap(), temp_file());
        let [mut buffer] = buffers;
        buffer[4096..].fill(7);
        let (result, part) = raio.write_all_at(&file, buffer.slice(4096..), 0).await;
        assert_eq!(result.unwrap(), 4096);
        let (result, part) = raio
            .read_exact_at(&file, part.into_inner().slice(..4096), 0)
            .await;
        assert_eq!(result.unwrap(), 4096);
        assert!(part.into_inner().iter().all(|&byte| byte == 7));
    });
}

#[test]
fn the_file_position_moves() {
    need_device!();
    if !raio::Info::query().unwrap().has_file_position() {
        eprintln!("skipped: the module has no file position");
        return;
    }
    runtime().block_on(async {
        let (raio, mut file) = (Handle::new(4).unwrap(), temp_file());
        raio.write_all(&file, "data").await.0.unwrap();
        raio.write_all(&file, "base").await.0.unwrap();
        assert_eq!(file.stream_position().unwrap(), 8);
        file.seek(std::io::SeekFrom::Start(2)).unwrap();
        let (result, bytes) = raio.read_exact(&file, [0; 4]).await;
        assert_eq!((result.unwrap(), bytes), (4, *b"taba"));
        assert_eq!(file.stream_position().unwrap(), 6);
    });
}
