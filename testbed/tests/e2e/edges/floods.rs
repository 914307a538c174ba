//! HTTP/2 frames that cost the sender little: streams that are reset at once (CVE-2023-44487), heads that never end
//! (CVE-2024-27316), settings and pings that want an answer.

use std::time::Duration;

use anyhow::{Result, ensure};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use tributary_testbed::{client, collector::Collector, message::Call, process::Scratch, stack::Bed};

/// For one flood, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// Frames of a flood.
const FRAMES: u32 = 20_000;

const GOOD: &str = "{\"request\":{\"method\":\"get\"}}\n";

/// Types of frames, RFC 9113 §6.
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const CONTINUATION: u8 = 9;

/// `:method: POST`, `:scheme: http`, `:path: /`, from the static table of RFC 7541.
const HEAD: [u8; 3] = [0x83, 0x86, 0x84];

/// What is sent, whether answers are read meanwhile, and whether the server has to close the connection over it.
struct Flood {
    name: &'static str,
    frames: Vec<u8>,
    reads: bool,
    is_cut_off: bool,
}

/// While each flood runs good clients are served over HTTP/1.1 and HTTP/2; what is meant to hurt is cut off, and nothing
/// piles up.
pub(super) async fn floods_of_frames_keep_nobody_waiting(_: &Bed) -> Result<()> {
    let scratch = Scratch::new("floods")?;
    let collector = Collector::builder().file(&scratch.file("exchanges.jsonl")).args(&["--write-timeout", "2s"]);
    let collector = collector.start().await?;
    ensure!(collector.post(GOOD).await?.status == 200, "a good post");
    let before = collector.process().memory_bytes()?;

    for flood in floods() {
        let cut_off = tokio::time::timeout(PATIENCE, async {
            let (cut_off, served) = tokio::join!(send(&collector, &flood), serve(&collector));
            served.map(|()| cut_off)
        });
        let cut_off = cut_off.await.map_err(|_| anyhow::anyhow!("{} takes too long", flood.name))??;
        ensure!(cut_off || !flood.is_cut_off, "{} is let through", flood.name);
        let growth = collector.process().peak_memory_bytes()?.saturating_sub(before);
        ensure!(growth <= 40 << 20, "{}: {} MiB more than before", flood.name, growth >> 20);
    }
    ensure!(collector.accounting().await?.identity_exact, "the account");
    Ok(())
}

fn floods() -> Vec<Flood> {
    let mut resets = Vec::new();
    for stream in (1..2 * FRAMES).step_by(2) {
        resets.extend(frame(HEADERS, 4, stream, &HEAD));
        resets.extend(frame(RST_STREAM, 0, stream, &8u32.to_be_bytes()));
    }
    let mut endless = frame(HEADERS, 0, 1, &HEAD);
    // `x: ` and 100 letters, not indexed.
    let field = [&[0x00, 1, b'x', 100][..], &[b'y'; 100]].concat();
    endless.extend(frame(CONTINUATION, 0, 1, &field).repeat(FRAMES as usize));
    let mut empty = frame(HEADERS, 0, 1, &HEAD);
    empty.extend(frame(CONTINUATION, 0, 1, &[]).repeat(FRAMES as usize));
    let settings = frame(SETTINGS, 0, 0, &[0, 4, 0, 1, 0, 0]).repeat(FRAMES as usize);
    let pings = frame(PING, 0, 0, &[7; 8]).repeat(FRAMES as usize);
    let flood = |name, frames: &Vec<u8>, reads, is_cut_off| Flood { name, frames: frames.clone(), reads, is_cut_off };
    vec![
        flood("resets", &resets, true, true),
        flood("a head without an end", &endless, true, true),
        flood("a head of empty pieces", &empty, true, true),
        flood("settings", &settings, true, false),
        flood("pings", &pings, true, false),
        flood("settings whose answers are not read", &settings, false, false),
        flood("pings whose answers are not read", &pings, false, false),
    ]
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// Sends the flood, three times on new connections. `true`: the server has closed each of them.
async fn send(collector: &Collector, flood: &Flood) -> bool {
    let mut cut_off = true;
    for _ in 0..3 {
        let Ok(stream) = TcpStream::connect(collector.address()).await else { return false };
        let (mut reader, mut writer) = stream.into_split();
        let start = [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(), frame(SETTINGS, 0, 0, &[])].concat();
        let sending = async {
            let sent = writer.write_all(&start).await.is_ok() && writer.write_all(&flood.frames).await.is_ok();
            // A server that has had enough closes; one that has not gets no more, and is told so.
            let _ = writer.shutdown().await;
            sent
        };
        let reading = async {
            let mut all = Vec::new();
            if flood.reads { reader.read_to_end(&mut all).await.map(|_| all) } else { Ok(all) }
        };
        let (sent, read) = tokio::join!(sending, reading);
        cut_off &= !sent || read.map_or(true, |bytes| is_told_why(&bytes));
    }
    cut_off
}

/// Whether a GOAWAY with an error (RFC 9113 §6.8) is among the frames: ENHANCE_YOUR_CALM, for one.
fn is_told_why(mut frames: &[u8]) -> bool {
    while let [high, middle, low, kind, ..] = frames {
        let end = 9 + u32::from_be_bytes([0, *high, *middle, *low]) as usize;
        if *kind == GOAWAY && frames.get(13..17).is_some_and(|code| code != [0; 4]) {
            return true;
        }
        frames = frames.get(end..).unwrap_or_default();
    }
    false
}

/// Good clients, new and lasting ones.
async fn serve(collector: &Collector) -> Result<()> {
    let mut lasting = client::h2::Connection::open(collector.address()).await?;
    for _ in 0..10 {
        let post = Call::post("/v1/exchanges").header("content-type", "application/x-ndjson").body(GOOD);
        for reply in [collector.call(&post).await?, lasting.call(&post).await?] {
            ensure!(reply.status == 200, "a good client got {}", reply.status);
        }
    }
    Ok(())
}
