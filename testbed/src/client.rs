//! Clients that hide nothing: each shows status, headers, body and trailers as they came over the wire.

pub mod h1;
pub mod h2;
pub mod h3;

use std::{net::SocketAddr, time::Duration};

use anyhow::{Context as _, Result};

use crate::message::{Call, Reply};

/// The longest that one plain call may take.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// One call over a new HTTP/1.1 connection.
///
/// # Errors
/// No connection, no response head, or no end within [`PATIENCE`].
pub async fn call(address: SocketAddr, call: &Call) -> Result<Reply> {
    let exchange = async { h1::Connection::open(address).await?.call(call).await };
    let reply = tokio::time::timeout(PATIENCE, exchange).await.context("no reply in time");
    reply.and_then(|reply| reply).with_context(|| format!("{} {} at {address}", call.method, call.target))
}
