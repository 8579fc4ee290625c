// SPDX-License-Identifier: MIT OR Apache-2.0

//! Copies files, all at once, each with some blocks in flight.
//!
//! ```text
//! tokio_copy FILE... DIRECTORY
//! ```

use raio::{tokio::Handle, Buffer};
use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
    sync::Arc,
};
use tokio::task::JoinSet;

const BLOCK: u64 = 256 << 10;
/// Requests in flight, of all files together; who has no room waits.
const DEPTH: u32 = 32;

async fn copy_block(
    raio: &Handle,
    from: &File,
    to: &File,
    start: u64,
    len: usize,
) -> io::Result<()> {
    let (mut buffer, mut done) = (Buffer::new(len), 0);
    while done < len {
        let offset = start + done as u64;
        buffer.set_len(len - done);
        let (read, full) = raio.read_at(from, buffer, offset).await;
        buffer = full;
        match read? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            read => buffer.set_len(read),
        }
        // A write goes on until all is written, or an error.
        let (written, empty) = raio.write_at(to, buffer, offset).await;
        buffer = empty;
        done += written?;
    }
    Ok(())
}

async fn copy(raio: Handle, from: PathBuf, to: PathBuf) -> io::Result<u64> {
    let (from, to) = (Arc::new(File::open(from)?), Arc::new(File::create(to)?));
    let size = from.metadata()?.len();
    let mut blocks = JoinSet::new();
    let mut next = 0;
    while next < size || !blocks.is_empty() {
        while next < size && blocks.len() < DEPTH as usize {
            let (raio, from, to, start) = (raio.clone(), from.clone(), to.clone(), next);
            let len = BLOCK.min(size - start) as usize;
            blocks.spawn(async move { copy_block(&raio, &from, &to, start, len).await });
            next += len as u64;
        }
        // If one fails the others are dropped, and cancelled by that.
        blocks.join_next().await.expect("there is one")??;
    }
    raio.fsync(&*to).await?;
    Ok(size)
}

async fn copy_all(files: &[PathBuf], directory: &Path) -> io::Result<()> {
    let raio = Handle::new(DEPTH)?;
    let mut tasks = JoinSet::new();
    for file in files {
        let name = file.file_name().ok_or(io::ErrorKind::InvalidInput)?;
        let (raio, from, to) = (raio.clone(), file.clone(), directory.join(name));
        tasks.spawn(async move { (from.clone(), copy(raio, from, to).await) });
    }
    let mut result = Ok(());
    while let Some(task) = tasks.join_next().await {
        let (file, copied) = task?;
        match copied {
            Ok(size) => println!("{}: {size} bytes", file.display()),
            Err(error) => {
                result = Err(io::Error::new(
                    error.kind(),
                    format!("{}: {error}", file.display()),
                ));
            }
        }
    }
    raio.shutdown().await;
    result
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut files: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let Some(directory) = files.pop().filter(|_| !files.is_empty()) else {
        return Err("usage: tokio_copy FILE... DIRECTORY".into());
    };
    tokio::runtime::Builder::new_multi_thread()
        .enable_io()
        .build()?
        .block_on(copy_all(&files, &directory))?;
    Ok(())
}
