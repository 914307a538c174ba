//! A raw HTTP/2 client (cleartext, prior knowledge): streams with trailers both ways, resets, several cookie fields.

use std::{future::poll_fn, net::SocketAddr};

use anyhow::{Context as _, Result, bail};
use bytes::{Bytes, BytesMut};
use h2::{
    Reason, RecvStream, SendStream,
    client::{ResponseFuture, SendRequest},
};
use tokio::{net::TcpStream, task::JoinHandle};

use crate::message::{Call, End, Fields, Head, Reply};

/// One HTTP/2 connection; streams may run on it side by side.
#[derive(Debug)]
pub struct Connection {
    sender: SendRequest<Bytes>,
    driver: JoinHandle<()>,
}

/// One stream whose request head is sent: for bodies that go both ways at once (gRPC streams, tunnels).
#[derive(Debug)]
pub struct Stream {
    response: ResponseFuture,
    sender: SendStream<Bytes>,
}

impl Connection {
    /// Connects and shakes hands.
    ///
    /// # Errors
    /// Nobody listens there, or the peer does not speak HTTP/2.
    pub async fn open(address: SocketAddr) -> Result<Connection> {
        let stream = TcpStream::connect(address).await.with_context(|| format!("connect to {address}"))?;
        let _ = stream.set_nodelay(true);
        let (sender, connection) = h2::client::handshake(stream).await.context("http/2 handshake")?;
        let driver = tokio::spawn(async move {
            // Errors show up on the streams.
            let _ = connection.await;
        });
        Ok(Connection { sender, driver })
    }

    /// Sends a request, body and trailers, and reads the whole reply.
    ///
    /// # Errors
    /// No response head came. A body that is cut off is no error: see [`End::Cut`].
    pub async fn call(&mut self, call: &Call) -> Result<Reply> {
        let pieces = call.body.pieces();
        let mut stream = self.start(call, pieces.is_empty() && call.trailers.is_empty()).await?;
        for (index, piece) in pieces.iter().enumerate() {
            let last = index + 1 == pieces.len() && call.trailers.is_empty();
            // A server may answer and reset before it has read the body: its answer counts.
            if stream.send(piece.clone(), last).await.is_err() {
                break;
            }
        }
        if !call.trailers.is_empty() {
            let _ = stream.finish(&call.trailers);
        }
        stream.reply().await
    }

    /// Sends the head of a request; `ends` says that nothing follows it.
    ///
    /// # Errors
    /// The connection broke or the head cannot be written in HTTP/2.
    pub async fn start(&mut self, call: &Call, ends: bool) -> Result<Stream> {
        let mut sender = self.sender.clone().ready().await.context("http/2 connection")?;
        let (response, sender) = sender.send_request(head_of(call)?, ends).context("send a head")?;
        Ok(Stream { response, sender })
    }

