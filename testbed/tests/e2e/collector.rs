//! The collector alone and in the path: what a 200 means when Kafka, the disk or the collector itself fails, and what it
//! takes and refuses.

mod broker;
mod doors;
mod file;
mod life;
mod posts;
mod recovery;
mod spool;

use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};
use libtest_mimic::Trial;
use serde_json::{Value, json};
use tributary_testbed::{
    collector::{Collector, CollectorBuilder},
    message::{Call, Reply},
    recordings::{Line, Recordings},
    stack::Bed,
};

use crate::harness::{trial, trials};
use broker::OwnBroker;
use doors::{posts_need_a_token_that_is_known, posts_over_tls_are_taken};
use file::full_disk_promises_nothing_and_recovers;
use life::{ended_in_good_order_loses_nothing, killed_again_and_again_loses_nothing};
use posts::{
    bad_lines_are_named_and_good_ones_pass, limits_of_lines_hold_at_their_edges, only_json_lines_are_taken,
    only_known_encodings_are_taken, sizes_of_posts_hold_at_their_edges,
};
use recovery::wrong_certificate_is_named_and_recovered_from;

pub(crate) fn trials(bed: &Arc<Bed>) -> Vec<Trial> {
    let mut trials = trials!(bed, "collector":
        bad_lines_are_named_and_good_ones_pass,
        sizes_of_posts_hold_at_their_edges,
        limits_of_lines_hold_at_their_edges,
        only_json_lines_are_taken,
        only_known_encodings_are_taken,
        posts_need_a_token_that_is_known,
        posts_over_tls_are_taken,
        killed_again_and_again_loses_nothing,
        ended_in_good_order_loses_nothing,
        full_disk_promises_nothing_and_recovers,
        wrong_certificate_is_named_and_recovered_from,
    );
    // These do to Kafka what no other test would survive, one after the other, to a broker of their own.
    let own = Arc::new(OwnBroker::default());
    let broker = own.clone();
    trials.push(trial(bed, "collector::paused_kafka_is_waited_for_and_nothing_is_lost", async move |_: &Bed| {
        broker::paused_kafka_is_waited_for_and_nothing_is_lost(&broker).await
    }));
    let broker = own.clone();
    trials.push(trial(bed, "collector::absent_kafka_is_found_when_it_comes", async move |_: &Bed| {
        broker::absent_kafka_is_found_when_it_comes(&broker).await
    }));
    let broker = own.clone();
    trials.push(trial(bed, "collector::deleted_topic_is_made_anew", async move |_: &Bed| {
        broker::deleted_topic_is_made_anew(&broker).await
    }));
    let broker = own.clone();
    trials.push(trial(bed, "collector::killed_kafka_is_bridged_by_the_spool", async move |_: &Bed| {
        spool::killed_kafka_is_bridged_by_the_spool(&broker).await
    }));
    let broker = own.clone();
    trials.push(trial(bed, "collector::without_kafka_a_200_is_as_good", async move |_: &Bed| {
        spool::without_kafka_a_200_is_as_good(&broker).await
    }));
    trials.push(trial(bed, "collector::record_too_large_goes_to_the_dead_letters", async move |_: &Bed| {
        broker::record_too_large_goes_to_the_dead_letters(&own).await
    }));
    let own = Arc::new(recovery::GuardedBroker::default());
    let broker = own.clone();
    trials.push(trial(bed, "collector::changed_password_is_named_and_recovered_from", async move |_: &Bed| {
        recovery::changed_password_is_named_and_recovered_from(&broker).await
    }));
    trials.push(trial(bed, "collector::lost_right_is_named_and_recovered_from", async move |_: &Bed| {
        recovery::lost_right_is_named_and_recovered_from(&own).await
    }));
    trials
}

/// An exchange as another program than the filter writes it, told apart by its path; `body` goes into the request.
fn line(path: &str, body: &str) -> String {
    json!({
        "request": {
            "timestamp": "2026-01-01T00:00:00.000Z", "method": "post", "protocol": "http", "host": "shop.example",
            "headers": {"content-type": "text/plain"}, "body": body, "path": path, "pathname": path, "query": {},
        },
        "response": {"timestamp": "2026-01-01T00:00:00.012Z", "statusCode": 201, "headers": {}, "body": ""},
    })
    .to_string()
}

