// SPDX-License-Identifier: MIT OR Apache-2.0

//! Passes what comes to one address on to another, both ways.
//!
//! ```text
//! relay LISTEN TARGET         as in: relay 127.0.0.1:8080 127.0.0.1:80
//! ```

use raio::{tokio::Handle, IoBuf};
use std::{io, net::Shutdown, os::fd::AsFd, sync::Arc, time::Duration};
use tokio::net::{TcpListener, TcpStream};

/// Requests in flight, of all connections together; who has no room waits.
const DEPTH: u32 = 256;
const BUFFER: usize = 64 << 10;
/// A connection on which nothing comes for so long is given up.
const IDLE: Duration = Duration::from_secs(300);

/// One direction, until its end.  The sockets are tokio's, and `O_NONBLOCK`: that does
/// not matter.
async fn pump(raio: &Handle, from: &TcpStream, to: &TcpStream) -> io::Result<u64> {
    let mut total = 0;
    let mut buffer = Vec::with_capacity(BUFFER);
    loop {
        // The buffer goes into the request, and comes back with it.  A vector is read into
        // up to its capacity, from its start.
        let (result, full) = raio.read(from, buffer).timeout(IDLE).await?;
        let len = result?;
        if len == 0 {
            // The other side is told, and may still answer.
            shutdown(to, Shutdown::Write)?;
            return Ok(total);
        }
        let (result, part) = raio.write_all(to, full.slice(..len)).await;
        result?;
        total += len as u64;
        buffer = part.into_inner();
    }
}

/// shutdown(2), which a `TcpStream` of tokio has for its owner only.
fn shutdown(socket: &TcpStream, how: Shutdown) -> io::Result<()> {
    std::net::TcpStream::from(socket.as_fd().try_clone_to_owned()?).shutdown(how)
}

async fn relay(raio: &Handle, client: TcpStream, target: &str) -> io::Result<(u64, u64)> {
    let server = TcpStream::connect(target).await?;
    // If one fails the other is dropped, and cancelled by that.
    tokio::try_join!(pump(raio, &client, &server), pump(raio, &server, &client))
}

async fn listen(address: &str, target: String) -> io::Result<()> {
    let raio = Handle::new(DEPTH)?;
    let listener = TcpListener::bind(address).await?;
    println!("listening on {}", listener.local_addr()?);
    let target: Arc<str> = target.into();
    loop {
        let (client, peer) = listener.accept().await?;
        let (raio, target) = (raio.clone(), Arc::clone(&target));
        tokio::spawn(async move {
            match relay(&raio, client, &target).await {
                Ok((sent, received)) => println!("{peer}: {sent} bytes out, {received} in"),
                Err(error) => eprintln!("{peer}: {error}"),
            }
        });
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [address, target] =
        <[String; 2]>::try_from(args).map_err(|_| "usage: relay LISTEN TARGET")?;
    listen(&address, target).await?;
    Ok(())
}
