//! Plays a case on HTTP/1.1: writes its bytes and the fence, and reads until the connection ends.

use std::net::SocketAddr;

use anyhow::{Context as _, Result};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use super::{Case, Kind, Played, shown};

pub(super) async fn play(case: &Case, address: SocketAddr) -> Result<Played> {
    let stream = TcpStream::connect(address).await.context("connect")?;
    stream.set_nodelay(true)?;
    let port = stream.local_addr()?.port();
    let (mut from, mut to) = stream.into_split();
    let fence = format!("GET {} HTTP/1.1\r\nhost: fence\r\nconnection: close\r\n\r\n", case.fence());
    let write = async {
        // Envoy may have answered and closed before all is written: what it said counts.
        let mut written = Ok(());
        if case.kind == Kind::Answer {
            let ask = format!("GET /answer/{} HTTP/1.1\r\nhost: a\r\n\r\n", case.name);
            written = to.write_all(ask.as_bytes()).await;
        } else {
            for bytes in &case.writes {
                if written.is_ok() {
                    written = to.write_all(bytes).await;
                }
            }
        }
        if written.is_ok() {
            let _ = to.write_all(fence.as_bytes()).await;
        }
        to
    };
    let read = async {
        let mut all = Vec::new();
        // A reset is an end like another: which of the two comes depends on what was still unread.
        let _ = from.read_to_end(&mut all).await;
        all
    };
    // The writing half lives until the end: closing it would be one more thing that a client does.
    let (_open, all) = tokio::join!(write, read);
    Ok(Played { seen: comparable(&all), port })
}

/// What came, each byte shown, dates left out.
fn comparable(bytes: &[u8]) -> String {
    let mut text = String::new();
    for line in shown(bytes).lines() {
        match line.strip_prefix("date: ") {
            Some(_) => text.push_str("date: …\\r\\n"),
            None => text.push_str(line),
        }
        text.push('\n');
    }
    text
}