/// The same, of exactly this many bytes.
fn line_of(path: &str, bytes: usize) -> String {
    let bare = line(path, "").len();
    line(path, &"x".repeat(bytes.saturating_sub(bare)))
}

/// A topic that nobody else has.
fn topic(name: &str) -> String {
    format!("{name}-{}", uuid::Uuid::new_v4().simple())
}

/// A collector without an Envoy, on a new topic of the shared Kafka; and what came out of it.
pub(crate) async fn alone(
    bed: &Bed,
    name: &str,
    change: impl FnOnce(CollectorBuilder) -> CollectorBuilder,
) -> Result<(Collector, Recordings)> {
    let (brokers, topic) = (bed.kafka().await?.brokers(), topic(name));
    let collector = change(Collector::builder().kafka(brokers, &topic)).start().await?;
    collector.ready(tributary_testbed::stack::DELIVERED_WITHIN).await?;
    Ok((collector, Recordings::of_topic(brokers, &topic).await?))
}

/// A post as any program makes it.
fn post(body: impl Into<bytes::Bytes>) -> Call {
    Call::post("/v1/exchanges").header("content-type", "application/x-ndjson").body(body)
}

/// Lines, each with its end.
fn ended<L: AsRef<str>>(lines: impl IntoIterator<Item = L>) -> String {
    lines.into_iter().map(|line| format!("{}\n", line.as_ref())).collect()
}

/// The reply is a receipt with these counts, without an acknowledgement of a batch that nobody named.
fn accepted(reply: &Reply, accepted: u64, rejected: Value) -> Result<()> {
    ensure!(reply.status == 200, "{} {}", reply.status, String::from_utf8_lossy(&reply.body));
    let expected = json!({"accepted": accepted, "rejected": rejected});
    ensure!(reply.json()? == expected, "{} instead of {expected}", reply.json()?);
    ensure!(reply.headers.get("x-tributary-ack").is_none(), "acknowledged a batch that has no name");
    Ok(())
}

/// The reply refuses, for this reason, and acknowledges nothing.
fn refused(reply: &Reply, status: u16, error: &str) -> Result<()> {
    let said = String::from_utf8_lossy(&reply.body);
    ensure!(reply.status == status, "{} instead of {status}: {said}", reply.status);
    ensure!(reply.json()? == json!({"error": error}), "{said} instead of {error:?}");
    ensure!(reply.headers.get("x-tributary-ack").is_none(), "acknowledged what it refused");
    Ok(())
}

/// The reply promises nothing and asks for another try.
fn busy(reply: &Reply) -> Result<()> {
    refused(reply, 503, "not stored, try again; exchanges may arrive twice")?;
    ensure!(reply.headers.text("retry-after") == Some("1"), "no Retry-After: {:?}", reply.headers);
    Ok(())
}

/// Exactly these lines came out, byte for byte, in any order.
fn came_out(lines: &[Line], expected: &[String]) -> Result<()> {
    let mut lines = lines.iter().map(|line| line.text().map(str::to_owned)).collect::<Result<Vec<String>>>()?;
    let mut expected = expected.to_vec();
    lines.sort();
    expected.sort();
    ensure!(lines == expected, "came out: {lines:#?}\nexpected: {expected:#?}");
    Ok(())
}

/// `GET /v1/accounting` as JSON, with all its fields.
pub(crate) async fn account(collector: &Collector) -> Result<Value> {
    collector.call(&Call::get("/v1/accounting")).await?.json()
}

/// A number of the account.
pub(crate) fn number(account: &Value, pointer: &str) -> Result<u64> {
    account.pointer(pointer).and_then(Value::as_u64).with_context(|| format!("no {pointer} in {account}"))
}

/// `GET /ready`: its status, and the causes of what it finds degraded.
async fn readiness(collector: &Collector) -> Result<(u16, Vec<String>)> {
    let reply = collector.call(&Call::get("/ready")).await?;
    let json = reply.json()?;
    let degraded = json.get("degraded").and_then(Value::as_array).context("no list of what is degraded")?;
    let cause = |trouble: &Value| trouble.get("cause").and_then(Value::as_str).unwrap_or_default().to_owned();
    ensure!(json.get("ready") == Some(&json!(reply.status == 200)), "status {} and {json}", reply.status);
    Ok((reply.status, degraded.iter().map(cause).collect()))
}
