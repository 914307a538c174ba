//! Bodies of 50 MB both ways, and what they cost in memory.
//!
//! Two things are looked at: the most that the whole of Envoy held while the bodies passed, and the linear memory of the
//! wasm VMs in it, which never shrinks and so shows what the filter ever held.

use std::net::SocketAddr;

use anyhow::{Context as _, Result, ensure};
use serde_json::json;
use tributary_testbed::{
    client::{h1, h2},
    message::{Call, End, Reply, text_piece},
    origin::Answer,
    recordings::Line,
    stack::{Bed, Stack},
};

use super::{
    case::Way,
    line::{LIMIT, short},
    profile,
};

const PIECE_BYTES: usize = 1_000_000;
const PIECES: usize = 50;

/// Everything that one VM may hold here: far less than the bodies, far more than two times the limit of one.
const BUDGET_BYTES: u64 = 1024 * 1024;

/// What a VM's memory may grow by: its budget, and what an allocator wastes.
const VM_GROWTH_BYTES: u64 = 2 * BUDGET_BYTES;

/// What Envoy may need for bodies of 100 MB in all: its buffers of 1 MiB each, and over HTTP/2 a window of 16 MiB.
const ENVOY_GROWTH_BYTES: u64 = 32 * 1024 * 1024;

/// The test.
pub(crate) async fn pass_with_bounded_memory(bed: &Bed) -> Result<()> {
    let answer =
        |_: &_| Answer::new(200).header("content-type", "text/plain").repeated(text_piece(PIECE_BYTES), PIECES);
    let settings = json!({"max_memory_bytes": BUDGET_BYTES, "max_batch_bytes": BUDGET_BYTES / 2});
    let stack = bed.stack("large").await?.origin(answer).await?.filter(settings);
    let stack = stack.envoy(|envoy| envoy.every_shape()).start().await?;
    let (with, without) = (stack.envoy.address(), stack.envoy.bare_address()?);

    for way in [Way::Http1, Way::Http2ToHttp1] {
        let vms = stack.envoy.vm_bytes()?;

        // With the filter first: what Envoy has once needed it keeps, and the second would seem to need nothing.
        for (filter, address) in [("with", with), ("without", without)] {
            let needed = needed(&stack, address, way).await.with_context(|| format!("{filter} the filter"))?;
            ensure!(needed <= ENVOY_GROWTH_BYTES, "{way:?} {filter} the filter: Envoy needed {needed} bytes more");
        }
        let grown = stack.envoy.vm_bytes()? - vms;
        ensure!(grown <= VM_GROWTH_BYTES, "{way:?}: the VMs grew by {grown} bytes from {vms}");
    }

    let evidence = stack.evidence(super::rig::SETTLED_WITHIN).await?;
    ensure!(evidence.lines.len() == 2, "{} lines of 2 exchanges", evidence.lines.len());
    evidence.lines.iter().try_for_each(is_right)?;
    let count = |name: &str| evidence.filter.get(name).copied().unwrap_or(0);
    let counts = [count("seen"), count("captured"), count("acked"), count("dropped_budget")];
    ensure!(counts == [2, 2, 2, 0], "seen, captured, acked, dropped_budget: {counts:?}");
    Ok(())
}

/// Sends the body up and gets one like it down; how many bytes of memory Envoy needed more for that than before it.
async fn needed(stack: &Stack, address: SocketAddr, way: Way) -> Result<u64> {
    let before = stack.envoy.forget_peak_memory()?;
    let earlier = stack.origin()?.asked().len();
    let call = Call::put("/large").chunks(std::iter::repeat_n(text_piece(PIECE_BYTES), PIECES));

    let reply = match way.is_from_http2() {
        true => h2::Connection::open(address).await?.call(&call).await?,
        false => h1::Connection::open(address).await?.call(&call).await?,
    };

    let needed = stack.envoy.process().peak_memory_bytes()?.saturating_sub(before);
    ensure!(is_whole(&reply), "the client got {} bytes, {} {:?}", reply.body.len(), reply.status, reply.end);
    let asked = stack.origin()?.asked();
    let got: Vec<u64> = asked.iter().skip(earlier).map(|asked| asked.body_bytes).collect();
    ensure!(got == [(PIECES * PIECE_BYTES) as u64], "the origin got {got:?} bytes");
    Ok(needed)
}

fn is_whole(reply: &Reply) -> bool {
    let piece = text_piece(PIECE_BYTES);
    let right = reply.body.chunks(PIECE_BYTES).all(|part| part == piece);
    reply.status == 200 && reply.end == End::Complete && reply.body.len() == PIECES * PIECE_BYTES && right
}

fn is_right(line: &Line) -> Result<()> {
    let exchange = line.exchange()?;
    let text = text_piece(PIECE_BYTES);
    let beginning = text.get(..LIMIT).and_then(|kept| std::str::from_utf8(kept).ok());
    ensure!(
        exchange.request.body.as_deref() == beginning,
        "request body {:?}",
        exchange.request.body.map(|body| short(&body))
    );
    let response = exchange.response.as_ref().context("no response")?;
    ensure!(response.body.as_deref() == beginning, "response body");
    let facts = Some(json!({"bytes": PIECES * PIECE_BYTES, "kept": LIMIT, "truncated": true}));
    let meta = exchange.meta.context("no meta")?;
    for key in ["requestBody", "responseBody"] {
        ensure!(meta.get(key) == facts.as_ref(), "{key}: {:?}", meta.get(key));
    }
    let broken = profile::broken_by(line);
    ensure!(broken.is_empty(), "{broken:?}");
    Ok(())
}
