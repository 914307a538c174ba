//! The corpus of hostile input (`testbed/hostile/`): each case past the filter and through it.
//!
//! The client must see the same, whatever it sent and whatever the origin answered; the VM must be alive behind it; each
//! request may leave one record at most, which is a valid line; and every exchange that the filter saw is accounted for.
//!
//! One case alone: `TRIBUTARY_CASE=smuggling/cl-te cargo xtask test e2e hostile`.

use std::{
    collections::{BTreeMap, HashMap},
    net::SocketAddr,
    sync::Arc,
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use futures_util::{StreamExt as _, stream};
use libtest_mimic::Trial;
use serde_json::{Value, json};
use tributary_http_types::HttpExchange;
use tributary_testbed::{
    client,
    envoy::{Config, EnvoyBuilder, Upstream},
    hostile::{self, Case, Kind, Origin, Played},
    message::Call,
    recordings::Line,
    stack::{Bed, Stack},
    wait,
};

use crate::harness::trials;

/// Connections at a time: most of them wait for one of Envoy's time-outs.
const AT_ONCE: usize = 128;

/// The longest that anything here may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) fn trials(bed: &Arc<Bed>) -> Vec<Trial> {
    trials!(bed, "hostile": whatever_comes_passes_as_without_the_filter_and_is_accounted_for)
}

async fn whatever_comes_passes_as_without_the_filter_and_is_accounted_for(bed: &Bed) -> Result<()> {
    let cases = chosen()?;
    let origin = Origin::start(&cases).await?;
    let at = origin.address();
    let stack = bed.stack("hostile").await?.app_at(at).filter(json!({"flush_after_ms": 20}));
    let stack = stack.envoy(|envoy| lenient(envoy.every_shape(), at)).start().await?;
    let vms_before = vms(&stack).await?;

    let without = play_all(&cases, stack.envoy.bare_address()?).await?;
    let before = requests(&stack).await?;
    let with = play_all(&cases, stack.envoy.address()).await?;
    let requests = requests(&stack).await? - before;

    compare(&cases, &with, &without)?;
    ensure!(vms(&stack).await? == vms_before, "the VM is not what it was");
    let reply = client::call(stack.envoy.address(), &Call::get("/last")).await?;
    ensure!(reply.status == 200, "the filter's listener does not answer any more: {reply:?}");
    // Envoy's one worker has ended all others when this one is recorded.
    stack.line_of("/last").await?;
    let (account, lines) = account(&stack).await?;
    // Envoy counts a request from its first byte, the filter from its head.
    ensure!(account.seen <= requests + 1, "the filter saw {} of {requests} requests", account.seen);
    let records = records(&lines)?;
    judge(&cases, &with, &records)?;
    println!(
        "{} cases, {requests} requests, {} seen by the filter, {} records, {} left out",
        cases.len(),
        account.seen,
        lines.len(),
        account.excluded
    );
    let log = stack.envoy.log();
    for trouble in ["restricted proxy-wasm capability", "Function: proxy_on", "Uncaught", "panicked"] {
        ensure!(log.lines_with(trouble).is_empty(), "{:?}", log.lines_with(trouble));
    }
    Ok(())
}

fn chosen() -> Result<Vec<Case>> {
    let mut cases = hostile::cases()?;
    if let Ok(name) = std::env::var("TRIBUTARY_CASE") {
        cases.retain(|case| case.name.starts_with(&name));
        ensure!(!cases.is_empty(), "no case is or begins like {name}");
    }
    Ok(cases)
}

async fn play_all(cases: &[Case], address: SocketAddr) -> Result<Vec<Played>> {
    let play = async |(index, case)| (index, hostile::play(case, address).await);
    // Whichever ends first makes room: in their order, each that waits for a time-out would hold up the rest.
    let played = stream::iter(cases.iter().enumerate()).map(play).buffer_unordered(AT_ONCE);
    let mut played = played.collect::<Vec<_>>().await;
    played.sort_by_key(|(index, _)| *index);
    played.into_iter().map(|(_, played)| played).collect()
}

/// The client saw the same: names the cases where it did not, and shows the first.
fn compare(cases: &[Case], with: &[Played], without: &[Played]) -> Result<()> {
    let differ = |((case, with), without): ((&Case, &Played), &Played)| {
        let differs = with.seen != without.seen;
        differs.then(|| (case.name.clone(), with.seen.clone(), without.seen.clone()))
    };
    let different = cases.iter().zip(with).zip(without).filter_map(differ).collect::<Vec<_>>();
    let Some((name, with, without)) = different.first() else { return Ok(()) };
    let names = different.iter().map(|(name, ..)| name.as_str()).collect::<Vec<_>>();
    anyhow::bail!(
        "{} cases differ: {names:?}\ntestbed/hostile/{name}.case: the client saw\n{}\nwith the filter, and without\n\
         {}\nagain: TRIBUTARY_CASE={name} cargo xtask test e2e hostile",
        names.len(),
        from_difference(with, without),
        from_difference(without, with)
    )
}

/// A text from a little before the place where it differs from the other, at most a screen of it.
fn from_difference(text: &str, other: &str) -> String {
    let same = text.chars().zip(other.chars()).take_while(|(one, other)| one == other).count();
    text.chars().skip(same.saturating_sub(500)).take(2_000).collect()
}

