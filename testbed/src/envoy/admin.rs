//! Envoy's admin page: counters, readiness, configuration dumps.

use std::{collections::BTreeMap, net::SocketAddr};

use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;

use crate::{client, message::Call};

/// What Envoy puts in front of the counters that wasm filters define.
const WASM_PREFIX: &str = "wasmcustom.tributary_";

/// Envoy's counters and gauges by their full names: `cluster.users.upstream_rq_total`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stats(BTreeMap<String, u64>);

impl Stats {
    /// The value; 0 if Envoy does not have it (it makes many counters only when they are first used).
    pub fn value(&self, name: &str) -> u64 {
        self.0.get(name).copied().unwrap_or(0)
    }

    /// The filter's counters by their short names: `seen`, `captured`, `dropped_budget` … All VMs together.
    pub fn filter(&self) -> BTreeMap<String, u64> {
        let short = |(name, value): (&String, &u64)| Some((name.strip_prefix(WASM_PREFIX)?.to_owned(), *value));
        self.0.iter().filter_map(short).collect()
    }
}

#[derive(Deserialize)]
struct Dump {
    stats: Vec<Stat>,
}

/// A counter or gauge; histograms come as another shape and are left out.
#[derive(Deserialize)]
struct Stat {
    name: Option<String>,
    value: Option<serde_json::Value>,
}

/// Reads `path` of the admin page.
pub(super) async fn get(admin: SocketAddr, path: &str) -> Result<String> {
    let reply = client::call(admin, &Call::get(path)).await?;
    ensure!(reply.status == 200, "admin page {path}: {} {}", reply.status, String::from_utf8_lossy(&reply.body));
    String::from_utf8(reply.body.to_vec()).with_context(|| format!("admin page {path}"))
}

pub(super) async fn stats(admin: SocketAddr) -> Result<Stats> {
    let dump: Dump = serde_json::from_str(&get(admin, "/stats?format=json").await?).context("envoy's stats")?;
    let pair = |stat: Stat| Some((stat.name?, stat.value?.as_u64()?));
    Ok(Stats(dump.stats.into_iter().filter_map(pair).collect()))
}

/// Succeeds when Envoy's workers run: all static listeners accept connections then.
pub(super) async fn workers_run(admin: SocketAddr) -> Result<()> {
    let stats = stats(admin).await?;
    ensure!(stats.value("listener_manager.workers_started") == 1, "workers do not run yet");
    Ok(())
}
