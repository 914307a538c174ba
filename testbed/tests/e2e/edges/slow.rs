//! Clients that hold on to connections: none of them keeps a good client waiting, and all of their places come free.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use futures_util::future::try_join_all;
use tokio::{
    io::AsyncWriteExt as _,
    net::{TcpSocket, TcpStream},
};
use tributary_testbed::{collector::Collector, process::Scratch, stack::Bed, wait};

/// For everything here, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

const GOOD: &str = "{\"request\":{\"method\":\"get\"}}\n";

/// What a slow client sends before it falls silent, and how many do: nothing, half a head, half a body, or questions
/// whose answers it never reads (fewer: each of them costs the collector an answer).
const KINDS: [(&str, usize); 4] = [
    ("", 650),
    ("POST /v1/exchanges HTTP/1.1\r\nhost: c\r\nconte", 650),
    (
        "POST /v1/exchanges HTTP/1.1\r\nhost: c\r\ncontent-type: application/x-ndjson\r\ncontent-length: 1000\r\n\r\n{",
        600,
    ),
    ("GET /metrics HTTP/1.1\r\nhost: c\r\n\r\n", 100),
];
const ALL: u64 = 2000;

/// The times that the collector gives, as its flags take them.
const TIME: &str = "8s";

/// All kinds at a time.
pub(super) async fn slow_clients_keep_nobody_waiting(_: &Bed) -> Result<()> {
    let scratch = Scratch::new("slow")?;
    let collector = Collector::builder().file(&scratch.file("exchanges.jsonl")).args(&["--max-connections", "2100"]);
    let collector = ["--first-byte-timeout", "--header-timeout", "--body-timeout", "--write-timeout"]
        .into_iter()
        .fold(collector, |collector, flag| collector.args(&[flag, TIME]));
    let collector = collector.start().await?;
    let before = collector.process().memory_bytes()?;

    let started = Instant::now();
    let mut slow = Vec::new();
    for (sent, count) in KINDS {
        slow.extend(try_join_all((0..count).map(|_| open(&collector, sent))).await?);
    }
    let open = collector.metric("tributary_collector_connections").await?;
    eprintln!("slow clients: {open} connections open after {} ms", started.elapsed().as_millis());
    ensure!(open > ALL / 2, "only {open} at a time: nothing is shown");

    let mut longest = Duration::ZERO;
    for _ in 0..30 {
        let asked = Instant::now();
        let reply = collector.post(GOOD).await?;
        ensure!(reply.status == 200, "a good client got {}", reply.status);
        longest = longest.max(asked.elapsed());
    }
    let growth = collector.process().peak_memory_bytes()?.saturating_sub(before);
    eprintln!("slow clients: a good one waited {} ms at most; {} MiB", longest.as_millis(), growth >> 20);

    wait::until("all places to come free", PATIENCE, async || {
        let open = collector.metric("tributary_collector_connections").await?;
        // The one that asks.
        ensure!(open <= 1, "{open} connections");
        Ok(())
    })
    .await?;
    let timed_out = collector.metric("tributary_collector_connections_ended_total{reason=\"timed_out\"}").await?;
    let refused = collector.metric("tributary_collector_posts_total{outcome=\"refused_limit\"}").await?;
    eprintln!("slow clients: {timed_out} timed out, {refused} bodies given up");
    ensure!(timed_out + refused >= ALL, "{timed_out} timed out, {refused} bodies given up");
    ensure!(collector.post(GOOD).await?.status == 200 && collector.accounting().await?.identity_exact);
    drop(slow);
    Ok(())
}

/// A connection that says this; one that reads nothing asks as long as anybody takes its questions.
async fn open(collector: &Collector, sent: &str) -> Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    // The kernel would read megabytes for a client that does not.
    socket.set_recv_buffer_size(4096)?;
    let mut stream = socket.connect(collector.address()).await.context("connect")?;
    stream.write_all(sent.as_bytes()).await.context("send")?;
    if sent.starts_with("GET") {
        let many = sent.repeat(200);
        let full = async { while stream.write_all(many.as_bytes()).await.is_ok() {} };
        // Full when nobody has taken any for so long.
        let _ = tokio::time::timeout(Duration::from_millis(50), full).await;
    }
    Ok(stream)
}
