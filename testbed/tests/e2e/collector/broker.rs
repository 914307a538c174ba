//! What happens to Kafka, on a broker of one's own: frozen, absent, without the topic, and with a limit that a record
//! passes.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::json;
use tokio::sync::{Mutex, MutexGuard, OnceCell};
use tributary_testbed::{
    collector::Collector,
    kafka::Kafka,
    message::Call,
    oracle::{Load, Mint, SETTLED_WITHIN, judge},
    origin::{Answer, Step},
    recordings::Recordings,
    stack::Stack,
    wait,
};

use super::{accepted, busy, came_out, ended, line, readiness, topic};

/// For anything here, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// The collector's answer to a post: 8 s by its default, and what a busy machine adds. The filter gives up after 10 s.
const ANSWERS_WITHIN: Duration = Duration::from_millis(9_500);

/// The largest record that the own broker takes, in bytes.
const MAX_RECORD_BYTES: usize = 60_000;

/// A broker that these tests may freeze and stop; one has it at a time.
#[derive(Default)]
pub(super) struct OwnBroker(OnceCell<Mutex<Kafka>>);

impl OwnBroker {
    pub(super) async fn take(&self) -> Result<MutexGuard<'_, Kafka>> {
        let start = async || Ok::<_, anyhow::Error>(Mutex::new(own_kafka().await?));
        Ok(self.0.get_or_try_init(start).await?.lock().await)
    }
}

async fn own_kafka() -> Result<Kafka> {
    Kafka::builder().setting("message.max.bytes", MAX_RECORD_BYTES).start().await
}

/// While Kafka is frozen nothing is acknowledged: a post gets its 503 in time, the filter keeps and tries again, no
/// client notices; once Kafka goes on, everything arrives.
pub(super) async fn paused_kafka_is_waited_for_and_nothing_is_lost(own: &OwnBroker) -> Result<()> {
    let kafka = own.take().await?;
    let (mint, made) = (Mint::new("paused"), Mint::new("paused"));
    let stack = Stack::on(kafka.brokers(), "paused").filter(json!({"retry_max_ms": 500}));
    let answer = move |asked: &_| made.answer(asked).step(Step::Pause(Duration::from_millis(20)));
    let stack = stack.origin(answer).await?.start().await?;
    let load = Load::start(&mint, stack.envoy.address(), 2, u64::MAX);
    load.further(50, PATIENCE).await?;

    kafka.pause()?;
    load.further(20, PATIENCE).await?;
    let asked = Instant::now();
    let reply = stack.collector.post(ended([line("/by-hand", "")])).await?;
    let took = asked.elapsed();
    let during = async {
        busy(&reply)?;
        ensure!(took < ANSWERS_WITHIN, "the 503 took {took:?}");
        until_degraded(&stack.collector).await?;
        wait::until("a post of the filter that fails", PATIENCE, async || {
            let failures = stack.envoy.stats().await?.filter().get("post_failures").copied().unwrap_or(0);
            ensure!(failures > 0, "none failed yet");
            Ok(())
        })
        .await?;
        // Refused at once by now: nobody waits for a Kafka that is known to be away.
        load.further(20, PATIENCE).await
    };
    let during = during.await;
    kafka.resume().await?;
    during?;

    let ledger = load.stop().await?;
    let mut evidence = stack.evidence_of(&ledger).await?;
    // Promised nothing, so it may be there or not.
    evidence.lines.retain(|line| line.bytes != line_by_hand());
    judge(&ledger, &evidence).nothing_lost()?;
    stack.collector.ready(PATIENCE).await
}

fn line_by_hand() -> Vec<u8> {
    line("/by-hand", "").into_bytes()
}

/// A collector that is there before Kafka lives, says what is missing, promises nothing, and takes posts when Kafka has
/// come.
pub(super) async fn absent_kafka_is_found_when_it_comes(own: &OwnBroker) -> Result<()> {
    let mut kafka = own.take().await?;
    let topic = topic("absent");
    kafka.stop().await?;
    let while_absent = async {
        let collector = Collector::builder().kafka(kafka.brokers(), &topic).start().await?;
        let (status, causes) = readiness(&collector).await?;
        ensure!(status == 503 && !causes.is_empty(), "ready without Kafka: {status} {causes:?}");
        let asked = Instant::now();
        busy(&collector.post(ended([line("/too-early", "")])).await?)?;
        ensure!(asked.elapsed() < ANSWERS_WITHIN, "the 503 took {:?}", asked.elapsed());
        until_degraded(&collector).await?;
        Ok::<_, anyhow::Error>(collector)
    };
    let collector = while_absent.await;
    kafka.start_again().await?;
    let collector = collector?;

    collector.ready(PATIENCE).await?;
    accepted(&collector.post(ended([line("/in-time", "")])).await?, 1, json!([]))?;
    wait::until("the whole story in the log", PATIENCE, async || {
        // It looks twice a second while there is trouble, and tells what it sees then.
        let told =
            ["Kafka cannot take exchanges.", "Kafka takes exchanges again."].map(|words| collector.log().has(words));
        ensure!(told == [true, true], "{told:?}");
        Ok(())
    })
    .await?;

    let mut lines = Recordings::of_topic(kafka.brokers(), &topic).await?.read().await?.to_vec();
    lines.retain(|found| found.bytes != line("/too-early", "").as_bytes());
    came_out(&lines, &[line("/in-time", "")])
}

