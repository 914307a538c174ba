//! The origin of the corpus: it takes whatever Envoy lets through, and answers with what it was asked.
//!
//! So the client sees in its reply how Envoy understood the request. Under `/answer/NAME` it answers with the bytes of
//! that case instead, and closes. It reads heads leniently: what a strict reader refuses is just what this is about.

use std::{collections::BTreeMap, net::SocketAddr, sync::Arc};

use anyhow::{Context as _, Result};
use sha2::{Digest as _, Sha256};
use tokio::{
    io::AsyncReadExt as _,
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

use super::{Case, Kind, shown};
use crate::{
    ports::Port,
    wire::{Framing, Wire},
};

/// The same in each answer; Envoy leaves an origin's date alone.
const DATE: &str = "Sat, 28 Feb 2026 10:39:28 GMT";

/// Ends a tunnel: the last bytes of the fence, which stands in it like any other. All of it, or what is said back would
/// depend on how it came in pieces.
const FENCE: &[u8] = b"connection: close\r\n\r\n";

/// A running origin; dropping it closes its port and its connections.
#[derive(Debug)]
pub struct Origin {
    port: Port,
    serving: tokio::task::JoinHandle<()>,
}

impl Origin {
    /// Starts it on a free loopback port, with the answers among the cases.
    ///
    /// # Errors
    /// No port is free.
    pub async fn start(cases: &[Case]) -> Result<Origin> {
        let port = Port::tcp()?;
        let listener = TcpListener::bind(port.address()).await.context("origin")?;
        let answers = cases.iter().filter(|case| case.kind == Kind::Answer);
        let answers = answers.map(|case| (format!("/answer/{}", case.name), case.writes.clone())).collect();
        let serving = tokio::spawn(serve(listener, Arc::new(answers)));
        Ok(Origin { port, serving })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.port.address()
    }
}

impl Drop for Origin {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

type Answers = BTreeMap<String, Vec<Vec<u8>>>;

async fn serve(listener: TcpListener, answers: Arc<Answers>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => { connections.spawn(converse(stream, answers.clone())); }
                Err(_) => tokio::task::yield_now().await,
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

/// A broken connection is the case's business.
async fn converse(stream: TcpStream, answers: Arc<Answers>) {
    let mut wire = Wire::new(stream);
    while let Ok(Some(head)) = wire.head_bytes().await {
        let ended = answer(&mut wire, &head, &answers).await;
        if !matches!(ended, Ok(true)) {
            return;
        }
    }
}

/// Answers one request; `false` if the connection is over.
async fn answer(wire: &mut Wire, head: &[u8], answers: &Answers) -> Result<bool> {
    let text = String::from_utf8_lossy(head);
    let mut words = text.split(' ');
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    if let Some(writes) = answers.get(target) {
        for bytes in writes {
            wire.write(bytes).await?;
        }
        return Ok(false);
    }
    let value = |name: &str| {
        text.lines().skip(1).find_map(|line| {
            let (known, value) = line.split_once(':')?;
            known.eq_ignore_ascii_case(name).then(|| value.trim().to_ascii_lowercase())
        })
    };
    if let Some(protocol) = value("upgrade") {
        let accepted =
            format!("HTTP/1.1 101 Switching\r\ndate: {DATE}\r\nconnection: upgrade\r\nupgrade: {protocol}\r\n\r\n");
        return tunnel(wire, &accepted).await;
    }
    if method == "CONNECT" {
        return tunnel(wire, &format!("HTTP/1.1 200 OK\r\ndate: {DATE}\r\n\r\n")).await;
    }
    let framing = match (value("transfer-encoding"), value("content-length").map(|length| length.parse())) {
        (Some(_), _) => Framing::Chunked,
        (None, Some(Ok(length))) => Framing::Length(length),
        (None, _) => Framing::None,
    };
    let body = wire.body(framing).await;
    let told = told(&text, &body.bytes, body.trailers.iter(), body.cut.as_deref());
    let length = told.len();
    let answer =
        format!("HTTP/1.1 200 OK\r\ndate: {DATE}\r\ncontent-type: text/plain\r\ncontent-length: {length}\r\n\r\n");
    wire.write(answer.as_bytes()).await?;
    if method != "HEAD" {
        wire.write(told.as_bytes()).await?;
    }
    Ok(body.cut.is_none())
}

/// What came, without Envoy's request id. A long body by its hash.
fn told<'a>(head: &str, body: &[u8], trailers: impl Iterator<Item = (&'a str, &'a [u8])>, cut: Option<&str>) -> String {
    let mut told = String::new();
    for line in head.lines().filter(|line| !line.starts_with("x-request-id:")) {
        told.push_str(&shown(line.as_bytes()));
        told.push('\n');
    }
    match body.len() {
        0..=1_000 => told.push_str(&shown(body)),
        len => told.push_str(&format!("{len} bytes, {}", shown(&Sha256::digest(body)))),
    }
    for (name, value) in trailers {
        told.push_str(&format!("\ntrailer {}: {}", shown(name.as_bytes()), shown(value)));
    }
    if cut.is_some() {
        told.push_str("\ncut");
    }
    told.push('\n');
    told
}

/// Says back what it hears until it hears the fence.
async fn tunnel(wire: &mut Wire, accepted: &str) -> Result<bool> {
    wire.write(accepted.as_bytes()).await?;
    let mut heard = Vec::new();
    loop {
        let unsearched = heard.len().saturating_sub(FENCE.len());
        heard.extend_from_slice(&wire.ahead.split());
        let new = heard.get(unsearched..).unwrap_or_default();
        if new.windows(FENCE.len()).any(|window| window == FENCE) {
            wire.write(&heard).await?;
            return Ok(false);
        }
        if wire.stream.read_buf(&mut wire.ahead).await? == 0 {
            return Ok(false);
        }
    }
}
