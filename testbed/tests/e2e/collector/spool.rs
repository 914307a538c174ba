//! The spool between the collector and Kafka, on a broker of one's own: what a 200 is worth while there is no Kafka.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tributary_testbed::{
    collector::Collector,
    message::Call,
    process::Scratch,
    recordings::{Line, Recordings},
    wait,
};
use xtask::parts;

use super::{account, broker::OwnBroker, ended, number, readiness, topic};

/// For anything here, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(90);

/// Lines of a post.
const LINES: u64 = 20;

/// Sources that post at the same time, each one post after the other.
const SOURCES: u64 = 4;

/// An exchange with a source and a number, of about 700 bytes.
fn line(source: &str, seq: u64) -> String {
    let path = format!("/{source}/{seq}");
    let filling = format!("{seq:08}").repeat(50);
    json!({
        "request": {
            "timestamp": "2026-01-01T00:00:00.000Z", "method": "post", "protocol": "http", "host": "shop.example",
            "headers": {}, "body": filling, "path": path, "pathname": path, "query": {},
        },
        "response": {"timestamp": "2026-01-01T00:00:00.012Z", "statusCode": 201, "headers": {}, "body": ""},
        "meta": {"id": format!("{source}-{seq}"), "source": source, "seq": seq},
    })
    .to_string()
}

fn batch(source: &str, number: u64) -> Call {
    let lines = (number * LINES..(number + 1) * LINES).map(|seq| line(source, seq));
    Call::post("/v1/exchanges")
        .header("content-type", "application/x-ndjson")
        .header("x-tributary-source", source.to_owned())
        .header("x-tributary-batch", number.to_string())
        .body(ended(lines))
}

/// What was acknowledged: source and number of each line.
type Acknowledged = Arc<Mutex<BTreeSet<(String, u64)>>>;

/// Sources that post until they are told to stop; a post that is not taken is made again.
struct Posting {
    acknowledged: Acknowledged,
    posts: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
    /// Whether they hold back for a while.
    held: Arc<AtomicBool>,
    sources: JoinSet<()>,
}

impl Posting {
    fn start(collector: &Collector) -> Posting {
        let (acknowledged, posts) = <(Acknowledged, Arc<AtomicU64>)>::default();
        let (stop, held) = <(Arc<AtomicBool>, Arc<AtomicBool>)>::default();
        let mut sources = JoinSet::new();
        for source in 0..SOURCES {
            let (acknowledged, posts) = (acknowledged.clone(), posts.clone());
            let (stop, held) = (stop.clone(), held.clone());
            let address = collector.address();
            sources.spawn(async move {
                let source = format!("source{source}");
                let mut next = 0;
                while !stop.load(Ordering::Relaxed) {
                    // Far from all that it could post: the replay has to catch up on a busy machine.
                    tokio::time::sleep(Duration::from_millis(10)).await;
                    if held.load(Ordering::Relaxed) {
                        continue;
                    }
                    let reply = tributary_testbed::client::call(address, &batch(&source, next)).await;
                    if reply.is_ok_and(|reply| reply.status == 200) {
                        let lines = (next * LINES..(next + 1) * LINES).map(|seq| (source.clone(), seq));
                        acknowledged.lock().unwrap_or_else(|error| error.into_inner()).extend(lines);
                        posts.fetch_add(1, Ordering::Relaxed);
                        next += 1;
                    } else {
                        tokio::time::sleep(Duration::from_millis(20)).await;
                    }
                }
            });
        }
        Posting { acknowledged, posts, stop, held, sources }
    }

    /// Waits until so many posts more are acknowledged.
    async fn further(&self, posts: u64) -> Result<()> {
        let goal = self.posts.load(Ordering::Relaxed) + posts;
        wait::until(&format!("post {goal}"), PATIENCE, async || {
            let done = self.posts.load(Ordering::Relaxed);
            ensure!(done >= goal, "{done} are acknowledged");
            Ok(())
        })
        .await
    }

    fn hold(&self, held: bool) {
        self.held.store(held, Ordering::Relaxed);
    }

    async fn stop(mut self) -> BTreeSet<(String, u64)> {
        self.stop.store(true, Ordering::Relaxed);
        while self.sources.join_next().await.is_some() {}
        self.acknowledged.lock().unwrap_or_else(|error| error.into_inner()).clone()
    }
}

async fn with_spool(brokers: &str, topic: &str, spool: &Path, more: &[&str]) -> Result<Collector> {
    let spool = spool.to_str().context("a path")?;
    let collector = Collector::builder().kafka(brokers, topic).args(&["--spool", spool, "--partitions", "1"]);
    collector.args(more).start().await
}

