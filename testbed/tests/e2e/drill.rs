//! The panic drill: a build of the filter that panics on demand, under each failure policy of Envoy. What happens then is
//! what the README says; the shipped filter has no path that panics, and no such header.

use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};
use libtest_mimic::Trial;
use serde_json::{Value, json};
use tributary_testbed::{
    client::h1,
    envoy::Config,
    message::{Asked, Call, End, Reply},
    origin::{Answer, Gate},
    stack::{Bed, DELIVERED_WITHIN, Stack},
    wait,
};
use xtask::parts;

use crate::harness::trials;

/// What asks for the panic.
const TRIGGER: &str = "x-tributary-panic";

/// Pieces of the response that is under way when the filter panics.
const PIECE: &str = "half of an answer, ";

pub(crate) fn trials(bed: &Arc<Bed>) -> Vec<Trial> {
    trials!(bed, "drill":
        panic_in_the_request_head_does_what_the_policy_says,
        panic_elsewhere_costs_the_recording_only,
        source_that_panicked_is_called_silent,
        shipped_filter_has_no_drill,
    )
}

/// Envoy's word for what becomes of traffic when a VM fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Policy {
    /// The old field, of `envoy/envoy.yaml`.
    OldFailOpen,
    FailOpen,
    FailClosed,
    FailReload,
}

impl Policy {
    fn apply(self, config: &mut Config) -> Result<()> {
        let plugin = config.plugin()?.as_object_mut().context("no plugin")?;
        let policy = match self {
            Policy::OldFailOpen => return Ok(()),
            Policy::FailOpen => "FAIL_OPEN",
            Policy::FailClosed => "FAIL_CLOSED",
            Policy::FailReload => "FAIL_RELOAD",
        };
        plugin.remove("fail_open");
        plugin.insert("failure_policy".to_owned(), policy.into());
        if self == Policy::FailReload {
            // The least that Envoy 1.40 bears is 2 ms: with 1 ms it divides by zero.
            let backoff = json!({"backoff": {"base_interval": "0.01s"}});
            plugin.insert("reload_config".to_owned(), backoff);
        }
        Ok(())
    }
}

/// What clients saw of a panic.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    /// The status of the request that asked for it.
    asking: u16,
    /// Whether a response that was under way on the same worker came to its end.
    under_way_is_whole: bool,
    /// The status of the next request.
    next: u16,
}

/// A stack whose filter panics on demand, and a gate that holds the answers of `/held` half way.
async fn stack(policy: Policy, fields: Value) -> Result<(Stack, Gate)> {
    let gate = Gate::closed();
    let held = gate.clone();
    let origin = move |asked: &Asked| match asked.path() {
        "/held" => Answer::new(200).chunks([PIECE]).wait(&held).chunks([PIECE]),
        "/panics-in-the-answer" => Answer::new(200).header(TRIGGER, "response").body("fine"),
        _ => Answer::new(200).body("fine"),
    };
    let stack = Stack::on_file("drill").filter(fields).envoy(|envoy| {
        let envoy = envoy.edit(|config| config.set_wasm(&parts::filter_wasm_of_the_drill()));
        envoy.edit(move |config| policy.apply(config))
    });
    Ok((stack.origin(origin).await?.start().await?, gate))
}

/// A call whose answer is half here.
async fn half_answered(stack: &Stack) -> Result<h1::Connection> {
    let mut connection = h1::Connection::open(stack.envoy.address()).await?;
    connection.send_call(&Call::get("/held")).await?;
    wait::until("a call that is under way", DELIVERED_WITHIN, async || {
        ensure!(!stack.origin()?.asked_for("/held").is_empty(), "the app was not asked yet");
        Ok(())
    })
    .await?;
    Ok(connection)
}

/// Panics in a request head while a response is under way, and says what clients saw.
async fn panic(stack: &Stack, gate: &Gate) -> Result<Seen> {
    let mut under_way = half_answered(stack).await?;
    let asking = stack.call(&Call::get("/asks").header(TRIGGER, "request")).await?.status;
    let next = stack.call(&Call::get("/next")).await?.status;
    gate.open();
    let rest = under_way.reply("GET").await;
    let under_way_is_whole = rest.is_ok_and(|reply| is_whole(&reply));
    Ok(Seen { asking, under_way_is_whole, next })
}

fn is_whole(reply: &Reply) -> bool {
    reply.status == 200 && reply.end == End::Complete && reply.body == PIECE.repeat(2)
}