/// Kafka's topic goes while the collector runs: it is made anew, and what is acknowledged from then on is in it.
pub(super) async fn deleted_topic_is_made_anew(own: &OwnBroker) -> Result<()> {
    let kafka = own.take().await?;
    let topic = topic("deleted");
    let collector = Collector::builder().kafka(kafka.brokers(), &topic).start().await?;
    collector.ready(PATIENCE).await?;
    accepted(&collector.post(ended([line("/before", "")])).await?, 1, json!([]))?;

    delete(&kafka, &topic).await?;
    let mut acknowledged = Vec::new();
    wait::until("a post that is taken again", PATIENCE, async || {
        let path = format!("/after/{}", acknowledged.len());
        acknowledged.push((line(&path, ""), collector.post(ended([line(&path, "")])).await?));
        let reply = acknowledged.last().map(|(_, reply)| reply).context("a reply")?;
        match reply.status {
            200 => Ok(()),
            _ => Err(busy(reply).err().unwrap_or_else(|| anyhow::anyhow!("busy"))),
        }
    })
    .await
    .map_err(|error| collector.process().with_log(error))?;

    let lines = Recordings::of_topic(kafka.brokers(), &topic).await?.read().await?.to_vec();
    let texts = lines.iter().map(|line| line.text()).collect::<Result<Vec<_>>>()?;
    for (line, reply) in &acknowledged {
        let is_there = texts.contains(&line.as_str());
        ensure!(is_there || reply.status != 200, "acknowledged and not in the new topic: {line}");
    }
    ensure!(!texts.contains(&line("/before", "").as_str()), "the topic was never deleted");
    collector.ready(PATIENCE).await
}

/// One of three exchanges is larger than Kafka takes: its neighbours pass, it goes to the dead letters without its
/// bodies and with the reason, and the filter counts it as rejected.
pub(super) async fn record_too_large_goes_to_the_dead_letters(own: &OwnBroker) -> Result<()> {
    let kafka = own.take().await?;
    let stack = Stack::on(kafka.brokers(), "too-large").filter(json!({"flush_after_ms": 1_000}));
    let stack = stack.origin(|asked| Answer::new(200).body(asked.body.clone())).await?.start().await?;
    let large = incompressible(50_000);

    for call in [Call::get("/small/1"), Call::post("/large").body(large.clone()), Call::get("/small/2")] {
        ensure!(stack.call(&call).await?.status == 200, "{}", call.target);
    }
    stack.lines(2).await?;
    let counters = stack.evidence(SETTLED_WITHIN).await?;

    let mut paths =
        counters.lines.iter().map(|line| Ok(line.json()?["request"]["path"].clone())).collect::<Result<Vec<_>>>()?;
    paths.sort_by_key(ToString::to_string);
    ensure!(paths == [json!("/small/1"), json!("/small/2")], "{paths:?}");
    let count = |name: &str| counters.filter.get(name).copied().unwrap_or(0);
    ensure!((count("acked"), count("rejected")) == (2, 1), "{:?}", counters.filter);
    ensure!((counters.accounting.accepted, counters.accounting.rejected) == (2, 1), "{:?}", counters.accounting);
    ensure!(stack.envoy.log().has("Exchanges were lost. reason=rejected count=1 total=1"), "not in Envoy's log");

    let letters = stack.dead_letters().await?;
    let [letter] = letters.as_slice() else { bail!("{} dead letters", letters.len()) };
    let exchange = letter.json()?;
    let told = [letter.header("reason"), letter.header("left-out"), letter.header("source")];
    ensure!(told == [Some("too_large"), Some("bodies"), exchange["meta"]["source"].as_str()], "{:?}", letter.headers);
    ensure!(letter.key.as_deref() == exchange["meta"]["id"].as_str().map(str::as_bytes), "{:?}", letter.key);
    ensure!(letter.header("error").is_some_and(|error| error.contains("too large")), "{:?}", letter.headers);
    let bytes = letter.header("bytes").and_then(|bytes| bytes.parse::<usize>().ok());
    ensure!(bytes > Some(2 * large.len()), "{:?}", letter.headers);
    ensure!(exchange["request"]["path"] == "/large" && exchange["request"]["body"] == "", "{exchange}");
    let facts = json!({"bytes": large.len(), "kept": 0, "truncated": true});
    ensure!(exchange["meta"]["requestBody"] == facts && exchange["meta"]["responseBody"] == facts, "{exchange}");
    Ok(())
}

/// Text that no codec makes much shorter.
fn incompressible(bytes: usize) -> String {
    let uuid = || uuid::Uuid::new_v4().simple().to_string();
    let text: String = std::iter::repeat_with(uuid).take(bytes / 32 + 1).collect();
    text.chars().take(bytes).collect()
}

async fn until_degraded(collector: &Collector) -> Result<()> {
    wait::until("a word about Kafka in /ready", PATIENCE, async || {
        let (status, causes) = readiness(collector).await?;
        let known = causes.iter().any(|cause| cause == "unreachable" || cause == "not_delivered");
        ensure!(status == 503 && known, "{status} {causes:?}");
        Ok(())
    })
    .await
}

/// Deletes a topic with Kafka's own tool, and waits until it is gone or made anew.
async fn delete(kafka: &Kafka, topic: &str) -> Result<()> {
    kafka.delete_topic(topic).await?;
    wait::until("an empty topic, or none", PATIENCE, async || {
        let reader = Recordings::of_topic(kafka.brokers(), topic);
        match tokio::time::timeout(Duration::from_secs(1), reader).await {
            Ok(recordings) => {
                let lines = recordings?.read().await?.len();
                ensure!(lines == 0, "{lines} lines are still there");
                Ok(())
            }
            // It waits for a topic: there is none.
            Err(_) => Ok(()),
        }
    })
    .await
}