async fn until_replayed(collector: &Collector) -> Result<Value> {
    wait::until("an empty spool", PATIENCE, async || {
        let account = account(collector).await?;
        ensure!(number(&account, "/spool/waiting")? == 0, "{}", account["spool"]);
        ensure!(readiness(collector).await?.1.is_empty(), "still degraded");
        Ok(account)
    })
    .await
    .map_err(|error| collector.process().with_log(error))
}

/// Every line that was acknowledged is there as it was made, and nothing else is; how often each.
fn complete(lines: &[Line], acknowledged: &BTreeSet<(String, u64)>) -> Result<BTreeMap<(String, u64), u64>> {
    let mut found: BTreeMap<(String, u64), u64> = BTreeMap::new();
    for there in lines {
        let source = there.header("source").context("a source")?.to_owned();
        let seq: u64 = there.header("seq").context("a number")?.parse()?;
        ensure!(there.bytes == line(&source, seq).as_bytes(), "altered: {source} {seq}");
        *found.entry((source, seq)).or_default() += 1;
    }
    let missing: Vec<_> = acknowledged.iter().filter(|id| !found.contains_key(*id)).collect();
    ensure!(missing.is_empty(), "{} of {} missing: {missing:?}", missing.len(), acknowledged.len());
    Ok(found)
}

/// The first appearances of each source's lines are in the order of their numbers.
fn in_order(lines: &[Line]) -> Result<()> {
    let mut newest: BTreeMap<&str, u64> = BTreeMap::new();
    let mut seen = BTreeSet::new();
    for there in lines {
        let (source, seq) = (there.header("source").context("a source")?, there.header("seq").context("a number")?);
        let seq: u64 = seq.parse()?;
        if seen.insert((source, seq)) {
            let before = newest.insert(source, seq);
            ensure!(before.is_none_or(|before| before < seq), "{source}: {seq} comes after {before:?}");
        }
    }
    Ok(())
}

/// Kafka is killed under load and comes back: no post is refused for it, all 200s are in the topic, in order, and those
/// that went through the spool say so.
pub(super) async fn killed_kafka_is_bridged_by_the_spool(own: &OwnBroker) -> Result<()> {
    let mut kafka = own.take().await?;
    let (scratch, topic) = (Scratch::new("spool")?, topic("bridged"));
    let collector = with_spool(kafka.brokers(), &topic, &scratch.path().join("spool"), &[]).await?;
    collector.ready(PATIENCE).await?;
    let posting = Posting::start(&collector);
    posting.further(40).await?;

    kafka.kill()?;
    let bridged = async {
        // Far more than one deadline each would allow: after the first one nobody waits for Kafka.
        posting.further(400).await?;
        let (status, causes) = readiness(&collector).await?;
        ensure!(status == 200 && causes.iter().any(|cause| cause == "spooling"), "{status} {causes:?}");
        ensure!(number(&account(&collector).await?, "/spool/waiting")? > 0, "nothing waits");
        Ok(())
    };
    let bridged = bridged.await.map_err(|error: anyhow::Error| collector.process().with_log(error));
    posting.hold(true);
    kafka.start_again().await?;
    bridged?;
    posting.hold(false);
    posting.further(40).await?;
    wait::until("posts that go straight into the topic again", PATIENCE, async || {
        let causes = readiness(&collector).await?.1;
        ensure!(causes.is_empty(), "{causes:?}");
        Ok(())
    })
    .await
    .map_err(|error| collector.process().with_log(error))?;
    posting.further(40).await?;
    let acknowledged = posting.stop().await;

    let account = until_replayed(&collector).await?;
    ensure!(account["spool"]["identity_exact"] == true && account["identity_exact"] == true, "{account}");
    ensure!(number(&account, "/refused/busy")? == 0, "posts were refused: {account}");
    ensure!(number(&account, "/spooled")? > 0 && number(&account, "/kafka_acked")? > 0, "{account}");
    let accepted = number(&account, "/accepted")?;
    ensure!(accepted == number(&account, "/kafka_acked")? + number(&account, "/spooled")?, "{account}");
    let lines = Recordings::of_topic(kafka.brokers(), &topic).await?.read().await?.to_vec();
    complete(&lines, &acknowledged)?;
    in_order(&lines)?;
    let replayed = lines.iter().filter(|line| line.header("replayed") == Some("1")).count() as u64;
    let spooled = number(&account, "/spooled")?;
    ensure!(replayed >= spooled && replayed < lines.len() as u64, "{replayed} say so, {spooled} were spooled");
    Ok(())
}

