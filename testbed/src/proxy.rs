//! The fault proxy: a TCP proxy that stands between two parts and hurts their conversation as a test says.
//!
//! It passes bytes on as they are until it is given another [`Mode`], which holds for all its connections from that
//! moment on, the open ones too. It counts what it does ([`Counts`]): a fault that did not happen proves nothing.

mod pump;

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::{Context as _, Result};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinSet,
};

use crate::ports::Port;
use pump::{End, Side};

/// How long a change between listening and not listening may take.
const CHANGE_WITHIN: Duration = Duration::from_secs(10);

/// What the proxy does with the bytes that come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Passes them on.
    Pass,
    /// Passes each piece on after this time, in both directions.
    Delay(Duration),
    /// Passes on so many bytes at most, then pauses, in both directions.
    Throttle {
        /// Bytes at a time, at least 1.
        bytes: usize,
        /// The pause after them.
        every: Duration,
    },
    /// Takes connections and bytes, passes nothing on, says nothing.
    BlackHole,
    /// Resets the open connections, and new ones as soon as they come.
    Reset,
    /// Nobody listens; open connections are reset.
    Refuse,
    /// Passes a part of the conversation on and breaks off, on each connection again.
    Cut {
        /// In which direction.
        of: Half,
        /// After how much of it.
        after: After,
        /// How.
        by: Break,
    },
    /// Connects to another address instead. Open connections are reset, when it begins and when it ends.
    Divert(SocketAddr),
}

/// A direction of the conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Half {
    /// From the client.
    Request,
    /// To the client.
    Reply,
}

/// How much passes before a [`Mode::Cut`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum After {
    /// So many bytes, counted on each connection from the moment the mode was set.
    Bytes(usize),
    /// The first head of HTTP/1.1: all up to and with the empty line.
    Head,
}

/// How a [`Mode::Cut`] breaks off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Break {
    /// Both connections are reset.
    Reset,
    /// Both connections are closed in good order.
    Close,
    /// The connections stay, nothing more passes in this direction.
    Silence,
}

/// What a proxy has done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Connections taken.
    pub connections: u64,
    /// Connections that were taken and could not be passed on, because nobody listened there.
    pub unreachable: u64,
    /// Connections reset by [`Mode::Reset`] and [`Mode::Refuse`], and by a change to or from [`Mode::Divert`].
    pub resets: u64,
    /// Pieces that were delayed.
    pub delays: u64,
    /// Pieces after which a throttled direction paused.
    pub throttled: u64,
    /// Bytes that were taken and not passed on.
    pub swallowed_bytes: u64,
    /// Conversations that were cut.
    pub cuts: u64,
    /// Connections to the other address.
    pub diverted: u64,
}

/// A running proxy. Dropping it closes its port and its connections.
#[derive(Debug)]
pub struct Proxy {
    port: Port,
    shared: Arc<Shared>,
    serving: tokio::task::JoinHandle<()>,
}

#[derive(Debug)]
struct Shared {
    upstream: SocketAddr,
    mode: watch::Sender<Mode>,
    listening: watch::Sender<bool>,
    counters: Counters,
}

#[derive(Debug, Default)]
struct Counters {
    connections: AtomicU64,
    unreachable: AtomicU64,
    resets: AtomicU64,
    delays: AtomicU64,
    throttled: AtomicU64,
    swallowed_bytes: AtomicU64,
    cuts: AtomicU64,
    diverted: AtomicU64,
}

fn add(counter: &AtomicU64, count: usize) {
    counter.fetch_add(count as u64, Ordering::Relaxed);
}

impl Proxy {
    /// A proxy to this address, on a free port, that passes everything on. Nobody need listen there yet.
    ///
    /// # Errors
    /// No port is free.
    pub async fn start(upstream: SocketAddr) -> Result<Proxy> {
        let port = Port::tcp()?;
        let shared = Arc::new(Shared {
            upstream,
            mode: watch::Sender::new(Mode::Pass),
            listening: watch::Sender::new(false),
            counters: Counters::default(),
        });
        let serving = tokio::spawn(serve(port.address(), shared.clone()));
        let proxy = Proxy { port, shared, serving };
        proxy.until_listening(true).await?;
        Ok(proxy)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.port.address()
    }

