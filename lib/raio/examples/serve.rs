// SPDX-License-Identifier: MIT OR Apache-2.0

//! Serves the files of a directory by HTTP.
//!
//! ```text
//! serve ADDRESS DIRECTORY     as in: serve 127.0.0.1:8080 /usr/share/doc
//! ```

use raio::{tokio::Handle, Buffer, IoBuf};
use std::{
    fs::File,
    io,
    path::{Component, Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use tokio::net::{TcpListener, TcpStream};

/// Requests in flight, of all connections together; who has no room waits.
const DEPTH: u32 = 256;
const BLOCK: usize = 256 << 10;
const MAX_HEADER: usize = 8 << 10;
/// The time that a client has for its request, and for each block of the answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// Reads up to the empty line.
async fn read_header(raio: &Handle, socket: &TcpStream) -> io::Result<Vec<u8>> {
    let mut header = Vec::with_capacity(MAX_HEADER);
    while !header.windows(4).any(|end| end == b"\r\n\r\n") {
        if header.len() >= MAX_HEADER {
            return Err(io::Error::other("the request is too long"));
        }
        // What is behind the bytes that are there is what is read into.
        let rest = header.len()..MAX_HEADER;
        let read = raio.read(socket, header.slice(rest)).timeout(PATIENCE);
        let (result, part) = read.await?;
        header = part.into_inner();
        if result? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(header)
}

/// The path of a GET, below the directory.
fn path_of(header: &[u8], directory: &Path) -> Option<PathBuf> {
    let line = std::str::from_utf8(header).ok()?.lines().next()?;
    let path = line.strip_prefix("GET /")?.split([' ', '?']).next()?;
    let path = Path::new(path);
    let plain = |part| matches!(part, Component::Normal(_));
    path.components().all(plain).then(|| directory.join(path))
}

async fn send_file(raio: &Handle, socket: &TcpStream, file: &File, size: u64) -> io::Result<()> {
    let mut buffer = Buffer::new(BLOCK);
    let mut offset = 0;
    while offset < size {
        let (result, full) = raio.read_at(file, buffer, offset).await;
        let len = result?;
        if len == 0 {
            // The file was cut off meanwhile: all that can be done is to hang up.
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let write = raio.write_all(socket, full.slice(..len)).timeout(PATIENCE);
        let (result, part) = write.await?;
        result?;
        buffer = part.into_inner();
        offset += len as u64;
    }
    Ok(())
}

async fn answer(raio: &Handle, socket: &TcpStream, directory: &Path) -> io::Result<()> {
    let header = read_header(raio, socket).await?;
    let open = |path: PathBuf| {
        // open(2) may wait for the device, which there is no request for.
        tokio::task::spawn_blocking(move || {
            let file = File::open(path)?;
            let metadata = file.metadata()?;
            match metadata.is_file() {
                true => Ok((file, metadata.len())),
                false => Err(io::Error::from(io::ErrorKind::NotFound)),
            }
        })
    };
    let found = match path_of(&header, directory) {
        Some(path) => open(path).await?,
        None => Err(io::ErrorKind::InvalidInput.into()),
    };
    match found {
        Ok((file, size)) => {
            let head = format!("HTTP/1.0 200 OK\r\nContent-Length: {size}\r\n\r\n");
            raio.write_all(socket, head).await.0?;
            send_file(raio, socket, &file, size).await
        }
        Err(_) => {
            let text = "HTTP/1.0 404 Not Found\r\nContent-Length: 0\r\n\r\n";
            raio.write_all(socket, text).await.0?;
            Ok(())
        }
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [address, directory] =
        <[String; 2]>::try_from(args).map_err(|_| "usage: serve ADDRESS DIRECTORY")?;
    let directory: Arc<Path> = PathBuf::from(directory).into();
    let raio = Handle::new(DEPTH)?;
    let listener = TcpListener::bind(address).await?;
    println!("listening on {}", listener.local_addr()?);
    loop {
        let (socket, peer) = listener.accept().await?;
        let (raio, directory) = (raio.clone(), Arc::clone(&directory));
        tokio::spawn(async move {
            if let Err(error) = answer(&raio, &socket, &directory).await {
                eprintln!("{peer}: {error}");
            }
        });
    }
}
