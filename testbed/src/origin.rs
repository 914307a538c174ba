//! A scriptable origin server: the app behind Envoy whose every byte a test decides.
//!
//! It speaks HTTP/1.1 and cleartext HTTP/2 on the same port (it looks at the first bytes). A test gives it a function
//! from the request to an [`Answer`]; with [`OriginBuilder::early`] also one that may answer on the head alone.

mod answer;
mod h1;
mod h2;

pub use answer::{Answer, Gate, Step};

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
};

use anyhow::{Context as _, Result};
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

use crate::{message::Asked, ports::Port};

/// How much of a body the log of requests keeps.
const LOGGED_BODY_BYTES: usize = 64 * 1024;

type Handler = Arc<dyn Fn(&Asked) -> Answer + Send + Sync>;
type EarlyHandler = Arc<dyn Fn(&Asked) -> Option<Answer> + Send + Sync>;

/// What an origin answers, before it is started.
pub struct OriginBuilder {
    early: EarlyHandler,
}

impl OriginBuilder {
    /// Answers on the request head, before the body is read (`body` is empty then); `None` leaves it to the handler.
    ///
    /// Needed where the request does not end before the answer: uploads refused at once, WebSocket, CONNECT, gRPC
    /// streams. A tunnel or stream is answered with [`Answer::echo`].
    #[must_use]
    pub fn early(mut self, early: impl Fn(&Asked) -> Option<Answer> + Send + Sync + 'static) -> OriginBuilder {
        self.early = Arc::new(early);
        self
    }

    /// Starts it on a free loopback port.
    ///
    /// # Errors
    /// No port is free.
    pub async fn start(self, handler: impl Fn(&Asked) -> Answer + Send + Sync + 'static) -> Result<Origin> {
        let port = Port::tcp()?;
        let listener = TcpListener::bind(port.address()).await.context("origin")?;
        let shared = Arc::new(Shared { handler: Arc::new(handler), early: self.early, asked: Mutex::default() });
        let serving = tokio::spawn(serve(listener, shared.clone()));
        Ok(Origin { port, shared, serving })
    }
}

/// A running origin; dropping it closes its port and its connections.
pub struct Origin {
    port: Port,
    shared: Arc<Shared>,
    serving: tokio::task::JoinHandle<()>,
}

impl std::fmt::Debug for Origin {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Origin").field("address", &self.address()).finish_non_exhaustive()
    }
}

/// What all connections of an origin share.
struct Shared {
    handler: Handler,
    early: EarlyHandler,
    asked: Mutex<Vec<Asked>>,
}

impl Shared {
    /// The answer on the head alone, if the test wants one; the request is logged then.
    fn early(&self, head: &Asked) -> Option<Answer> {
        let answer = (self.early)(head)?;
        self.log(head);
        Some(answer)
    }

    fn answer(&self, asked: &Asked) -> Answer {
        self.log(asked);
        (self.handler)(asked)
    }

    fn log(&self, asked: &Asked) {
        let body = bytes::Bytes::copy_from_slice(asked.body.get(..LOGGED_BODY_BYTES).unwrap_or(&asked.body));
        let entry = Asked { body, ..asked.clone() };
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).push(entry);
    }
}

impl Origin {
    /// An origin that answers each request by `handler`.
    ///
    /// # Errors
    /// No port is free.
    pub async fn start(handler: impl Fn(&Asked) -> Answer + Send + Sync + 'static) -> Result<Origin> {
        Origin::builder().start(handler).await
    }

    /// For an origin that also answers early.
    pub fn builder() -> OriginBuilder {
        OriginBuilder { early: Arc::new(|_| None) }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.port.address()
    }

    /// The requests it has got, in the order in which they were answered.
    pub fn asked(&self) -> Vec<Asked> {
        self.shared.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The requests for a path.
    pub fn asked_for(&self, path: &str) -> Vec<Asked> {
        self.asked().into_iter().filter(|asked| asked.path() == path).collect()
    }
}

impl Drop for Origin {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    // Dropped with this task: the connections end with the origin.
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => { connections.spawn(converse(stream, shared.clone())); }
                Err(_) => tokio::task::yield_now().await,
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

/// Serves one connection in the protocol that its first bytes show. A broken connection is the test's business.
async fn converse(stream: TcpStream, shared: Arc<Shared>) {
    let _ = match speaks_http2(&stream).await {
        Ok(true) => h2::serve(stream, shared).await,
        Ok(false) => h1::serve(stream, shared).await,
        Err(error) => Err(error),
    };
}

/// Whether the connection begins with HTTP/2's preface (RFC 9113 §3.4); looks without taking.
async fn speaks_http2(stream: &TcpStream) -> Result<bool> {
    const PREFACE: &[u8] = b"PRI * HTTP/2.0";
    let mut first = [0; 14];
    loop {
        let seen = stream.peek(&mut first).await?;
        let bytes = first.get(..seen).unwrap_or_default();
        if seen == 0 || !PREFACE.starts_with(bytes) {
            return Ok(false);
        }
        if seen == PREFACE.len() {
            return Ok(true);
        }
        // A part of the preface: readiness stays set while bytes are unread, so give way instead of waiting for it.
        tokio::task::yield_now().await;
    }
}
