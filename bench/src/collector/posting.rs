//! Posting: prepared posts over kept HTTP/1.1 connections, each post after the answer to the one before, as a filter does.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    task::JoinSet,
};

use super::posts::Post;

/// The longest that a post may take: Node needs seconds where it sends each line alone.
const ANSWER_WITHIN: Duration = Duration::from_secs(60);

/// Bytes of a reply: a receipt and its head are a few hundred.
const MAX_REPLY_BYTES: usize = 64 * 1024;

/// What one turn of posting came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Posted {
    /// Lines acknowledged; all that were posted.
    pub(crate) lines: u64,
    /// From the first post to the last answer.
    pub(crate) took: Duration,
    /// From the first byte of each post to the last of its answer, in nanoseconds, in no order.
    pub(crate) latencies: Vec<u64>,
}

#[derive(Deserialize)]
struct Receipt {
    accepted: u64,
}

/// Posts, over one connection for each list, each list in order.
///
/// # Errors
/// A connection breaks, an answer takes longer than a minute, or a post is not acknowledged whole.
pub(crate) async fn post_all(address: SocketAddr, posts: Vec<Vec<Post>>) -> Result<Posted> {
    let mut connections = Vec::new();
    for list in posts {
        let stream = TcpStream::connect(address).await.with_context(|| format!("connect to {address}"))?;
        stream.set_nodelay(true).context("TCP_NODELAY")?;
        connections.push((Connection { stream, ahead: Vec::with_capacity(4096) }, list));
    }
    let started = Instant::now();
    let mut tasks: JoinSet<Result<Posted>> = connections.into_iter().map(|(it, list)| it.post_each(list)).collect();
    let mut all = Posted::default();
    while let Some(done) = tasks.join_next().await {
        let done = done.context("a connection's task")??;
        all.lines += done.lines;
        all.latencies.extend(done.latencies);
    }
    all.took = started.elapsed();
    Ok(all)
}

struct Connection {
    stream: TcpStream,
    /// What was read of the reply that is being read.
    ahead: Vec<u8>,
}

impl Connection {
    async fn post_each(mut self, posts: Vec<Post>) -> Result<Posted> {
        let mut done = Posted::default();
        for post in posts {
            let started = Instant::now();
            let (status, accepted) =
                tokio::time::timeout(ANSWER_WITHIN, self.post(&post)).await.context("no answer within a minute")??;
            ensure!(status == 200, "a post was answered {status}");
            ensure!(accepted == post.lines, "of {} lines {accepted} were acknowledged", post.lines);
            done.latencies.push(u64::try_from(started.elapsed().as_nanos()).unwrap_or(u64::MAX));
            done.lines += post.lines;
        }
        Ok(done)
    }

    /// Status, and how many lines were acknowledged.
    async fn post(&mut self, post: &Post) -> Result<(u16, u64)> {
        self.stream.write_all(&post.bytes).await.context("post")?;
        self.ahead.clear();
        loop {
            let read = self.stream.read_buf(&mut self.ahead).await.context("read a reply")?;
            ensure!(read > 0, "the connection was closed before a reply");
            if let Some(reply) = reply(&self.ahead)? {
                return Ok(reply);
            }
            ensure!(self.ahead.len() <= MAX_REPLY_BYTES, "a reply of more than {MAX_REPLY_BYTES} bytes");
        }
    }
}

/// Status and acknowledged lines of a reply; `None` if it is not whole yet. A refusal acknowledges nothing.
fn reply(bytes: &[u8]) -> Result<Option<(u16, u64)>> {
    let mut fields = [httparse::EMPTY_HEADER; 32];
    let mut head = httparse::Response::new(&mut fields);
    let httparse::Status::Complete(start) = head.parse(bytes).context("head of a reply")? else { return Ok(None) };
    let status = head.code.context("a reply without a status")?;
    let length = head.headers.iter().find(|field| field.name.eq_ignore_ascii_case("content-length"));
    let length = length.context("a reply without a content-length")?;
    let length: usize =
        std::str::from_utf8(length.value).ok().and_then(|it| it.parse().ok()).context("content-length")?;
    let Some(body) = bytes.get(start..start.saturating_add(length)) else { return Ok(None) };
    if status != 200 {
        return Ok(Some((status, 0)));
    }
    let Receipt { accepted } = serde_json::from_slice(body).context("a receipt")?;
    Ok(Some((status, accepted)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const REPLY: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 29\r\n\r\n{\"accepted\":12,\"rejected\":[]}";

    #[test]
    fn a_reply_is_read_when_its_last_byte_is_there() {
        assert_eq!(reply(REPLY).unwrap(), Some((200, 12)));
        assert!((0..REPLY.len()).all(|end| reply(&REPLY[..end]).unwrap().is_none()));
    }

    #[test]
    fn a_refusal_acknowledges_nothing_whatever_it_says() {
        let refusal = b"HTTP/1.1 503 Busy\r\ncontent-length: 14\r\n\r\n{\"accepted\":1}";

        assert_eq!(reply(refusal).unwrap(), Some((503, 0)));
    }

    #[test]
    fn what_is_no_receipt_is_an_error() {
        assert!(reply(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}").is_err());
        assert!(reply(b"HTTP/1.1 200 OK\r\n\r\n").is_err());
        assert!(reply(b"SSH-2.0\r\n\r\n").is_err());
    }
}
