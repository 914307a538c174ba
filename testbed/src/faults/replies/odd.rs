//! Answers that no collector gives: what a broken, hostile or wholly other server may say to a post.
//!
//! None of them acknowledges the batch that it answers, so whatever they do, the filter has to keep it.

use bytes::Bytes;

use crate::{
    message::{Asked, Fields},
    origin::Answer,
};

/// The header by which a collector acknowledges.
const ACK: &str = "x-tributary-ack";

/// A body that says more than was sent.
const BOAST: &str = r#"{"accepted":18446744073709551615,"rejected":[]}"#;

/// What is said, in a few words, and the answer.
pub(super) type Odd = (&'static str, fn(&Asked) -> Answer);

/// All of them.
pub(super) const ODD: &[Odd] = &[
    ("a reset before any byte", |_| Answer::hang_up()),
    ("an end before any byte", |_| Answer::raw("")),
    ("half a status line", |_| Answer::raw("HTTP/1.1 2")),
    ("a head without its end", |_| Answer::raw("HTTP/1.1 200 OK\r\nx-tributary-ack: ")),
    ("a head, then a reset", |_| Answer::new(200).declare_length(1_000).chunks(["x"]).reset()),
    ("a body that is cut", |asked| other_batch(asked).declare_length(1_000).chunks([BOAST]).reset()),
    ("a chunk of no size", |_| Answer::raw("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\nbody\r\n")),
    ("two framings at once", |_| {
        Answer::raw("HTTP/1.1 200 OK\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n")
    }),
    ("a negative length", |_| Answer::raw("HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n")),
    ("a head of 100 KiB", |_| Answer::new(200).header("x-long", vec![b'a'; 100 * 1_024])),
    ("a thousand headers", |_| {
        (0..1_000).fold(Answer::new(200), |answer, number| answer.header(&format!("x-{number}"), "y"))
    }),
    ("a NUL in a header", |_| Answer::raw("HTTP/1.1 200 OK\r\nx-a: b\0c\r\ncontent-length: 0\r\n\r\n")),
    ("a folded header", |_| Answer::raw("HTTP/1.1 200 OK\r\nx-a: b\r\n  c\r\ncontent-length: 0\r\n\r\n")),
    ("an acknowledgement of another batch", other_batch),
    ("an acknowledgement of another source", |asked| {
        let batch = asked.headers.text("x-tributary-batch").unwrap_or_default();
        Answer::new(200).header(ACK, format!("{}-{batch}", "0".repeat(32))).body(BOAST)
    }),
    ("an acknowledgement that is no UTF-8", |_| Answer::new(200).header(ACK, Bytes::from_static(b"\xff\xfe-1"))),
    ("an empty acknowledgement", |_| Answer::new(200).header(ACK, "").body(BOAST)),
    ("a long acknowledgement", |_| Answer::new(200).header(ACK, vec![b'9'; 20_000])),
    ("several acknowledgements, none of them right", |asked| other_batch(asked).header(ACK, "x").header(ACK, "-")),
    ("an acknowledgement with another status", |asked| {
        let batch = |name: &str| asked.headers.text(name).unwrap_or_default().to_owned();
        let right = format!("{}-{}", batch("x-tributary-source"), batch("x-tributary-batch"));
        Answer::new(500).header(ACK, right).body(BOAST)
    }),
    ("an acknowledgement in an early head", |asked| {
        let batch = |name: &str| asked.headers.text(name).unwrap_or_default().to_owned();
        let right = format!("{}-{}", batch("x-tributary-source"), batch("x-tributary-batch"));
        let early: Fields = [(ACK, right)].into_iter().collect();
        Answer::new(500).interim(103, early)
    }),
    ("a status of its own", |_| Answer::raw("HTTP/1.1 999 Odd\r\ncontent-length: 0\r\n\r\n")),
    ("a status of two digits", |_| Answer::raw("HTTP/1.1 20 OK\r\ncontent-length: 0\r\n\r\n")),
    ("a redirect", |_| Answer::new(307).header("location", "http://elsewhere.example/v1/exchanges")),
    ("not found", |_| Answer::new(404).body("nobody here")),
    ("no content", |_| Answer::new(204)),
    ("not modified", |_| Answer::new(304)),
    ("another protocol", |_| {
        Answer::raw("HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n")
    }),
    ("the preface of HTTP/2", |_| Answer::raw("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")),
    ("a time to wait that is none", |_| Answer::new(503).header("retry-after", "-5")),
    ("a date to wait for", |_| Answer::new(503).header("retry-after", "Wed, 21 Oct 2065 07:28:00 GMT")),
    ("a time that no number holds", |_| Answer::new(503).header("retry-after", "9".repeat(40))),
    ("a coding that it has not", |_| Answer::new(200).header("content-encoding", "gzip").body("no gzip")),
    ("trailers", |_| Answer::new(200).chunks(["{}"]).trailer(ACK, "x-1")),
    ("deep JSON", |_| Answer::new(200).body("[".repeat(100_000))),
    ("bytes that are no UTF-8", |_| Answer::new(200).body(vec![0xff; 70_000])),
];

/// The acknowledgement of the batch after the one that is asked for.
fn other_batch(asked: &Asked) -> Answer {
    let source = asked.headers.text("x-tributary-source").unwrap_or_default();
    let batch: u64 = asked.headers.text("x-tributary-batch").and_then(|batch| batch.parse().ok()).unwrap_or_default();
    Answer::new(200).header(ACK, format!("{source}-{}", batch + 1)).body(BOAST)
}
