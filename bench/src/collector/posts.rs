//! Posts as the filter sends them, made ready before the clock runs: while it does, they are only written and answered.

use std::io::Write as _;

use anyhow::{Context as _, Result};

use super::lines::LineMaker;

/// How the body of a post is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Coding {
    /// Not at all, as our filter posts.
    Plain,
    /// gzip, level 6.
    Gzip,
    /// zstd, level 3.
    Zstd,
}

/// One post, all of its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Post {
    /// Head and body of the request.
    pub(crate) bytes: Vec<u8>,
    /// Lines in it.
    pub(crate) lines: u64,
}

/// Whoever posts over one connection: a source with its own lines and its own count of batches.
#[derive(Debug)]
pub(crate) struct Sender {
    lines: LineMaker,
    next_batch: u64,
}

impl Sender {
    /// The sender with this number.
    pub(crate) fn new(number: u64) -> Sender {
        Sender::of(LineMaker::new(number))
    }

    /// The sender of these lines.
    pub(crate) fn of(lines: LineMaker) -> Sender {
        Sender { lines, next_batch: 0 }
    }

    /// Makes its next post, of so many lines.
    ///
    /// # Errors
    /// The body cannot be compressed.
    pub(crate) fn post(&mut self, lines: u64, coding: Coding) -> Result<Post> {
        let acked = self.lines.written();
        let mut body = Vec::new();
        (0..lines).for_each(|_| self.lines.write(&mut body));
        let body = packed(body, coding)?;
        let mut bytes = self.head(acked, lines, coding, body.len()).into_bytes();
        bytes.extend(body);
        self.next_batch += 1;
        Ok(Post { bytes, lines })
    }

    /// The head, with what the filter says of itself in each post.
    fn head(&self, acked: u64, lines: u64, coding: Coding, length: usize) -> String {
        let (source, batch, seen) = (self.lines.source(), self.next_batch, acked + lines);
        let coding = match coding {
            Coding::Plain => "",
            Coding::Gzip => "content-encoding: gzip\r\n",
            Coding::Zstd => "content-encoding: zstd\r\n",
        };
        format!(
            "POST /v1/exchanges HTTP/1.1\r\nhost: collector\r\ncontent-type: application/x-ndjson\r\n{coding}\
             x-tributary-source: {source}\r\nx-tributary-batch: {batch}\r\n\
             x-tributary-counters: seen={seen},captured={seen},acked={acked},open=0,queued=0,in_flight={lines}\r\n\
             x-tributary-heartbeat: 5000\r\ncontent-length: {length}\r\n\r\n"
        )
    }
}

fn packed(body: Vec<u8>, coding: Coding) -> Result<Vec<u8>> {
    match coding {
        Coding::Plain => Ok(body),
        Coding::Gzip => {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
            encoder.write_all(&body).context("gzip")?;
            encoder.finish().context("gzip")
        }
        Coding::Zstd => zstd::bulk::compress(&body, 3).context("zstd"),
    }
}

/// The posts of one turn, for each connection its own: `lines` in all or a little more, so that each connection posts
/// equally often and every post is full.
///
/// # Errors
/// As [`Sender::post`].
pub(crate) fn prepare(senders: &mut [Sender], lines_a_post: u64, lines: u64, coding: Coding) -> Result<Vec<Vec<Post>>> {
    let posts = posts_a_connection(senders.len(), lines_a_post, lines);
    senders.iter_mut().map(|sender| (0..posts).map(|_| sender.post(lines_a_post, coding)).collect()).collect()
}

/// How often each connection posts so that `lines` lines are posted: at least once.
pub(crate) fn posts_a_connection(connections: usize, lines_a_post: u64, lines: u64) -> usize {
    let a_round = lines_a_post.saturating_mul(connections as u64).max(1);
    usize::try_from(lines.div_ceil(a_round).max(1)).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body_of(post: &Post) -> &[u8] {
        let end = post.bytes.windows(4).position(|bytes| bytes == b"\r\n\r\n").unwrap();
        &post.bytes[end + 4..]
    }

    #[test]
    fn batches_and_lines_are_numbered_without_a_gap() {
        let mut sender = Sender::new(1);

        let posts: Vec<Post> = (0..3).map(|_| sender.post(2, Coding::Plain).unwrap()).collect();

        for (number, post) in posts.iter().enumerate() {
            let text = String::from_utf8(post.bytes.clone()).unwrap();
            assert!(text.contains(&format!("\r\nx-tributary-batch: {number}\r\n")), "{text}");
            assert!(text.contains(&format!("seen={0},captured={0},acked={1},", number * 2 + 2, number * 2)), "{text}");
            assert!(text.contains(&format!("\"seq\":{},", number * 2 + 1)), "{text}");
            assert!(text.contains(&format!("\r\ncontent-length: {}\r\n", body_of(post).len())), "{text}");
        }
    }

    #[test]
    fn a_compressed_post_holds_the_same_lines() {
        let post = |coding| Sender::new(7).post(3, coding).unwrap();
        let plain = post(Coding::Plain);

        let zstd = zstd::bulk::decompress(body_of(&post(Coding::Zstd)), 1 << 20).unwrap();
        let mut gzip = Vec::new();
        flate2::write::GzDecoder::new(&mut gzip).write_all(body_of(&post(Coding::Gzip))).unwrap();

        assert_eq!(zstd, body_of(&plain));
        assert_eq!(gzip, body_of(&plain));
    }

    #[test]
    fn every_connection_posts_equally_often_and_at_least_once() {
        assert_eq!(posts_a_connection(8, 100, 8_000), 10);
        assert_eq!(posts_a_connection(8, 100, 8_001), 11);
        assert_eq!(posts_a_connection(64, 1_000, 1), 1);
        let mut senders = [Sender::new(0), Sender::new(1)];
        let posts = prepare(&mut senders, 2, 5, Coding::Plain).unwrap();
        assert_eq!(posts.iter().map(Vec::len).collect::<Vec<_>>(), [2, 2]);
    }
}