/// The table of the README, row by row.
async fn panic_in_the_request_head_does_what_the_policy_says(_: &Bed) -> Result<()> {
    let seen = async |policy| {
        let (stack, gate) = stack(policy, json!({})).await?;
        let seen = panic(&stack, &gate).await.with_context(|| format!("{policy:?}"))?;
        Ok::<_, anyhow::Error>((stack, seen))
    };
    let (old, open) = tokio::try_join!(seen(Policy::OldFailOpen), seen(Policy::FailOpen))?;
    let (closed, reload) = tokio::try_join!(seen(Policy::FailClosed), seen(Policy::FailReload))?;

    // Ours: nobody notices but the recording.
    ensure!(old.1 == Seen { asking: 200, under_way_is_whole: true, next: 200 }, "fail_open: {:?}", old.1);
    // Its successor lets later traffic through, and fails what is on the worker at that moment.
    ensure!(open.1 == Seen { asking: 503, under_way_is_whole: false, next: 200 }, "FAIL_OPEN: {:?}", open.1);
    // Envoy's default: the worker answers 503 for ever.
    ensure!(closed.1 == Seen { asking: 503, under_way_is_whole: false, next: 503 }, "FAIL_CLOSED: {:?}", closed.1);
    let later = closed.0.call(&Call::get("/later")).await?.status;
    ensure!(later == 503, "FAIL_CLOSED answers {later} later");
    ensure!((reload.1.asking, reload.1.under_way_is_whole) == (503, false), "FAIL_RELOAD: {:?}", reload.1);
    records_again(&reload.0).await?;
    for (stack, policy) in [(&old.0, "fail_open"), (&open.0, "FAIL_OPEN"), (&closed.0, "FAIL_CLOSED")] {
        records_nothing(stack).await.with_context(|| policy.to_owned())?;
    }
    Ok(())
}

/// A new VM takes over, with another source.
async fn records_again(stack: &Stack) -> Result<()> {
    wait::until("traffic that passes again", DELIVERED_WITHIN, async || {
        let status = stack.call(&Call::get("/again")).await?.status;
        ensure!(status == 200, "{status}");
        Ok(())
    })
    .await?;
    stack.line_of("/again").await.map(drop)
}

/// The filter is dead for good: its counters stand still, whatever passes.
async fn records_nothing(stack: &Stack) -> Result<()> {
    let seen = async || Ok::<_, anyhow::Error>(stack.envoy.stats().await?.filter().get("seen").copied());
    let before = seen().await?;
    for number in 0..10 {
        stack.call(&Call::get(format!("/after/{number}"))).await?;
    }
    let after = seen().await?;
    ensure!(before == after, "tributary_seen went on from {before:?} to {after:?}");
    Ok(())
}

/// With the policy that we ship: whichever callback panics, its own client and all others get their answers.
async fn panic_elsewhere_costs_the_recording_only(_: &Bed) -> Result<()> {
    let calls = [Call::get("/panics-in-the-answer"), Call::get("/asks").header(TRIGGER, "log")];
    for call in calls {
        let (stack, gate) = stack(Policy::OldFailOpen, json!({})).await?;
        let mut under_way = half_answered(&stack).await?;

        let asking = stack.call(&call).await?;
        let next = stack.call(&Call::get("/next")).await?;
        gate.open();
        let rest = under_way.reply("GET").await?;

        ensure!((asking.status, &asking.body[..]) == (200, b"fine"), "{}: {asking:?}", call.target);
        ensure!((next.status, &next.body[..]) == (200, b"fine"), "{}: then {next:?}", call.target);
        ensure!(is_whole(&rest), "{}: what was under way: {rest:?}", call.target);
        records_nothing(&stack).await?;
    }
    Ok(())
}

/// A VM that dies with something pending misses its heartbeats, and the collector says so.
async fn source_that_panicked_is_called_silent(_: &Bed) -> Result<()> {
    let (stack, gate) = stack(Policy::OldFailOpen, json!({"heartbeat_ms": 1_000})).await?;
    let mut under_way = half_answered(&stack).await?;
    wait::until("a heartbeat that tells of the open call", DELIVERED_WITHIN, async || {
        let account = stack.collector.accounting().await?;
        let open = account.sources.values().filter_map(|source| source.counters.get("open"));
        ensure!(open.sum::<u64>() == 1, "{:?}", account.sources);
        Ok(())
    })
    .await?;
    ensure!(stack.collector.metric(SILENT).await? == 0, "called silent while it lives");

    let asking = stack.call(&Call::get("/asks").header(TRIGGER, "request")).await?;

    ensure!(asking.status == 200, "{asking:?}");
    wait::until("a word about the silent source", DELIVERED_WITHIN, async || {
        let reply = stack.collector.call(&Call::get("/ready")).await?;
        let text = String::from_utf8_lossy(&reply.body).into_owned();
        ensure!(reply.status == 200 && text.contains(" is silent for "), "{} {text}", reply.status);
        ensure!(stack.collector.metric(SILENT).await? == 1, "the metric says nothing");
        Ok(())
    })
    .await?;
    gate.open();
    ensure!(is_whole(&under_way.reply("GET").await?), "what was under way is cut");
    Ok(())
}

const SILENT: &str = "tributary_collector_sources_silent";

/// The header does nothing where no drill is built in.
async fn shipped_filter_has_no_drill(_: &Bed) -> Result<()> {
    let stack = Stack::on_file("no-drill").origin(|_| Answer::new(200).header(TRIGGER, "response")).await?;
    let stack = stack.start().await?;

    for place in ["request", "response", "log"] {
        let path = format!("/{place}");
        let reply = stack.call(&Call::get(&path).header(TRIGGER, place)).await?;
        ensure!(reply.status == 200, "{place}: {reply:?}");
        stack.line_of(&path).await?;
    }
    Ok(())
}