    /// Breaks the connection off without a farewell.
    pub fn abort(self) {
        self.driver.abort();
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl Stream {
    /// Sends a piece of the body, as fast as the peer takes it; `ends` says that it is the last.
    ///
    /// # Errors
    /// The stream was reset or the connection broke.
    pub async fn send(&mut self, piece: Bytes, ends: bool) -> Result<()> {
        send_all(&mut self.sender, piece, ends).await
    }

    /// Ends the request with trailers.
    ///
    /// # Errors
    /// The stream was reset or the connection broke.
    pub fn finish(&mut self, trailers: &Fields) -> Result<()> {
        self.sender.send_trailers(trailers.to_map()?).context("send trailers")
    }

    /// Gives the stream up (RST_STREAM CANCEL).
    pub fn reset(mut self) {
        self.sender.send_reset(Reason::CANCEL);
    }

    /// Reads the whole reply.
    ///
    /// # Errors
    /// The stream was reset before a response head.
    pub async fn reply(self) -> Result<Reply> {
        let (mut reply, body) = self.head().await?;
        collect(body, &mut reply).await;
        Ok(reply)
    }

    /// Reads the response head (the reply has no body yet) and hands out the stream of the body.
    ///
    /// # Errors
    /// The stream was reset before a response head.
    pub async fn head(mut self) -> Result<(Reply, Body)> {
        let interim = self.interim().await;
        let response = (&mut self.response).await.context("response head")?;
        let (head, stream) = response.into_parts();
        let reply = Reply {
            interim,
            status: head.status.as_u16(),
            headers: Fields::from_map(&head.headers),
            body: Bytes::new(),
            trailers: Fields::new(),
            end: End::Complete,
        };
        Ok((reply, Body { stream, sender: self.sender }))
    }

    async fn interim(&mut self) -> Vec<Head> {
        let mut interim = Vec::new();
        while let Some(Ok(head)) = poll_fn(|context| self.response.poll_informational(context)).await {
            interim.push(Head { status: head.status().as_u16(), headers: Fields::from_map(head.headers()) });
        }
        interim
    }
}

/// The body of a response while the request may still go on.
#[derive(Debug)]
pub struct Body {
    stream: RecvStream,
    sender: SendStream<Bytes>,
}

impl Body {
    /// The next piece; `None` at the end of the body.
    ///
    /// # Errors
    /// The stream was reset or the connection broke.
    pub async fn next(&mut self) -> Result<Option<Bytes>> {
        let Some(piece) = self.stream.data().await else { return Ok(None) };
        let piece = piece.context("response body")?;
        self.stream.flow_control().release_capacity(piece.len()).context("flow control")?;
        Ok(Some(piece))
    }

    /// The trailers, after the end of the body.
    ///
    /// # Errors
    /// The stream was reset or the connection broke.
    pub async fn trailers(&mut self) -> Result<Fields> {
        let trailers = self.stream.trailers().await.context("response trailers")?;
        Ok(trailers.map(|map| Fields::from_map(&map)).unwrap_or_default())
    }

    /// Sends a further piece of the request.
    ///
    /// # Errors
    /// As [`Stream::send`].
    pub async fn send(&mut self, piece: Bytes, ends: bool) -> Result<()> {
        send_all(&mut self.sender, piece, ends).await
    }

    /// Gives the stream up (RST_STREAM CANCEL).
    pub fn reset(mut self) {
        self.sender.send_reset(Reason::CANCEL);
    }
}

async fn collect(mut body: Body, reply: &mut Reply) {
    let mut bytes = BytesMut::new();
    let end = loop {
        match body.next().await {
            Ok(Some(piece)) => bytes.extend_from_slice(&piece),
            Ok(None) => break body.trailers().await.map(|trailers| reply.trailers = trailers),
            Err(error) => break Err(error),
        }
    };
    reply.body = bytes.freeze();
    if let Err(error) = end {
        reply.end = End::Cut(format!("{error:#}"));
    }
}

/// Sends under flow control: waits for room, so that a large body does not pile up in memory.
pub(crate) async fn send_all(sender: &mut SendStream<Bytes>, mut piece: Bytes, ends: bool) -> Result<()> {
    while !piece.is_empty() {
        sender.reserve_capacity(piece.len());
        let room = poll_fn(|context| sender.poll_capacity(context)).await;
        let Some(room) = room.transpose().context("send a body")? else { bail!("stream is closed") };
        let part = piece.split_to(room.min(piece.len()));
        let last = ends && piece.is_empty();
        sender.send_data(part, last).context("send a body")?;
        if last {
            return Ok(());
        }
    }
    match ends {
        true => sender.send_data(Bytes::new(), true).context("end a body"),
        false => Ok(()),
    }
}

fn head_of(call: &Call) -> Result<http::Request<()>> {
    let uri = match call.method.as_str() {
        "CONNECT" => call.target.clone(),
        _ => format!("http://{}{}", call.authority, call.target),
    };
    let mut request = http::Request::builder().method(call.method.as_str()).uri(uri).body(()).context("http/2 head")?;
    *request.headers_mut() = call.headers.to_map()?;
    if let crate::message::Payload::Whole(body) = &call.body {
        request.headers_mut().insert(http::header::CONTENT_LENGTH, body.len().into());
    }
    Ok(request)
}
