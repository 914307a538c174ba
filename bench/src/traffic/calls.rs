//! Callers: numbered calls through one or more Envoys, as fast as they go or at a fixed pace.
//!
//! At a pace, call `n` is due `n / rate` after the start, whoever makes it and whatever became of the others (an open loop):
//! what has to wait for a free connection is late, and its lateness counts.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    task::JoinSet,
    time::{sleep_until, timeout},
};

/// The longest that a call may take.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// What stands before the number in the path of each call.
pub(crate) const PATH: &str = "/orders/";

/// How many calls are made.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Pace {
    /// As fast as they are answered.
    Closed,
    /// So many a second.
    PerSecond(f64),
}

/// What is to be called.
#[derive(Clone, Debug)]
pub(crate) struct Calls {
    /// The Envoys, which get their calls in turn.
    pub(crate) envoys: Vec<SocketAddr>,
    /// Connections to each.
    pub(crate) connections: usize,
    /// How fast.
    pub(crate) pace: Pace,
    /// How long new calls are made.
    pub(crate) span: Duration,
    /// The number of the first; the others follow.
    pub(crate) first: u64,
}

/// What came of it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Called {
    /// Number and moment of the whole answer of each call, in no order.
    pub(crate) answered: Vec<(u64, Instant)>,
    /// From the first call to the last answer.
    pub(crate) took: Duration,
}

struct Shared {
    pace: Pace,
    began: Instant,
    ends: Instant,
    first: u64,
    next: AtomicU64,
}

impl Calls {
    /// Makes them.
    ///
    /// # Errors
    /// A connection breaks, or an answer is none of 200, or takes too long.
    pub(crate) async fn make(&self) -> Result<Called> {
        let mut connections = Vec::new();
        for _ in 0..self.connections {
            for envoy in &self.envoys {
                let stream = TcpStream::connect(envoy).await.with_context(|| format!("connect to {envoy}"))?;
                stream.set_nodelay(true).context("TCP_NODELAY")?;
                connections.push(stream);
            }
        }
        let began = Instant::now();
        let (pace, first, ends) = (self.pace, self.first, began + self.span);
        let shared = Arc::new(Shared { pace, began, ends, first, next: AtomicU64::new(0) });
        let mut callers: JoinSet<_> = connections.into_iter().map(|it| caller(it, Arc::clone(&shared))).collect();
        let mut called = Called::default();
        while let Some(answered) = callers.join_next().await {
            called.answered.extend(answered.context("a caller's task")??);
        }
        called.took = began.elapsed();
        Ok(called)
    }
}

impl Shared {
    /// The next call and when it is due; `None` when the time is over.
    fn next(&self) -> Option<(u64, Instant)> {
        let turn = self.next.fetch_add(1, Ordering::Relaxed);
        let due = match self.pace {
            Pace::Closed => Instant::now(),
            Pace::PerSecond(rate) => self.began + Duration::try_from_secs_f64(turn as f64 / rate).ok()?,
        };
        (due < self.ends).then_some((self.first + turn, due))
    }
}

async fn caller(mut stream: TcpStream, shared: Arc<Shared>) -> Result<Vec<(u64, Instant)>> {
    let mut answered = Vec::new();
    let mut ahead = Vec::with_capacity(4096);
    while let Some((number, due)) = shared.next() {
        if due > Instant::now() {
            sleep_until(due.into()).await;
        }
        let call = format!(
            "GET {PATH}{number} HTTP/1.1\r\nhost: shop.example\r\nuser-agent: bench\r\naccept: application/json\r\n\r\n"
        );
        stream.write_all(call.as_bytes()).await.context("call")?;
        timeout(ANSWER_WITHIN, answer(&mut stream, &mut ahead)).await.context("no answer in time")??;
        answered.push((number, Instant::now()));
    }
    Ok(answered)
}

async fn answer(stream: &mut TcpStream, ahead: &mut Vec<u8>) -> Result<()> {
    ahead.clear();
    loop {
        let read = stream.read_buf(ahead).await.context("read an answer")?;
        ensure!(read > 0, "the connection was closed before an answer");
        if is_whole(ahead)? {
            return Ok(());
        }
    }
}

/// Whether the answer is there to its last byte.
fn is_whole(bytes: &[u8]) -> Result<bool> {
    let mut fields = [httparse::EMPTY_HEADER; 32];
    let mut head = httparse::Response::new(&mut fields);
    let httparse::Status::Complete(start) = head.parse(bytes).context("head of an answer")? else { return Ok(false) };
    ensure!(head.code == Some(200), "a call was answered {:?}", head.code);
    let length = head.headers.iter().find(|field| field.name.eq_ignore_ascii_case("content-length"));
    let length = length.and_then(|field| std::str::from_utf8(field.value).ok()?.parse::<usize>().ok());
    Ok(bytes.len() >= start.saturating_add(length.context("an answer without a content-length")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shared(pace: Pace, span: Duration) -> Shared {
        let began = Instant::now();
        Shared { pace, began, ends: began + span, first: 100, next: AtomicU64::new(0) }
    }

    #[test]
    fn at_a_pace_calls_are_due_at_equal_distances_and_none_after_the_end() {
        let shared = shared(Pace::PerSecond(10.0), Duration::from_millis(250));

        let calls: Vec<_> = std::iter::from_fn(|| shared.next()).take(5).collect();

        let due = |millis| shared.began + Duration::from_millis(millis);
        assert_eq!(calls, [(100, due(0)), (101, due(100)), (102, due(200))]);
    }

    #[test]
    fn an_answer_is_whole_with_its_last_byte_and_only_200_is_one() {
        let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\n[1]";

        assert!(is_whole(answer).unwrap());
        assert!((0..answer.len()).all(|end| !is_whole(&answer[..end]).unwrap()));
        assert!(is_whole(b"HTTP/1.1 503 Busy\r\ncontent-length: 0\r\n\r\n").is_err());
    }

    #[tokio::test]
    async fn each_call_is_answered_once() {
        let origin = crate::traffic::origin::Origin::start("{}").await.unwrap();
        let calls = Calls {
            envoys: vec![origin.address()],
            connections: 2,
            pace: Pace::PerSecond(1_000.0),
            span: Duration::from_millis(20),
            first: 5,
        };

        let mut numbers: Vec<u64> = calls.make().await.unwrap().answered.iter().map(|(number, _)| *number).collect();

        numbers.sort_unstable();
        assert_eq!(numbers, (5..25).collect::<Vec<u64>>());
    }
}
