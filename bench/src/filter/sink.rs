//! The stand-in for the collector: counts what is posted and acknowledges it, as cheaply as this process can.
//!
//! Not the collector itself, for that would take a core of the few that a machine has away from Envoy, and the more the more
//! is recorded. What it answers is the contract of the collector (ARCHITECTURE.md, "The path of one exchange").

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use anyhow::{Context as _, Result};
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

use super::wire::{Head, Wire};

/// Where the Lua script posts; anything else is a post of lines.
pub(super) const SINGLE: &str = "/single";

/// A running sink; dropping it closes its port.
#[derive(Debug)]
pub(super) struct Sink {
    address: SocketAddr,
    exchanges: Arc<AtomicU64>,
    serving: JoinHandle<()>,
}

impl Sink {
    /// Starts it on a free loopback port.
    pub(super) async fn start() -> Result<Sink> {
        let listener = TcpListener::bind("127.0.0.1:0").await.context("a port for the sink")?;
        let address = listener.local_addr().context("the sink's port")?;
        let exchanges = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&exchanges);
        let serving = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let counted = Arc::clone(&counted);
                tokio::spawn(async move {
                    // Ends with the connection; what was not answered is posted again, or missing in the count.
                    let _ = serve(stream, &counted).await;
                });
            }
        });
        Ok(Sink { address, exchanges, serving })
    }

    /// Where it listens.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Exchanges posted so far, by whom ever.
    pub(super) fn exchanges(&self) -> u64 {
        self.exchanges.load(Ordering::Relaxed)
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn serve(stream: TcpStream, exchanges: &AtomicU64) -> Result<()> {
    let mut wire = Wire::new(stream);
    while let Some(head) = wire.head().await? {
        let body = wire.body(head.body_bytes()?).await?;
        let is_single = head.path() == SINGLE.as_bytes();
        let count = if is_single { 1 } else { memchr::memchr_iter(b'\n', &body).count() as u64 };
        exchanges.fetch_add(count, Ordering::Relaxed);
        wire.send(&answer(&head, count)).await?;
    }
    Ok(())
}

/// The answer of a collector that has stored all lines.
fn answer(head: &Head, count: u64) -> Vec<u8> {
    let body = format!(r#"{{"accepted":{count},"rejected":[]}}"#);
    let mut answer = Vec::with_capacity(256);
    answer.extend_from_slice(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n");
    if let (Some(source), Some(batch)) = (head.field(b"x-tributary-source"), head.field(b"x-tributary-batch")) {
        for piece in [b"x-tributary-ack: ".as_slice(), source, b"-", batch, b"\r\n"] {
            answer.extend_from_slice(piece);
        }
    }
    answer.extend_from_slice(format!("content-length: {}\r\n\r\n{body}", body.len()).as_bytes());
    answer
}