/// The records by the client's port.
fn records(lines: &[Line]) -> Result<HashMap<u16, Vec<Value>>> {
    let mut records: HashMap<u16, Vec<Value>> = HashMap::new();
    for line in lines {
        let shown = || format!("a line that is none: {:?}", String::from_utf8_lossy(&line.bytes));
        HttpExchange::from_line(&line.bytes).with_context(shown)?;
        ensure!(!line.bytes.iter().any(|byte| *byte < 0x20), "control bytes in a line: {}", shown());
        let value = line.json()?;
        let client = value.pointer("/meta/clientAddress").and_then(Value::as_str).context("no client address")?;
        let port = client.parse::<SocketAddr>().context("client address")?.port();
        records.entry(port).or_default().push(value);
    }
    Ok(records)
}

/// At most one record for each request of a case, and one for its fence.
fn judge(cases: &[Case], with: &[Played], records: &HashMap<u16, Vec<Value>>) -> Result<()> {
    let ports: BTreeMap<u16, &str> =
        cases.iter().zip(with).map(|(case, played)| (played.port, case.name.as_str())).collect();
    ensure!(ports.len() == cases.len(), "two cases came from one port: nobody can tell their records apart");
    for (case, played) in cases.iter().zip(with) {
        let found = records.get(&played.port).map_or(&[][..], Vec::as_slice);
        let is_fence = |record: &&Value| record.pointer("/request/path") == Some(&json!(case.fence()));
        let fences = found.iter().filter(is_fence).count();
        ensure!(
            fences <= 1 && found.len() - fences <= case.requests,
            "testbed/hostile/{}.case: {} records of {} requests: {found:#?}",
            case.name,
            found.len(),
            case.requests
        );
        // What is plain in itself must have been recorded: else none of this would prove anything.
        let answered = played.seen.contains("HTTP/1.1 200 OK") && case.kind == Kind::Http1;
        ensure!(!answered || !found.is_empty(), "testbed/hostile/{}.case: answered, and not recorded", case.name);
    }
    Ok(())
}

/// The filter's account, in Envoy's statistics, which follow a tick later.
struct Account {
    seen: u64,
    excluded: u64,
}

/// The account and the lines, once nothing is pending and the one says what the others are.
async fn account(stack: &Stack) -> Result<(Account, Vec<Line>)> {
    wait::until("an account that fits the lines", PATIENCE, async || {
        let lines = stack.lines(0).await?;
        let now = stack.envoy.stats().await?.filter();
        let value = |name: &str| now.get(name).copied().unwrap_or(0);
        let all = |start: &str| now.iter().filter(|(name, _)| name.starts_with(start)).map(|(_, n)| n).sum::<u64>();
        let (excluded, dropped) = (all("excluded_"), all("dropped_"));
        ensure!(value("seen") == excluded + value("captured"), "the first identity does not hold: {now:?}");
        ensure!(value("captured") == value("acked"), "not all is acknowledged: {now:?}");
        ensure!(dropped == 0 && value("rejected") == 0, "lost: {now:?}");
        ensure!(lines.len() as u64 == value("acked"), "{} lines of {now:?}", lines.len());
        Ok((Account { seen: value("seen"), excluded }, lines))
    })
    .await
}

/// How many requests Envoy has begun, on both listeners.
async fn requests(stack: &Stack) -> Result<u64> {
    Ok(stack.envoy.stats().await?.value("http.ingress.downstream_rq_total"))
}

/// How many VMs there are and how many were ever made: a trap ends one.
async fn vms(stack: &Stack) -> Result<(u64, u64)> {
    let stats = stack.envoy.stats().await?;
    Ok((stats.value("wasm.envoy.wasm.runtime.v8.active"), stats.value("wasm.envoy.wasm.runtime.v8.created")))
}

/// Lets more through than Envoy does by itself, and ends what never ends.
fn lenient(envoy: EnvoyBuilder, origin: SocketAddr) -> EnvoyBuilder {
    envoy
        .cluster("answers", origin, Upstream::Http1)
        .route(json!({"name": "answers", "match": {"prefix": "/answer/"}, "route": {"cluster": "answers"}}))
        .edit(odd_shapes)
}

fn odd_shapes(config: &mut Config) -> Result<()> {
    let options = config
        .cluster("answers")?
        .pointer_mut("/typed_extension_protocol_options/envoy.extensions.upstreams.http.v3.HttpProtocolOptions");
    // An answer may leave anything behind it on its connection.
    set(
        options.context("options of answers")?,
        json!({"common_http_protocol_options": {"max_requests_per_connection": 1}}),
    );
    let manager = config.manager()?;
    let odd = json!({
        "accept_http_10": true, "default_host_for_http_10": "old", "allow_chunked_length": true,
        "allow_custom_methods": true, "override_stream_error_on_invalid_http_message": true
    });
    set(manager.pointer_mut("/http_protocol_options").context("http_protocol_options")?, odd);
    let stream_only = json!({"override_stream_error_on_invalid_http_message": true});
    set(manager.pointer_mut("/http2_protocol_options").context("http2_protocol_options")?, stream_only);
    set(
        manager,
        json!({
            "stream_idle_timeout": "3s", "request_headers_timeout": "3s", "delayed_close_timeout": "0.2s",
            "common_http_protocol_options": {"idle_timeout": "3s", "max_headers_count": 100}
        }),
    );
    let filters = manager.pointer_mut("/http_filters").and_then(Value::as_array_mut).context("http filters")?;
    let router = filters.last_mut().and_then(|router| router.pointer_mut("/typed_config")).context("router")?;
    // How long the origin took is not the same twice.
    set(router, json!({"suppress_envoy_headers": true}));
    Ok(())
}

fn set(object: &mut Value, members: Value) {
    if let (Value::Object(object), Value::Object(members)) = (object, members) {
        object.extend(members);
    }
}
