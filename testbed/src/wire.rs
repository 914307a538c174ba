//! HTTP/1.1 on a socket, for the raw client and the origin: heads, bodies and trailers as they are framed
//! (RFC 9112 §6-7), each byte kept.

use std::io;

use anyhow::{Context as _, Result, bail, ensure};
use bytes::{Buf as _, Bytes, BytesMut};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::message::{Fields, Payload};

/// The longest head that is read, in bytes.
const MAX_HEAD_BYTES: usize = 1024 * 1024;

/// The most fields in a head.
const MAX_FIELDS: usize = 2_000;

/// The longest body that is kept, in bytes: a test that sends more has gone wrong.
const MAX_BODY_BYTES: usize = 512 * 1024 * 1024;

/// One connection with what was read ahead.
#[derive(Debug)]
pub(crate) struct Wire {
    pub(crate) stream: TcpStream,
    pub(crate) ahead: BytesMut,
}

/// The first line of a request (method, target) or of a response (status as text, reason), and the fields.
#[derive(Debug)]
pub(crate) struct RawHead {
    pub(crate) first: (String, String),
    pub(crate) fields: Fields,
}

/// How the body behind a head ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    None,
    Length(usize),
    Chunked,
    UntilClose,
}

/// A body and its trailers; `cut` says why it is not whole.
#[derive(Debug, Default)]
pub(crate) struct RawBody {
    pub(crate) bytes: BytesMut,
    pub(crate) trailers: Fields,
    pub(crate) cut: Option<String>,
}

impl Wire {
    pub(crate) fn new(stream: TcpStream) -> Wire {
        // Small writes must leave at once: the tests are about where bytes are cut.
        let _ = stream.set_nodelay(true);
        Wire { stream, ahead: BytesMut::new() }
    }

    /// Reads up to and including the next empty line. `None`: the peer closed before the first byte.
    pub(crate) async fn head_bytes(&mut self) -> Result<Option<Bytes>> {
        loop {
            if let Some(end) = find(&self.ahead, b"\r\n\r\n") {
                return Ok(Some(self.ahead.split_to(end + 4).freeze()));
            }
            ensure!(self.ahead.len() <= MAX_HEAD_BYTES, "head over {MAX_HEAD_BYTES} bytes");
            if self.more().await.context("read a head")? == 0 {
                ensure!(self.ahead.is_empty(), "connection closed inside a head");
                return Ok(None);
            }
        }
    }

    pub(crate) async fn body(&mut self, framing: Framing) -> RawBody {
        let mut body = RawBody::default();
        let read = match framing {
            Framing::None => Ok(()),
            Framing::Length(length) => self.exactly(length, &mut body.bytes).await,
            Framing::Chunked => self.chunked(&mut body).await,
            Framing::UntilClose => self.until_close(&mut body.bytes).await,
        };
        body.cut = read.err().map(|error| format!("{error:#}"));
        body
    }

