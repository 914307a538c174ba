//! A raw HTTP/1.1 client: sends the bytes it is told, shows the bytes it gets.

use std::{net::SocketAddr, time::Duration};

use anyhow::{Context as _, Result, bail};
use tokio::{io::AsyncWriteExt as _, net::TcpStream};

use crate::{
    message::{Call, End, Head, Payload, Reply},
    wire::{self, Framing, RawHead, Wire},
};

/// One HTTP/1.1 connection.
///
/// ```no_run
/// # async fn example(address: std::net::SocketAddr) -> anyhow::Result<()> {
/// use tributary_testbed::client::h1::Connection;
///
/// let mut connection = Connection::open(address).await?;
/// connection.send(b"GET //odd/../path HTTP/1.1\r\nhost: a\r\nhost-less: \xff\r\n\r\n").await?;
/// let reply = connection.reply("GET").await?;
/// assert_eq!(reply.status, 200);
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct Connection {
    wire: Wire,
    reusable: bool,
}

impl Connection {
    /// Connects.
    ///
    /// # Errors
    /// Nobody listens there.
    pub async fn open(address: SocketAddr) -> Result<Connection> {
        let stream = TcpStream::connect(address).await.with_context(|| format!("connect to {address}"))?;
        Ok(Connection { wire: Wire::new(stream), reusable: true })
    }

    /// Sends a request and reads the whole reply.
    ///
    /// # Errors
    /// The connection broke before a response head was read. A body that is cut off is no error: see [`End::Cut`].
    pub async fn call(&mut self, call: &Call) -> Result<Reply> {
        // A server may answer and close before it has read the body: its answer counts, not our broken pipe.
        let sent = self.send_call(call).await;
        match self.reply(&call.method).await {
            Ok(reply) => Ok(reply),
            Err(error) => Err(sent.err().unwrap_or(error)),
        }
    }

    /// Sends the head and the body of a request, as [`Call`] says.
    ///
    /// # Errors
    /// The connection broke.
    pub async fn send_call(&mut self, call: &Call) -> Result<()> {
        self.send(&head_of(call)).await?;
        self.wire.write_body(&call.body, &call.trailers).await.context("send a body")
    }

    /// Sends bytes as they are.
    ///
    /// # Errors
    /// The connection broke.
    pub async fn send(&mut self, bytes: &[u8]) -> Result<()> {
        self.wire.write(bytes).await.context("send")
    }

    /// Reads one head: an interim one, or the final one.
    ///
    /// # Errors
    /// The connection closed or what came is no head.
    pub async fn head(&mut self) -> Result<Head> {
        let bytes = self.wire.head_bytes().await?.context("connection closed before a response head")?;
        let raw = RawHead::of_response(&bytes)?;
        let status = raw.first.0.parse().context("status")?;
        if raw.fields.lists("connection", "close") {
            self.reusable = false;
        }
        Ok(Head { status, headers: raw.fields })
    }

    /// Reads interim heads, the final head and the body of the answer to a request with this method.
    ///
    /// # Errors
    /// As [`head`](Self::head).
    pub async fn reply(&mut self, method: &str) -> Result<Reply> {
        let mut interim = Vec::new();
        for _ in 0..100 {
            let head = self.head().await?;
            if head.status >= 200 || head.status == 101 {
                return self.rest_of(interim, head, method).await;
            }
            interim.push(head);
        }
        bail!("a hundred interim responses and no final one")
    }

    /// Reads whatever bytes are there next, at least one; empty at the end of the connection. For tunnels and streams.
    ///
    /// # Errors
    /// The connection broke, or nothing came within `within`.
    pub async fn bytes(&mut self, within: Duration) -> Result<bytes::Bytes> {
        use tokio::io::AsyncReadExt as _;
        if self.wire.ahead.is_empty() {
            let read = self.wire.stream.read_buf(&mut self.wire.ahead);
            tokio::time::timeout(within, read).await.context("nothing came in time")??;
        }
        Ok(self.wire.ahead.split().freeze())
    }

    /// Whether another request may be sent on it.
    pub fn is_reusable(&self) -> bool {
        self.reusable
    }

    /// Says that no more will be sent (FIN), and stays able to read.
    ///
    /// # Errors
    /// The connection broke.
    pub async fn finish(&mut self) -> Result<()> {
        self.wire.stream.shutdown().await.context("shut down")
    }

    /// Breaks the connection off with a reset (RST), as a client does that is killed.
    pub fn reset(self) {
        // Zero seconds of lingering: the kernel throws away what is unsent and resets.
        let _ = self.wire.stream.set_zero_linger();
    }

    async fn rest_of(&mut self, interim: Vec<Head>, head: Head, method: &str) -> Result<Reply> {
        let raw = RawHead { first: (head.status.to_string(), String::new()), fields: head.headers };
        let framing = framing(&raw, head.status, method)?;
        let body = self.wire.body(framing).await;
        if framing == Framing::UntilClose || body.cut.is_some() {
            self.reusable = false;
        }
        Ok(Reply {
            interim,
            status: head.status,
            headers: raw.fields,
            body: body.bytes.freeze(),
            trailers: body.trailers,
            end: body.cut.map_or(End::Complete, End::Cut),
        })
    }
}

/// RFC 9112 §6.3. After 101, and after a 2xx to CONNECT, the connection is no longer HTTP: nothing is read.
fn framing(head: &RawHead, status: u16, method: &str) -> Result<Framing> {
    let tunnel = status == 101 || (method == "CONNECT" && (200..300).contains(&status));
    if tunnel || method == "HEAD" || status == 204 || status == 304 {
        return Ok(Framing::None);
    }
    Ok(head.framing()?.unwrap_or(Framing::UntilClose))
}

/// The request line and headers of a call, with `host` first and the framing header last.
fn head_of(call: &Call) -> Vec<u8> {
    let mut head = format!("{} {} HTTP/1.1\r\nhost: {}\r\n", call.method, call.target, call.authority).into_bytes();
    let mut fields = call.headers.clone();
    if wire::is_chunked(&call.body, &call.trailers) {
        fields.push("transfer-encoding", "chunked");
    } else if let Payload::Whole(body) = &call.body {
        fields.push("content-length", body.len().to_string());
    }
    wire::write_fields(&mut head, &fields);
    head
}
