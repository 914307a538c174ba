//! The origin behind Envoy: answers that were made before, over HTTP/1.1 and HTTP/2, as cheaply as this process can.

use std::{net::SocketAddr, sync::Arc};

use anyhow::{Context as _, Result};
use bytes::Bytes;
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

use super::{Size, wire::Wire};

/// What begins an HTTP/2 connection (RFC 9113 §3.4); no request of HTTP/1.1 begins so.
const PREFACE: &[u8] = b"PRI * HTTP/2.0";

/// A running origin; dropping it closes its port.
#[derive(Debug)]
pub(super) struct Origin {
    address: SocketAddr,
    serving: JoinHandle<()>,
}

impl Origin {
    /// Starts it on a free loopback port.
    pub(super) async fn start() -> Result<Origin> {
        let listener = TcpListener::bind("127.0.0.1:0").await.context("a port for the origin")?;
        let address = listener.local_addr().context("the origin's port")?;
        let answers: Arc<[Answer]> = Size::ALL.map(Answer::of).into();
        let serving = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let answers = Arc::clone(&answers);
                tokio::spawn(async move {
                    // Ends with the connection; what goes wrong in it the load sees as an answer that is not 200.
                    let _ = serve(stream, &answers).await;
                });
            }
        });
        Ok(Origin { address, serving })
    }

    /// Where it listens.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Origin {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// An answer for each size, in the forms in which it is sent.
#[derive(Debug)]
struct Answer {
    size: Size,
    content_type: &'static str,
    body: Bytes,
    /// Head and body, as they go over HTTP/1.1.
    http1: Bytes,
}

impl Answer {
    fn of(size: Size) -> Answer {
        let body = body(size);
        let content_type = if size == Size::Mega1 { "application/octet-stream" } else { "application/json" };
        let head = format!("HTTP/1.1 200 OK\r\ncontent-type: {content_type}\r\ncontent-length: {}\r\n\r\n", body.len());
        let http1 = [head.as_bytes(), &body].concat().into();
        Answer { size, content_type, body, http1 }
    }

    /// The one that a path asks for: its last segment is the number of bytes.
    fn to<'a>(answers: &'a [Answer], path: &[u8]) -> Option<&'a Answer> {
        let segment = path.rsplit(|byte| *byte == b'/').next()?;
        let bytes: usize = std::str::from_utf8(segment).ok()?.parse().ok()?;
        answers.iter().find(|answer| answer.size.bytes() == bytes)
    }
}

async fn serve(stream: TcpStream, answers: &[Answer]) -> Result<()> {
    let mut start = [0; PREFACE.len()];
    // The preface comes in one piece from Envoy; a request line is longer than this too.
    let seen = stream.peek(&mut start).await.context("look at a connection")?;
    if start.get(..seen) == Some(PREFACE) {
        serve_http2(stream, answers).await
    } else {
        serve_http1(stream, answers).await
    }
}

async fn serve_http1(stream: TcpStream, answers: &[Answer]) -> Result<()> {
    let mut wire = Wire::new(stream);
    while let Some(head) = wire.head().await? {
        wire.skip(head.body_bytes()?).await?;
        match Answer::to(answers, head.path()) {
            Some(answer) => wire.send(&answer.http1).await?,
            None => wire.send(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n").await?,
        }
    }
    Ok(())
}

async fn serve_http2(stream: TcpStream, answers: &[Answer]) -> Result<()> {
    // As in `Wire::new`.
    let _ = stream.set_nodelay(true);
    let mut connection = h2::server::handshake(stream).await.context("HTTP/2 handshake")?;
    while let Some(accepted) = connection.accept().await {
        let (request, mut respond) = accepted.context("HTTP/2 stream")?;
        let answer = Answer::to(answers, request.uri().path().as_bytes());
        let head = http::Response::builder().status(if answer.is_some() { 200 } else { 404 });
        let head = match answer {
            Some(answer) => {
                head.header("content-type", answer.content_type).header("content-length", answer.body.len())
            }
            None => head,
        };
        let mut body = respond.send_response(head.body(()).context("a head")?, answer.is_none()).context("answer")?;
        if let Some(answer) = answer {
            // Kept by the library until the peer's window lets it go.
            body.send_data(answer.body.clone(), true).context("answer")?;
        }
    }
    Ok(())
}

/// A body of exactly this size: JSON as services send it, or bytes that are no text.
fn body(size: Size) -> Bytes {
    if size == Size::Mega1 {
        return noise(size.bytes()).into();
    }
    if size == Size::Bytes70 {
        return Bytes::from_static(br#"{"id":48151623,"name":"Ada Lovelace","city":"London","active":true   }"#);
    }
    let mut text = String::from(r#"{"items":["#);
    for number in 1.. {
        let item = item(number);
        // The padding takes at least `],"note":""}`.
        if text.len() + item.len() + 13 > size.bytes() {
            break;
        }
        text.push_str(if number == 1 { "" } else { "," });
        text.push_str(&item);
    }
    text.push_str(r#"],"note":""#);
    let padding = size.bytes().saturating_sub(text.len() + 2);
    text.extend(std::iter::repeat_n('x', padding));
    text.push_str("\"}");
    text.into()
}

fn item(number: u32) -> String {
    let price = f64::from(number * 37 % 10_000) / 100.0;
    format!(
        r#"{{"id":{number},"name":"Item number {number}","price":{price},"tags":["new","sale \"{}\""],"stock":{{"count":{},"place":"Köln"}}}}"#,
        number % 7,
        number * 13 % 500,
    )
}

/// Bytes that no text has and no compression would shrink, the same each time (xorshift).
fn noise(bytes: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    std::iter::repeat_with(next).flatten().take(bytes).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_have_their_size_and_are_json_or_no_text() {
        for size in Size::ALL {
            let body = body(size);

            assert_eq!(body.len(), size.bytes());
            match size {
                Size::Mega1 => assert!(std::str::from_utf8(&body).is_err()),
                _ => assert!(serde_json::from_slice::<serde_json::Value>(&body).is_ok(), "{size:?}"),
            }
        }
    }

    #[test]
    fn the_last_segment_of_a_path_says_how_many_bytes() {
        let answers = Size::ALL.map(Answer::of);

        assert_eq!(Answer::to(&answers, b"/h1/70").map(|answer| answer.size), Some(Size::Bytes70));
        assert!(Answer::to(&answers, b"/h1/71").is_none());
        assert!(Answer::to(&answers, b"/").is_none());
    }
}
