//! HTTP/1.1 as far as load, origin and sink need it of each other: a head, and a body whose length the head tells.

use anyhow::{Context as _, Result, bail, ensure};
use bytes::{Bytes, BytesMut};
use memchr::memmem;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

/// Longest head that is read.
const MOST_HEAD_BYTES: usize = 64 * 1024;

/// How much is asked for at a time.
const READ_BYTES: usize = 256 * 1024;

/// One side of a connection.
#[derive(Debug)]
pub(super) struct Wire {
    stream: TcpStream,
    buffer: BytesMut,
}

/// The head of a message, with the empty line that ends it.
#[derive(Debug)]
pub(super) struct Head(Bytes);

impl Wire {
    /// Nothing read yet.
    pub(super) fn new(stream: TcpStream) -> Wire {
        // Fails only on a socket that is closed already, which the next read tells.
        let _ = stream.set_nodelay(true);
        Wire { stream, buffer: BytesMut::new() }
    }

    /// Reads the next head; none if the peer has closed the connection between two messages.
    pub(super) async fn head(&mut self) -> Result<Option<Head>> {
        let mut searched = 0;
        loop {
            let from: usize = searched;
            if let Some(place) = memmem::find(self.buffer.get(from..).unwrap_or_default(), b"\r\n\r\n") {
                return Ok(Some(Head(self.buffer.split_to(from + place + 4).freeze())));
            }
            searched = self.buffer.len().saturating_sub(3);
            ensure!(self.buffer.len() < MOST_HEAD_BYTES, "a head without an end");
            if !self.read().await? {
                ensure!(self.buffer.is_empty(), "closed within a head");
                return Ok(None);
            }
        }
    }

    /// Reads the body of a message whose head was read, all of it.
    pub(super) async fn body(&mut self, bytes: usize) -> Result<Bytes> {
        while self.buffer.len() < bytes {
            ensure!(self.read().await?, "closed within a body");
        }
        Ok(self.buffer.split_to(bytes).freeze())
    }

    /// Reads past a body.
    pub(super) async fn skip(&mut self, mut bytes: usize) -> Result<()> {
        loop {
            let here = bytes.min(self.buffer.len());
            drop(self.buffer.split_to(here));
            bytes -= here;
            if bytes == 0 {
                return Ok(());
            }
            ensure!(self.read().await?, "closed within a body");
        }
    }

    /// Sends bytes.
    pub(super) async fn send(&mut self, bytes: &[u8]) -> Result<()> {
        self.stream.write_all(bytes).await.context("send")
    }

    /// Whether anything came.
    async fn read(&mut self) -> Result<bool> {
        self.buffer.reserve(READ_BYTES);
        Ok(self.stream.read_buf(&mut self.buffer).await.context("receive")? > 0)
    }
}

impl Head {
    /// The first line.
    pub(super) fn first_line(&self) -> &[u8] {
        self.0.split(|byte| *byte == b'\r').next().unwrap_or_default()
    }

    /// The path of a request.
    pub(super) fn path(&self) -> &[u8] {
        self.first_line().split(|byte| *byte == b' ').nth(1).unwrap_or_default()
    }

    /// The value of the first field with this name.
    pub(super) fn field(&self, name: &[u8]) -> Option<&[u8]> {
        let lines = self.0.split(|byte| *byte == b'\n').skip(1);
        let value = |line: &'_ [u8]| {
            let (start, rest) = line.split_at_checked(name.len())?;
            let is_it = start.eq_ignore_ascii_case(name) && rest.first() == Some(&b':');
            is_it.then_some(name.len() + 1)
        };
        lines.into_iter().find_map(|line| line.get(value(line)?..).map(<[u8]>::trim_ascii))
    }

    /// How long the body is: 0 if the head does not speak of one.
    ///
    /// # Errors
    /// It comes in chunks, or the length is no number.
    pub(super) fn body_bytes(&self) -> Result<usize> {
        if self.field(b"transfer-encoding").is_some() {
            bail!("a body without a length");
        }
        let Some(value) = self.field(b"content-length") else { return Ok(0) };
        let text = std::str::from_utf8(value).context("content-length")?;
        text.parse().with_context(|| format!("content-length {text}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(text: &'static str) -> Head {
        Head(Bytes::from_static(text.as_bytes()))
    }

    #[test]
    fn fields_are_found_by_name_in_any_case() {
        let head = head("POST /v1/exchanges HTTP/1.1\r\nContent-Length: 12\r\ncontent-length-x: 9\r\n\r\n");

        assert_eq!(head.path(), b"/v1/exchanges");
        assert_eq!(head.first_line(), b"POST /v1/exchanges HTTP/1.1");
        assert_eq!(head.body_bytes().unwrap(), 12);
        assert_eq!(head.field(b"host"), None);
    }

    #[test]
    fn a_body_without_a_length_is_refused_and_none_is_none() {
        assert_eq!(head("GET / HTTP/1.1\r\n\r\n").body_bytes().unwrap(), 0);
        assert!(head("GET / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n").body_bytes().is_err());
        assert!(head("GET / HTTP/1.1\r\ncontent-length: x\r\n\r\n").body_bytes().is_err());
    }

    #[tokio::test]
    async fn messages_that_come_in_pieces_are_read_one_after_the_other() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let mut wire = Wire::new(listener.accept().await.unwrap().0);
        let sending = tokio::spawn(async move {
            for piece in ["POST /a HTTP/1.1\r\ncontent-length: 3\r\n\r", "\nab", "cGET /b HTTP/1.1\r\n", "\r\n"] {
                client.write_all(piece.as_bytes()).await.unwrap();
                client.flush().await.unwrap();
            }
        });

        let first = wire.head().await.unwrap().unwrap();
        let body = wire.body(first.body_bytes().unwrap()).await.unwrap();
        let second = wire.head().await.unwrap().unwrap();

        assert_eq!(
            (first.path(), body.as_ref(), second.path()),
            (b"/a".as_slice(), b"abc".as_slice(), b"/b".as_slice())
        );
        sending.await.unwrap();
        assert!(wire.head().await.unwrap().is_none());
    }
}
