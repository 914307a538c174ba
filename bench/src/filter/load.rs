//! The load: a known number of requests, as fast as they are answered or at a fixed rate.
//!
//! At a fixed rate a request is due whether or not the ones before it were answered, and its latency counts from then: what
//! a server makes wait is not left out of the account because the client waited too.

mod tickets;

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use tokio::{net::TcpStream, task::JoinSet};

use super::{Protocol, wire::Wire};
use tickets::Tickets;

/// Requests at a time.
pub(super) const IN_FLIGHT: usize = 16;

/// HTTP/2 streams at a time on a connection.
pub(super) const STREAMS: usize = 4;

/// No window of HTTP/2 shall hold an answer back.
const WINDOW_BYTES: u32 = 16 * 1024 * 1024;

/// One load.
#[derive(Clone, Debug)]
pub(super) struct Load {
    /// Envoy.
    pub(super) address: SocketAddr,
    pub(super) protocol: Protocol,
    pub(super) path: String,
    /// How many.
    pub(super) requests: usize,
    /// Each answer must have a body of this size.
    pub(super) body_bytes: usize,
    pub(super) pace: Pace,
}

/// When requests are sent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Pace {
    /// Each as soon as one is answered.
    Full,
    /// So many a second.
    Rate(f64),
}

/// What became of a load. All requests were answered as they have to be.
#[derive(Debug)]
pub(super) struct Driven {
    /// From the first request to the last answer.
    pub(super) took: Duration,
    /// Of each request, from the moment it was due, in nanoseconds and no order.
    pub(super) latencies_ns: Vec<u64>,
}

impl Load {
    /// Drives it.
    ///
    /// # Errors
    /// A request is not answered by 200 and a body of the right size.
    pub(super) async fn drive(&self) -> Result<Driven> {
        let mut workers = JoinSet::new();
        let tickets = Arc::new(Tickets::new(self.requests));
        match self.protocol {
            Protocol::Http1 => {
                for _ in 0..IN_FLIGHT {
                    let wire = Wire::new(self.connect().await?);
                    workers.spawn(http1(wire, Arc::clone(&tickets), self.request(), self.body_bytes));
                }
            }
            Protocol::Http2 => {
                for _ in 0..IN_FLIGHT / STREAMS {
                    let sender = self.connect_http2().await?;
                    for _ in 0..STREAMS {
                        let request = http::Request::get(format!("http://bench.example{}", self.path));
                        let request = request.header("accept", ACCEPT).header("user-agent", AGENT).body(());
                        let request = request.context("a request")?;
                        workers.spawn(http2(sender.clone(), Arc::clone(&tickets), request, self.body_bytes));
                    }
                }
            }
        }
        let began = Instant::now();
        tickets.open(began, self.pace, IN_FLIGHT)?;
        let mut latencies_ns = Vec::with_capacity(self.requests);
        while let Some(worker) = workers.join_next().await {
            latencies_ns.append(&mut worker.context("a client")??);
        }
        let took = began.elapsed();
        ensure!(latencies_ns.len() == self.requests, "{} of {} answered", latencies_ns.len(), self.requests);
        Ok(Driven { took, latencies_ns })
    }

    async fn connect(&self) -> Result<TcpStream> {
        TcpStream::connect(self.address).await.with_context(|| format!("connect to {}", self.address))
    }

    async fn connect_http2(&self) -> Result<h2::client::SendRequest<Bytes>> {
        let stream = self.connect().await?;
        // As in `Wire::new`.
        let _ = stream.set_nodelay(true);
        let mut builder = h2::client::Builder::new();
        builder.initial_window_size(WINDOW_BYTES).initial_connection_window_size(4 * WINDOW_BYTES);
        let (sender, connection) = builder.handshake(stream).await.context("HTTP/2 handshake")?;
        tokio::spawn(async move {
            // Ends when the last sender is gone; errors show up on the streams.
            let _ = connection.await;
        });
        Ok(sender)
    }

    fn request(&self) -> Bytes {
        let path = &self.path;
        format!("GET {path} HTTP/1.1\r\nhost: bench.example\r\naccept: {ACCEPT}\r\nuser-agent: {AGENT}\r\n\r\n").into()
    }
}

const ACCEPT: &str = "application/json";
const AGENT: &str = "tributary-bench/1";

async fn http1(mut wire: Wire, tickets: Arc<Tickets>, request: Bytes, body_bytes: usize) -> Result<Vec<u64>> {
    let mut latencies = Vec::new();
    while let Some(due) = tickets.take().await {
        wire.send(&request).await?;
        let head = wire.head().await?.context("closed instead of answered")?;
        let line = head.first_line();
        ensure!(line.starts_with(b"HTTP/1.1 200"), "answered by {}", String::from_utf8_lossy(line));
        let bytes = head.body_bytes()?;
        ensure!(bytes == body_bytes, "a body of {bytes} bytes instead of {body_bytes}");
        wire.skip(bytes).await?;
        latencies.push(nanoseconds(due.elapsed()));
    }
    Ok(latencies)
}

async fn http2(
    sender: h2::client::SendRequest<Bytes>,
    tickets: Arc<Tickets>,
    request: http::Request<()>,
    body_bytes: usize,
) -> Result<Vec<u64>> {
    let mut latencies = Vec::new();
    while let Some(due) = tickets.take().await {
        let mut sender = sender.clone().ready().await.context("HTTP/2 connection")?;
        let (response, _) = sender.send_request(request.clone(), true).context("send a request")?;
        let response = response.await.context("an answer")?;
        ensure!(response.status() == 200, "answered by {}", response.status());
        let (mut body, mut bytes) = (response.into_body(), 0);
        while let Some(piece) = body.data().await {
            let piece = piece.context("the body of an answer")?;
            bytes += piece.len();
            body.flow_control().release_capacity(piece.len()).context("a window")?;
        }
        ensure!(bytes == body_bytes, "a body of {bytes} bytes instead of {body_bytes}");
        latencies.push(nanoseconds(due.elapsed()));
    }
    Ok(latencies)
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::filter::origin::Origin;

    fn load(origin: &Origin, protocol: Protocol) -> Load {
        Load {
            address: origin.address(),
            protocol,
            path: "/h/1000".to_owned(),
            requests: 100,
            body_bytes: 1_000,
            pace: Pace::Full,
        }
    }

    #[tokio::test]
    async fn each_request_is_answered_over_both_protocols_at_any_pace() {
        let origin = Origin::start().await.unwrap();

        for protocol in [Protocol::Http1, Protocol::Http2] {
            for pace in [Pace::Full, Pace::Rate(10_000.0)] {
                let driven = Load { pace, ..load(&origin, protocol) }.drive().await.unwrap();

                assert_eq!(driven.latencies_ns.len(), 100, "{protocol:?} {pace:?}");
            }
        }
    }

    #[tokio::test]
    async fn answers_that_are_not_as_they_have_to_be_are_told() {
        let origin = Origin::start().await.unwrap();

        for protocol in [Protocol::Http1, Protocol::Http2] {
            let other_size = Load { body_bytes: 999, ..load(&origin, protocol) };
            let other_path = Load { path: "/h/none".to_owned(), ..load(&origin, protocol) };

            assert!(format!("{:#}", other_size.drive().await.unwrap_err()).contains("1000 bytes instead of 999"));
            assert!(format!("{:#}", other_path.drive().await.unwrap_err()).contains("404"));
        }
    }
}