/// While there is no Kafka: a full spool refuses and says so, a collector that is killed or ended loses nothing that it
/// acknowledged, and nobody else gets at its spool. When Kafka comes, all of it arrives.
pub(super) async fn without_kafka_a_200_is_as_good(own: &OwnBroker) -> Result<()> {
    let mut kafka = own.take().await?;
    kafka.stop().await?;
    let scratch = Scratch::new("spools")?;
    let brokers = kafka.brokers().to_owned();
    let made = async {
        tokio::try_join!(
            full(&brokers, scratch.path().join("full")),
            killed(&brokers, scratch.path().join("killed")),
            ended_in_good_order(&brokers, scratch.path().join("ended")),
        )
    };
    let made = made.await;
    kafka.start_again().await?;
    let (full, killed, ended) = made?;

    for (name, Left { collector, topic, acknowledged }) in [("full", full), ("killed", killed), ("ended", ended)] {
        let arrived = async {
            let account = until_replayed(&collector).await?;
            ensure!(account["spool"]["identity_exact"] == true, "{account}");
            ensure!(number(&account, "/spool/lost")? == 0, "{account}");
            let lines = Recordings::of_topic(&brokers, &topic).await?.read().await?.to_vec();
            complete(&lines, &acknowledged)?;
            in_order(&lines)
        };
        arrived.await.context(name)?;
    }
    Ok(())
}

/// A collector with a spool, and what it has promised.
struct Left {
    collector: Collector,
    topic: String,
    acknowledged: BTreeSet<(String, u64)>,
}

async fn full(brokers: &str, spool: impl AsRef<Path>) -> Result<Left> {
    let topic = topic("full");
    let small = ["--spool-max-bytes", "4MiB", "--max-decoded-bytes", "1MiB", "--max-encoded-bytes", "1MiB"];
    let collector = with_spool(brokers, &topic, spool.as_ref(), &small).await?;
    let mut acknowledged = BTreeSet::new();
    for number in 0..1_000 {
        let reply = collector.call(&batch("full", number)).await?;
        if reply.status != 200 {
            super::busy(&reply)?;
            break;
        }
        acknowledged.extend((number * LINES..(number + 1) * LINES).map(|seq| ("full".to_owned(), seq)));
    }
    ensure!((1_000..19_999).contains(&acknowledged.len()), "{} lines were taken", acknowledged.len());
    let (status, causes) = readiness(&collector).await?;
    ensure!(status == 503 && causes.iter().any(|cause| cause == "spool_full"), "{status} {causes:?}");
    super::busy(&collector.call(&batch("full", 5_000)).await?)?;
    Ok(Left { collector, topic, acknowledged })
}

async fn killed(brokers: &str, spool: impl AsRef<Path>) -> Result<Left> {
    let topic = topic("killed");
    let mut collector = with_spool(brokers, &topic, spool.as_ref(), &[]).await?;
    let posting = Posting::start(&collector);
    for _ in 0..5 {
        posting.further(20).await?;
        collector.kill();
        wait::until("its end", PATIENCE, async || collector.process().exit().context("it runs")).await?;
        collector.start_again().await?;
    }
    posting.further(20).await?;
    // Whoever else wants the same spool is told so, and does not touch it.
    let other = std::process::Command::new(parts::binary("tributary-collector"))
        .args(["--brokers", brokers, "--listen", "127.0.0.1:0", "--spool"])
        .arg(spool.as_ref())
        .output()?;
    let said = String::from_utf8_lossy(&other.stderr).into_owned();
    ensure!(other.status.code() == Some(1) && said.contains("in use by another process"), "{:?} {said}", other.status);
    Ok(Left { acknowledged: posting.stop().await, collector, topic })
}

async fn ended_in_good_order(brokers: &str, spool: impl AsRef<Path>) -> Result<Left> {
    let topic = topic("ended");
    let mut collector = with_spool(brokers, &topic, spool.as_ref(), &["--grace", "10s"]).await?;
    let posting = Posting::start(&collector);
    posting.further(20).await?;
    let status = collector.terminate(Duration::from_secs(30)).await?;
    ensure!(status.success(), "it ended with {status}: {}", collector.log().text());
    collector.start_again().await?;
    posting.further(20).await?;
    Ok(Left { acknowledged: posting.stop().await, collector, topic })
}
