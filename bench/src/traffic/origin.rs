//! An app that costs next to nothing: whatever is asked, it answers the same bytes.

use std::net::{Ipv4Addr, SocketAddr};

use anyhow::{Context as _, Result};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

/// Bytes of a request's head; Envoy's are some hundred.
const MAX_HEAD_BYTES: usize = 64 * 1024;

/// Runs until it is dropped. Understands requests without a body.
#[derive(Debug)]
pub(crate) struct Origin {
    address: SocketAddr,
    accepting: JoinHandle<()>,
}

impl Origin {
    /// Answers every request with 200 and this JSON.
    ///
    /// # Errors
    /// No port is free.
    pub(crate) async fn start(json: &str) -> Result<Origin> {
        let reply = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{json}",
            json.len()
        );
        let reply: &'static [u8] = reply.into_bytes().leak();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.context("listen")?;
        let address = listener.local_addr().context("own address")?;
        let accepting = tokio::spawn(async move {
            // Ends with the task; a connection that breaks is Envoy's to tell.
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, reply));
            }
        });
        Ok(Origin { address, accepting })
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Origin {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn serve(mut stream: TcpStream, reply: &'static [u8]) {
    // Without it the second of two small answers waits for the first to be acknowledged.
    if stream.set_nodelay(true).is_err() {
        return;
    }
    let mut ahead = Vec::with_capacity(4096);
    loop {
        match stream.read_buf(&mut ahead).await {
            Ok(0) | Err(_) => return,
            Ok(_) if ahead.len() > MAX_HEAD_BYTES => return,
            Ok(_) => {}
        }
        while let Some(end) = memchr::memmem::find(&ahead, b"\r\n\r\n") {
            ahead.drain(..end + 4);
            if stream.write_all(reply).await.is_err() {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn every_request_of_a_connection_gets_the_answer() {
        let origin = Origin::start("[1]").await.unwrap();
        let mut stream = TcpStream::connect(origin.address()).await.unwrap();

        stream.write_all(b"GET /a HTTP/1.1\r\nhost: x\r\n\r\nGET /b HTTP/1.1\r\n\r\nGET /c HT").await.unwrap();
        let mut replies = vec![0; 2 * 73];
        stream.read_exact(&mut replies).await.unwrap();
        stream.write_all(b"TP/1.1\r\n\r\n").await.unwrap();
        let mut third = vec![0; 73];
        stream.read_exact(&mut third).await.unwrap();

        assert_eq!(replies, [third.clone(), third.clone()].concat());
        assert!(third.ends_with(b"\r\ncontent-length: 3\r\n\r\n[1]"), "{}", String::from_utf8_lossy(&third));
    }
}
