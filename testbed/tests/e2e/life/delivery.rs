//! From the filter to a collector that is slow, sick, refusing, away, or behind the same Envoy.

use std::{
    collections::BTreeSet,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use tributary_testbed::{
    envoy::{Config, Envoy, Upstream},
    message::{Asked, Call},
    oracle::{Load, Mint, judge},
    origin::{Answer, Gate, Origin},
    stack::Bed,
    wait,
};

use super::scripted::{self, acknowledgement, has_lines, name_of};

/// For anything here, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// A dozen batches wait; of a collector that answers one by one, two are asked for at a time and never a third.
pub(super) async fn two_posts_are_in_flight_at_most(_: &Bed) -> Result<()> {
    const CALLS: usize = 12;
    let gates: Vec<Gate> = (0..CALLS).map(|_| Gate::closed()).collect();
    let (held, arrived) = (gates.clone(), AtomicUsize::new(0));
    let collector = Origin::start(move |asked| {
        let gate = has_lines(asked).then(|| held.get(arrived.fetch_add(1, Ordering::Relaxed))).flatten();
        gate.map_or_else(|| acknowledgement(asked), |gate| scripted::acknowledgement_behind(asked, gate))
    });
    let collector = collector.await?;
    let (envoy, _app) = scripted::envoy(&collector, json!({"flush_after_ms": 10, "max_batch_exchanges": 1})).await?;

    scripted::call(&envoy, 0..CALLS).await?;
    for (answered, gate) in gates.iter().enumerate() {
        let expected = (answered + 2).min(CALLS);
        let asked = scripted::until_asked(&collector, expected).await?.len();
        ensure!(asked == expected, "{asked} posts arrived when {answered} were answered");
        gate.open();
    }

    let counters = scripted::until_counted(&envoy, &[("acked", CALLS as u64), ("post_failures", 0)]).await?;
    let asked = scripted::until_asked(&collector, CALLS).await?;
    let batches: BTreeSet<String> = asked.iter().map(name_of).collect();
    ensure!(batches.len() == CALLS && asked.len() == CALLS, "a post came twice: {batches:?}, {counters:?}");
    super::only_reads(&envoy)
}

/// One batch meets everything that is no acknowledgement of it. It travels again each time, the same bytes under the
/// same name, and counts once.
pub(super) async fn batch_travels_until_its_own_acknowledgement(_: &Bed) -> Result<()> {
    let script: Vec<fn(&Asked) -> Answer> = vec![
        |_| Answer::new(503).header("retry-after", "1"),
        |_| Answer::new(200).body(r#"{"accepted":1,"rejected":[]}"#),
        |_| Answer::new(200).header("x-tributary-ack", "another-0").body(r#"{"accepted":1,"rejected":[]}"#),
        |_| Answer::hang_up(),
        |asked| acknowledgement(asked).declare_length(100).reset(),
        |_| Answer::raw("this is no HTTP\r\n\r\n"),
        |_| Answer::new(401),
        |_| Answer::new(500).body("sorry"),
        acknowledgement,
    ];
    let attempts = script.len();
    let times: Arc<Mutex<Vec<Instant>>> = Arc::default();
    let clock = times.clone();
    let collector = Origin::start(move |asked| {
        if !has_lines(asked) {
            return acknowledgement(asked);
        }
        let mut times = clock.lock().unwrap_or_else(PoisonError::into_inner);
        let answer = script.get(times.len()).copied().unwrap_or(acknowledgement);
        times.push(Instant::now());
        answer(asked)
    });
    let collector = collector.await?;
    let settings = json!({"flush_after_ms": 10, "retry_min_ms": 10, "retry_max_ms": 20});
    let (envoy, _app) = scripted::envoy(&collector, settings).await?;

    scripted::call(&envoy, 0..1).await?;
    scripted::until_counted(&envoy, &[("acked", 1), ("post_failures", attempts as u64 - 1)]).await?;

    let asked = scripted::until_asked(&collector, attempts).await?;
    ensure!(asked.len() == attempts, "{} posts instead of {attempts}", asked.len());
    let what = |asked: &Asked| (name_of(asked), asked.body.clone());
    let first = asked.first().map(what).context("no post")?;
    ensure!(asked.iter().all(|asked| what(asked) == first), "a retry differs from the first try");
    let times = times.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let waited = times.get(1).zip(times.first()).map(|(second, first)| second.duration_since(*first));
    ensure!(waited >= Some(Duration::from_secs(1)), "Retry-After: 1 was not honoured, {waited:?}");
    scripted::until_logged(&envoy, "Posts are acknowledged again.").await?;
    super::only_reads(&envoy)
}

/// What can never work is dropped and counted under its own reason, what takes too long under its; the next batch
/// goes through.
pub(super) async fn hopeless_batches_are_counted_by_reason(_: &Bed) -> Result<()> {
    let arrived = AtomicUsize::new(0);
    let collector = Origin::start(move |asked| {
        if !has_lines(asked) {
            return acknowledgement(asked);
        }
        match arrived.fetch_add(1, Ordering::Relaxed) {
            0 => Answer::new(400),
            1 => Answer::new(413),
            2 => Answer::new(415),
            3 => acknowledgement(asked),
            _ => Answer::new(503),
        }
    });
    let collector = collector.await?;
    let settings = json!({
        "flush_after_ms": 10, "max_batch_exchanges": 1, "retry_min_ms": 10, "retry_max_ms": 50, "give_up_after_ms": 1_000,
    });
    let (envoy, _app) = scripted::envoy(&collector, settings).await?;

    for (number, counter) in
        ["dropped_bad_request", "dropped_too_large", "dropped_unsupported", "acked"].iter().enumerate()
    {
        scripted::call(&envoy, number..number + 1).await?;
        scripted::until_counted(&envoy, &[(counter, 1)]).await?;
    }
    scripted::call(&envoy, 4..5).await?;
    let expired = [("dropped_expired", 1), ("captured", 5), ("acked", 1), ("rejected", 0), ("dropped_budget", 0)];
    scripted::until_counted(&envoy, &expired).await?;

    scripted::until_logged(&envoy, "Exchanges were lost. reason=dropped_bad_request count=1 total=1").await?;
    super::only_reads(&envoy)
}

/// The collector is not there when traffic comes, and comes later: no client notices, and all of it arrives.
pub(super) async fn collector_that_is_away_loses_nothing(bed: &Bed) -> Result<()> {
    let mint = Mint::new("away");
    let made = mint.clone();
    let stack = bed.stack("away").await?.filter(json!({"retry_max_ms": 400}));
    let mut stack = stack.origin(move |asked| made.answer(asked)).await?.start().await?;
    ensure!(stack.collector.terminate(PATIENCE).await?.success(), "the collector does not end in good order");

    let load = Load::start(&mint, stack.envoy.address(), 4, 600);
    load.further(300, PATIENCE).await?;
    wait::until("several posts that fail", PATIENCE, async || {
        let failures = stack.envoy.stats().await?.filter().get("post_failures").copied().unwrap_or(0);
        ensure!(failures >= 3, "{failures} failures");
        Ok(())
    })
    .await?;
    stack.collector.start_again().await?;
    let ledger = load.finish().await?;

    judge(&ledger, &stack.evidence_of(&ledger).await?).nothing_lost()?;
    ensure!(stack.envoy.log().has("Posts fail; exchanges are kept and tried again."), "the trouble is not in the log");
    ensure!(stack.envoy.log().has("Posts are acknowledged again."), "the end of the trouble is not in the log");
    super::only_reads(&stack.envoy)
}

/// The collector stays away until the filter's memory is full: first bodies are left out, then headers, then the newest
/// are dropped; each is counted and says so, no client notices, what was kept arrives, and what comes later is whole.
pub(super) async fn full_memory_is_counted_and_hurts_nobody(bed: &Bed) -> Result<()> {
    let mint = Mint::new("full");
    let made = mint.clone();
    let settings = json!({"max_memory_bytes": 131_072, "max_batch_bytes": 16_384, "retry_max_ms": 400});
    let stack = bed.stack("full").await?.filter(settings);
    let mut stack = stack.origin(move |asked| made.answer(asked)).await?.start().await?;
    ensure!(stack.collector.terminate(PATIENCE).await?.success(), "the collector does not end in good order");

    let ledger = Load::start(&mint, stack.envoy.address(), 4, 300).finish().await?;
    stack.collector.start_again().await?;

    let evidence = stack.evidence_of(&ledger).await?;
    let verdict = judge(&ledger, &evidence);
    verdict.nothing_unexplained()?;
    let count = |name| evidence.filter.get(name).copied().unwrap_or(0);
    let dropped = count("dropped_budget");
    ensure!((1..300).contains(&dropped), "{dropped} of 300 dropped: the memory was not full, or never free");
    ensure!(verdict.missing.len() as u64 == dropped, "dropped {dropped}, but\n{verdict}");
    let steps = [count("degraded_heads"), count("degraded_meta")];
    ensure!(steps.iter().all(|count| *count > 0), "heads only, meta only: {steps:?}; a step was left out");
    ensure!(verdict.degraded == steps.iter().sum::<u64>(), "{} lines say so, {steps:?} counted", verdict.degraded);
    let later = stack.call(&Call::get("/later")).await?;
    ensure!(later.status == 599, "the origin answered {}", later.status);
    let line = stack.line_of("/later").await?;
    ensure!(line.pointer("/meta/degraded").is_none() && line["response"]["body"] != "", "still degraded: {line}");
    super::only_reads(&stack.envoy)
}

/// The collector stands behind the same filter, as behind its own sidecar: the posts pass, are counted as our own, and are
/// not recorded; and when nothing happens, nothing is posted about it.
pub(super) async fn own_posts_are_not_recorded(bed: &Bed) -> Result<()> {
    let stack = bed.stack("loop").await?.envoy(|envoy| envoy.edit(post_through_the_own_listener));
    let stack = stack.origin(|_| Answer::new(200).body("once")).await?.start().await?;
    let paths: Vec<String> = (0..20).map(|number| format!("/loop/{number}")).collect();

    for path in &paths {
        let reply = stack.call(&Call::get(path)).await?;
        ensure!(reply.status == 200 && reply.body == "once", "{path} was answered {}", reply.status);
    }
    let lines = stack.lines(paths.len()).await?;
    let counters =
        scripted::until_counted(&stack.envoy, &[("captured", 20), ("acked", 20), ("post_failures", 0)]).await?;

    super::each_once(&lines, &paths)?;
    let count = |name| counters.get(name).copied().unwrap_or(0);
    ensure!(count("excluded_self") > 0, "no post was seen by the filter: {counters:?}");
    ensure!(count("seen") == count("excluded_self") + 20, "something else was seen: {counters:?}");
    until_silent(&stack.envoy).await?;
    ensure!(stack.lines(paths.len()).await?.len() == paths.len(), "posts were recorded");
    super::only_reads(&stack.envoy)
}

/// Sends the filter's posts to the listener that the filter itself is in, which routes them to the collector.
fn post_through_the_own_listener(config: &mut Config) -> Result<()> {
    let address = config.listener("http")?.pointer("/address/socket_address").context("no address")?.clone();
    let part = |name: &str| address.get(name).cloned().unwrap_or(Value::Null);
    let own = format!("{}:{}", part("address").as_str().unwrap_or_default(), part("port_value"));
    config.add_cluster("own-listener", own.parse().context("own address")?, Upstream::Http1)?;
    config.set_filter(&json!({"collector": {"cluster": "own-listener"}}))?;
    config.add_route(json!({"name": "posts", "match": {"path": "/v1/exchanges"}, "route": {"cluster": "collector"}}))
}

/// Waits until the filter has posted nothing for longer than the second after which it reports.
async fn until_silent(envoy: &Envoy) -> Result<()> {
    let (mut posts, mut since) = (0, Instant::now());
    wait::until("silence", PATIENCE, async || {
        let now = envoy.stats().await?.filter().get("posts").copied().unwrap_or(0);
        if now != posts {
            (posts, since) = (now, Instant::now());
        }
        ensure!(since.elapsed() >= Duration::from_millis(2_500), "post {posts} was {:?} ago", since.elapsed());
        Ok(())
    })
    .await
}