    pub(crate) async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes).await
    }

    /// Writes a body as its framing wants it: as it is, or in chunks that end with the trailers.
    pub(crate) async fn write_body(&mut self, body: &Payload, trailers: &Fields) -> io::Result<()> {
        let chunked = is_chunked(body, trailers);
        for piece in body.pieces() {
            match chunked {
                true => self.write_chunk(piece).await?,
                false => self.write(piece).await?,
            }
        }
        if chunked {
            self.write_last_chunk(trailers).await?;
        }
        Ok(())
    }

    pub(crate) async fn write_chunk(&mut self, piece: &[u8]) -> io::Result<()> {
        if piece.is_empty() {
            // An empty chunk would end the body.
            return Ok(());
        }
        self.write(format!("{:x}\r\n", piece.len()).as_bytes()).await?;
        self.write(piece).await?;
        self.write(b"\r\n").await
    }

    pub(crate) async fn write_last_chunk(&mut self, trailers: &Fields) -> io::Result<()> {
        let mut end = b"0\r\n".to_vec();
        write_fields(&mut end, trailers);
        self.write(&end).await
    }

    async fn more(&mut self) -> io::Result<usize> {
        self.ahead.reserve(64 * 1024);
        self.stream.read_buf(&mut self.ahead).await
    }

    async fn exactly(&mut self, mut length: usize, into: &mut BytesMut) -> Result<()> {
        ensure!(into.len().saturating_add(length) <= MAX_BODY_BYTES, "body over {MAX_BODY_BYTES} bytes");
        loop {
            let take = length.min(self.ahead.len());
            into.extend_from_slice(&self.ahead.split_to(take));
            length -= take;
            if length == 0 {
                return Ok(());
            }
            ensure!(self.more().await? > 0, "connection closed {length} bytes early");
        }
    }

    async fn chunked(&mut self, body: &mut RawBody) -> Result<()> {
        loop {
            let size = self.line().await?;
            let digits = size.split(|byte| *byte == b';').next().unwrap_or_default();
            let digits = std::str::from_utf8(digits.trim_ascii()).context("chunk size")?;
            let length = usize::from_str_radix(digits, 16).context("chunk size")?;
            if length == 0 {
                body.trailers = self.trailers().await?;
                return Ok(());
            }
            self.exactly(length, &mut body.bytes).await?;
            ensure!(self.line().await?.is_empty(), "no line end behind a chunk");
        }
    }

    async fn trailers(&mut self) -> Result<Fields> {
        let mut trailers = Fields::new();
        loop {
            let line = self.line().await?;
            if line.is_empty() {
                return Ok(trailers);
            }
            let colon = line.iter().position(|byte| *byte == b':').context("trailer without a colon")?;
            let (name, value) = (line.slice(..colon), line.slice(colon + 1..));
            trailers.push(String::from_utf8_lossy(&name), Bytes::copy_from_slice(value.trim_ascii()));
        }
    }

    async fn line(&mut self) -> Result<Bytes> {
        loop {
            if let Some(end) = find(&self.ahead, b"\r\n") {
                let line = self.ahead.split_to(end).freeze();
                self.ahead.advance(2);
                return Ok(line);
            }
            ensure!(self.ahead.len() <= MAX_HEAD_BYTES, "line over {MAX_HEAD_BYTES} bytes");
            ensure!(self.more().await? > 0, "connection closed inside a chunked body");
        }
    }

    async fn until_close(&mut self, into: &mut BytesMut) -> Result<()> {
        loop {
            into.extend_from_slice(&self.ahead.split());
            ensure!(into.len() <= MAX_BODY_BYTES, "body over {MAX_BODY_BYTES} bytes");
            if self.more().await? == 0 {
                return Ok(());
            }
        }
    }
}

impl RawHead {
    /// Reads a request head.
    pub(crate) fn of_request(bytes: &[u8]) -> Result<RawHead> {
        let mut fields = vec![httparse::EMPTY_HEADER; MAX_FIELDS];
        let mut head = httparse::Request::new(&mut fields);
        ensure!(head.parse(bytes).context("request head")?.is_complete(), "request head is not complete");
        let first = (head.method.unwrap_or_default().to_owned(), head.path.unwrap_or_default().to_owned());
        Ok(RawHead { first, fields: owned(head.headers) })
    }

    /// Reads a response head.
    pub(crate) fn of_response(bytes: &[u8]) -> Result<RawHead> {
        let mut fields = vec![httparse::EMPTY_HEADER; MAX_FIELDS];
        let mut head = httparse::Response::new(&mut fields);
        ensure!(head.parse(bytes).context("response head")?.is_complete(), "response head is not complete");
        let first = (head.code.unwrap_or_default().to_string(), head.reason.unwrap_or_default().to_owned());
        Ok(RawHead { first, fields: owned(head.headers) })
    }

    /// Chunked or of a length, by the fields alone; `None` if they do not say.
    pub(crate) fn framing(&self) -> Result<Option<Framing>> {
        if self.fields.lists("transfer-encoding", "chunked") {
            return Ok(Some(Framing::Chunked));
        }
        match self.fields.text("content-length").map(str::parse::<usize>) {
            None => Ok(None),
            Some(Ok(length)) => Ok(Some(Framing::Length(length))),
            Some(Err(_)) => bail!("content-length is no number"),
        }
    }
}

/// Whether this body goes out in chunks.
pub(crate) fn is_chunked(body: &Payload, trailers: &Fields) -> bool {
    matches!(body, Payload::Chunks(_)) || !trailers.is_empty()
}

/// Writes the fields and the empty line.
pub(crate) fn write_fields(out: &mut Vec<u8>, fields: &Fields) {
    for (name, value) in fields.iter() {
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(b": ");
        out.extend_from_slice(value);
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b"\r\n");
}

fn owned(headers: &[httparse::Header<'_>]) -> Fields {
    headers.iter().map(|header| (header.name, Bytes::copy_from_slice(header.value))).collect()
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}