    /// Changes what it does; holds when this returns.
    ///
    /// # Errors
    /// Its port cannot be opened again after [`Mode::Refuse`].
    pub async fn set(&self, mode: Mode) -> Result<()> {
        self.shared.mode.send_replace(mode);
        self.until_listening(mode != Mode::Refuse).await
    }

    /// What it has done so far.
    pub fn counts(&self) -> Counts {
        let counters = &self.shared.counters;
        let value = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Counts {
            connections: value(&counters.connections),
            unreachable: value(&counters.unreachable),
            resets: value(&counters.resets),
            delays: value(&counters.delays),
            throttled: value(&counters.throttled),
            swallowed_bytes: value(&counters.swallowed_bytes),
            cuts: value(&counters.cuts),
            diverted: value(&counters.diverted),
        }
    }

    async fn until_listening(&self, wanted: bool) -> Result<()> {
        let mut listening = self.shared.listening.subscribe();
        let changed = listening.wait_for(|listening| *listening == wanted);
        let changed = tokio::time::timeout(CHANGE_WITHIN, changed).await;
        changed.context("the proxy's port did not change in time")?.context("the proxy has ended").map(drop)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn serve(address: SocketAddr, shared: Arc<Shared>) {
    let mut mode = shared.mode.subscribe();
    // Ends with the proxy: the sender is in `shared`.
    while mode.wait_for(|mode| *mode != Mode::Refuse).await.is_ok() {
        // The number is held for us. If it cannot be taken all the same, whoever waits for it says so.
        let Ok(listener) = TcpListener::bind(address).await else { return };
        shared.listening.send_replace(true);
        take(&listener, &mut mode, &shared).await;
        drop(listener);
        shared.listening.send_replace(false);
    }
}

/// Takes connections until nobody is to listen. They go on until they are done, or notice that themselves.
async fn take(listener: &TcpListener, mode: &mut watch::Receiver<Mode>, shared: &Arc<Shared>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            () = refused(mode) => {
                while connections.join_next().await.is_some() {}
                return;
            }
            accepted = listener.accept() => match accepted {
                Ok((client, _)) => {
                    add(&shared.counters.connections, 1);
                    connections.spawn(converse(client, shared.clone()));
                }
                Err(_) => tokio::task::yield_now().await,
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

/// Resolves when nobody is to listen, or the proxy is gone.
async fn refused(mode: &mut watch::Receiver<Mode>) {
    let _ = mode.wait_for(|mode| *mode == Mode::Refuse).await;
}

/// Carries one connection. What breaks is the test's business.
async fn converse(client: TcpStream, shared: Arc<Shared>) {
    let mut mode = shared.mode.subscribe();
    let first = *mode.borrow_and_update();
    let target = match first {
        Mode::Divert(other) => other,
        _ => shared.upstream,
    };
    if matches!(first, Mode::Reset | Mode::Refuse) {
        add(&shared.counters.resets, 1);
        let _ = client.set_zero_linger();
        return;
    }
    let Ok(server) = TcpStream::connect(target).await else {
        add(&shared.counters.unreachable, 1);
        let _ = client.set_zero_linger();
        return;
    };
    if matches!(first, Mode::Divert(_)) {
        add(&shared.counters.diverted, 1);
    }
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let counters = &shared.counters;
    let mut up = Side::new(Half::Request, mode.clone(), counters);
    let mut down = Side::new(Half::Reply, mode.clone(), counters);
    let end = {
        let conversation = async {
            tokio::try_join!(up.pump(&mut from_client, &mut to_server), down.pump(&mut from_server, &mut to_client))
        };
        tokio::select! {
            ended = conversation => ended.err().unwrap_or(End::Closed),
            () = pump::turned(&mut mode, first) => {
                add(&counters.resets, 1);
                End::Reset
            }
        }
    };
    if end == End::Reset {
        // Fails only if the socket is gone already.
        let _ = (from_client.as_ref().set_zero_linger(), from_server.as_ref().set_zero_linger());
        // Dropped as they are, they would say goodbye in good order first.
        to_client.forget();
        to_server.forget();
    }
}

#[cfg(test)]
mod tests;
