//! Kafka hurt, on a broker of the row's own: gone, frozen, slow, without its topic, with other passwords, rights,
//! certificates and limits. The collector has a spool and short time-outs, so that a fault of seconds is longer than all
//! of them.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use serde_json::json;

use super::{
    row::{Expects, Group, Outcome, Row},
    scene::{PATIENCE, Scene},
    trial::Trial,
};
use crate::{
    kafka::{
        Door, Kafka,
        certificates::{Authority, Flaw},
    },
    message::Call,
    ports::Port,
    process::Scratch,
    proxy::{Mode, Proxy},
    stack::StackBuilder,
    wait,
};

const SPOOLED: &str = "lines that the spool took over meanwhile";

pub(super) const ROWS: &[Row] = &[
    Row::new("kafka-absent", Group::Kafka, |trial| Box::pin(absent(trial)))
        .with_broker()
        .fault("Kafka is down when the collector starts, and comes later")
        .proof(SPOOLED)
        .within_s(240, 600),
    Row::new("kafka-kill", Group::Kafka, |trial| Box::pin(killed(trial)))
        .with_broker()
        .fault("SIGKILL of Kafka under load, and a new start on its data, 2 times (10 in full)")
        .proof(SPOOLED)
        .within_s(240, 1_200),
    Row::new("kafka-terminate", Group::Kafka, |trial| Box::pin(terminated(trial)))
        .with_broker()
        .fault("SIGTERM of Kafka under load, and a new start")
        .proof(SPOOLED)
        .within_s(240, 600),
    Row::new("kafka-freeze", Group::Kafka, |trial| Box::pin(frozen(trial)))
        .with_broker()
        .fault("Kafka is frozen (SIGSTOP) for 10 s (60 s in full), and goes on")
        .proof(SPOOLED)
        .within_s(240, 600),
    Row::new("kafka-gone", Group::Kafka, |trial| Box::pin(gone(trial)))
        .with_broker()
        .fault(
            "Kafka is gone for 15 s (150 s in full), longer than every time-out, with full load; the collector has to \
             stay below 256 MiB",
        )
        .proof(SPOOLED)
        .within_s(240, 600),
    Row::new("kafka-slow-link", Group::Kafka, |trial| Box::pin(slow_link(trial)))
        .with_broker()
        .fault("The link between collector and Kafka passes 20 KB/s")
        .proof("pieces after which the link paused")
        .within_s(240, 600),
    Row::new("kafka-topic-deleted", Group::Kafka, |trial| Box::pin(topic_deleted(trial)))
        .with_broker()
        .fault("The topic is deleted; the collector has to make it anew")
        .proof("lines in the new topic")
        .within_s(240, 600),
    Row::new("kafka-limit-lowered", Group::Kafka, |trial| Box::pin(limit_lowered(trial)))
        .with_broker()
        .fault("max.message.bytes of the topic is lowered below some of the records, and raised again")
        .proof("records that went to the dead letters")
        .expects(Expects::LossCounted),
    Row::new("kafka-limit-behind-spool", Group::Kafka, |trial| Box::pin(limit_behind_spool(trial)))
        .with_broker()
        .fault("Kafka goes, and comes back with max.message.bytes of the topic below some of what waits in the spool")
        .proof("records of the spool that went to the dead letters")
        .expects(Expects::LossCounted),
    Row::new("kafka-password", Group::Kafka, |trial| Box::pin(password(trial)))
        .with_broker()
        .fault("The SASL password is changed at Kafka, and changed back")
        .proof(SPOOLED)
        .within_s(240, 600),
    Row::new("kafka-acl", Group::Kafka, |trial| Box::pin(acl(trial)))
        .with_broker()
        .fault("The right to write is taken from the collector's user, and granted again")
        .proof(SPOOLED)
        .within_s(240, 600),
    Row::new("kafka-tls-name", Group::Kafka, |trial| Box::pin(certificate(trial, Flaw::OtherName)))
        .with_broker()
        .fault("Kafka comes back with a certificate of another host, then with a good one")
        .proof(SPOOLED)
        .within_s(240, 600),
    Row::new("kafka-tls-expired", Group::Kafka, |trial| Box::pin(certificate(trial, Flaw::Expired)))
        .with_broker()
        .fault("Kafka comes back with a certificate that has expired, then with a good one")
        .proof(SPOOLED)
        .within_s(240, 600),
];

/// The most memory that the collector may hold, whatever Kafka does.
const MAX_COLLECTOR_BYTES: u64 = 256 << 20;

/// A stack on this Kafka whose collector keeps in the folder what Kafka does not take. All time-outs below the filter's.
pub(super) fn spooling(trial: &Trial, brokers: &str, folder: &Path) -> StackBuilder {
    let folder = folder.to_string_lossy().into_owned();
    let timeouts = ["--delivery-timeout", "2s", "--request-timeout", "5s"];
    let stack = trial.stack_on(brokers).filter(json!({"collector": {"timeout_ms": 6_000}}));
    stack.collector(move |collector| collector.args(&["--spool", &folder]).args(&timeouts))
}

/// Waits until the spool has taken over so many lines more, and says how many it has.
pub(super) async fn until_spooled(scene: &Scene<'_>, before: u64, by: u64) -> Result<u64> {
    let what = format!("{by} lines in the spool");
    let spooled = wait::until(&what, PATIENCE, async || {
        let now = scene.stack.collector.accounting().await?.spooled;
        ensure!(now >= before + by, "{now}, it was {before}");
        Ok(now - before)
    });
    spooled.await.map_err(|error| scene.with_logs(error))
}

async fn absent(trial: &Trial) -> Result<Outcome> {
    let (spool, mut kafka) = (Scratch::new("spool")?, Kafka::builder().start().await?);
    kafka.stop().await?;
    let scene = Scene::start_cold(trial, spooling(trial, kafka.brokers(), spool.path())).await?;
    scene.pass(200).await?;
    let spooled = until_spooled(&scene, 0, 100).await?;
    kafka.start_again().await?;
    scene.healed(spooled).await
}

async fn killed(trial: &Trial) -> Result<Outcome> {
    let (spool, mut kafka) = (Scratch::new("spool")?, Kafka::builder().start().await?);
    let scene = Scene::start(trial, spooling(trial, kafka.brokers(), spool.path())).await?;
    let mut spooled = 0;
    for _ in 0..trial.times(2, 10) {
        scene.pass(trial.choose(50..200)).await?;
        kafka.kill()?;
        spooled += until_spooled(&scene, spooled, 50).await?;
        kafka.start_again().await?;
        scene.until_acked(50).await?;
    }
    scene.healed(spooled).await
}

async fn terminated(trial: &Trial) -> Result<Outcome> {
    let (spool, mut kafka) = (Scratch::new("spool")?, Kafka::builder().start().await?);
    let scene = Scene::start(trial, spooling(trial, kafka.brokers(), spool.path())).await?;
    kafka.stop().await?;
    let spooled = until_spooled(&scene, 0, 100).await?;
    kafka.start_again().await?;
    scene.healed(spooled).await
}

async fn frozen(trial: &Trial) -> Result<Outcome> {
    let (spool, kafka) = (Scratch::new("spool")?, Kafka::builder().start().await?);
    let scene = Scene::start(trial, spooling(trial, kafka.brokers(), spool.path())).await?;
    kafka.pause()?;
    lasting(&scene, trial.times(10, 60)).await?;
    let spooled = until_spooled(&scene, 0, 100).await?;
    kafka.resume().await?;
    scene.healed(spooled).await
}

async fn gone(trial: &Trial) -> Result<Outcome> {
    let (spool, mut kafka) = (Scratch::new("spool")?, Kafka::builder().start().await?);
    let scene = Scene::start(trial, spooling(trial, kafka.brokers(), spool.path())).await?;
    kafka.stop().await?;
    lasting(&scene, trial.times(15, 150)).await?;
    let spooled = until_spooled(&scene, 0, 100).await?;
    kafka.start_again().await?;
    let held = scene.stack.collector.process().peak_memory_bytes()?;
    bounded(trial, scene.healed(spooled).await?, held)
}

/// Lets traffic pass for so many seconds.
async fn lasting(scene: &Scene<'_>, seconds: u64) -> Result<()> {
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(seconds) {
        scene.pass(20).await?;
    }
    Ok(())
}

/// Notes what the collector held at most, and finds fault with it if that is too much.
fn bounded(trial: &Trial, mut outcome: Outcome, held_bytes: u64) -> Result<Outcome> {
    trial.note(format!("collector held {} MiB at most", held_bytes >> 20));
    if held_bytes > MAX_COLLECTOR_BYTES {
        outcome.findings.push(format!("the collector held {held_bytes} bytes"));
    }
    Ok(outcome)
}

async fn slow_link(trial: &Trial) -> Result<Outcome> {
    let (spool, listens) = (Scratch::new("spool")?, Port::tcp()?);
    let proxy = Proxy::start(listens.address()).await?;
    let kafka = Kafka::builder().door(Door::Proxied { listens, proxy: proxy.address() }).start().await?;
    let stack = spooling(trial, kafka.brokers(), spool.path()).way_in(kafka.door()?);
    let scene = Scene::start(trial, stack).await?;
    proxy.set(Mode::Throttle { bytes: 2_000, every: Duration::from_millis(100) }).await?;
    lasting(&scene, trial.times(10, 60)).await?;
    let throttled = proxy.counts().throttled;
    proxy.set(Mode::Pass).await?;
    let held = scene.stack.collector.process().peak_memory_bytes()?;
    bounded(trial, scene.healed(throttled).await?, held)
}

/// While the collector stands still everything is read from the old topic: with the topic goes what it held.
async fn topic_deleted(trial: &Trial) -> Result<Outcome> {
    let (spool, kafka) = (Scratch::new("spool")?, Kafka::builder().start().await?);
    let scene = Scene::start(trial, spooling(trial, kafka.brokers(), spool.path())).await?;
    scene.pass(100).await?;
    scene.stack.collector.process().pause()?;
    let kept = scene.stack.lines_at_rest().await?;
    kafka.delete_topic(scene.stack.topic()?).await?;
    scene.stack.collector.process().resume()?;
    let new = scene.stack.topic_replaced(PATIENCE).await.map_err(|error| scene.with_logs(error))?;
    trial.note(format!("{kept} lines went with the old topic"));
    scene.healed(new as u64).await
}

async fn limit_lowered(trial: &Trial) -> Result<Outcome> {
    let (spool, kafka) = (Scratch::new("spool")?, Kafka::builder().start().await?);
    let stack = spooling(trial, kafka.brokers(), spool.path()).collector(|with| with.args(&["--compression", "none"]));
    let scene = Scene::start(trial, stack).await?;
    kafka.set_of_topic(scene.stack.topic()?, "max.message.bytes", "4000").await?;
    let rejected = wait::until("rejected records", PATIENCE, async || {
        let rejected = scene.stack.collector.accounting().await?.rejected;
        ensure!(rejected >= 10, "{rejected}");
        Ok(())
    });
    rejected.await.map_err(|error| scene.with_logs(error))?;
    kafka.set_of_topic(scene.stack.topic()?, "max.message.bytes", "1048588").await?;
    let counted = scene.healed_counting(0, async |scene| {
        let rejected = scene.stack.collector.accounting().await?.rejected;
        Ok((rejected, scene.stack.dead_letters().await?.len() as u64))
    });
    let (mut outcome, (rejected, letters)) = counted.await?;
    outcome.injected = letters;
    if letters < rejected {
        outcome.findings.push(format!("{rejected} lines were rejected, and {letters} are among the dead letters"));
    }
    Ok(outcome)
}

async fn limit_behind_spool(trial: &Trial) -> Result<Outcome> {
    let (spool, mut kafka) = (Scratch::new("spool")?, Kafka::builder().start().await?);
    let stack = spooling(trial, kafka.brokers(), spool.path()).collector(|with| with.args(&["--compression", "none"]));
    // What waits while Kafka starts goes out in batches of 4,000 bytes.
    let scene = Scene::start_calm(trial, stack).await?;
    kafka.set_of_topic(scene.stack.topic()?, "max.message.bytes", "4000").await?;
    kafka.stop().await?;
    scene.pass(200).await?;
    until_spooled(&scene, 0, 100).await?;
    kafka.start_again().await?;
    let letters = wait::until("dead letters of the spool", PATIENCE, async || {
        let letters = scene.stack.collector.accounting().await?.spool.dead_lettered;
        ensure!(letters > 0, "none");
        Ok(letters)
    });
    let letters = letters.await.map_err(|error| scene.with_logs(error))?;
    kafka.set_of_topic(scene.stack.topic()?, "max.message.bytes", "1048588").await?;
    let outcome = scene.healed(letters).await?;
    trial.note(format!("{} dead letters of the spool", outcome.verdict.dead_lettered));
    Ok(outcome)
}

const USER: &str = "collector";
const PASSWORD: &str = "the-password-of-the-row";

async fn guarded(trial: &Trial, kafka: &Kafka, spool: &Scratch) -> Result<StackBuilder> {
    kafka.set_password(USER, PASSWORD).await?;
    kafka.grant(USER, &["Create", "Describe", "Write"], trial.row().id).await?;
    let settings = format!(
        "security.protocol=sasl_plaintext\nsasl.mechanism=SCRAM-SHA-256\nsasl.username={USER}\nsasl.password={PASSWORD}"
    );
    let stack = spooling(trial, kafka.brokers(), spool.path()).way_in(kafka.door()?);
    Ok(stack.collector(move |collector| collector.env("TRIBUTARY_KAFKA_CONFIG", &settings)))
}

async fn password(trial: &Trial) -> Result<Outcome> {
    let (spool, kafka) = (Scratch::new("spool")?, Kafka::builder().door(Door::Guarded).start().await?);
    let scene = Scene::start(trial, guarded(trial, &kafka, &spool).await?).await?;
    kafka.set_password(USER, "another-one").await?;
    until_named(&scene, "credentials").await?;
    let spooled = until_spooled(&scene, 0, 100).await?;
    kafka.set_password(USER, PASSWORD).await?;
    scene.healed(spooled).await
}

async fn acl(trial: &Trial) -> Result<Outcome> {
    let (spool, kafka) = (Scratch::new("spool")?, Kafka::builder().door(Door::Guarded).start().await?);
    let scene = Scene::start(trial, guarded(trial, &kafka, &spool).await?).await?;
    kafka.revoke(USER, &["Write"], trial.row().id).await?;
    until_named(&scene, "not_allowed").await?;
    let spooled = until_spooled(&scene, 0, 100).await?;
    kafka.grant(USER, &["Write"], trial.row().id).await?;
    scene.healed(spooled).await
}

async fn certificate(trial: &Trial, flaw: Flaw) -> Result<Outcome> {
    let (spool, certificates) = (Scratch::new("spool")?, Scratch::new("certificates")?);
    let (authority, keystore) = (Authority::new(certificates.path())?, certificates.file("broker.pem"));
    authority.write_keystore(&keystore, Flaw::None)?;
    let mut kafka = Kafka::builder().door(Door::Tls(keystore.clone())).start().await?;
    let settings = format!("security.protocol=ssl\nssl.ca.location={}", authority.file().display());
    let stack = spooling(trial, kafka.brokers(), spool.path()).way_in(kafka.door()?);
    let stack = stack.collector(move |collector| collector.env("TRIBUTARY_KAFKA_CONFIG", &settings));
    let scene = Scene::start(trial, stack).await?;
    kafka.stop().await?;
    authority.write_keystore(&keystore, flaw)?;
    kafka.start_again().await?;
    until_named(&scene, "certificate").await?;
    let spooled = until_spooled(&scene, 0, 100).await?;
    kafka.stop().await?;
    authority.write_keystore(&keystore, Flaw::None)?;
    kafka.start_again().await?;
    scene.healed(spooled).await
}

/// Waits until `/ready` names the cause, still taking posts: the spool has room.
async fn until_named(scene: &Scene<'_>, cause: &str) -> Result<()> {
    let what = format!("{cause} in /ready");
    let named = wait::until(&what, PATIENCE, async || {
        let reply = scene.stack.collector.call(&Call::get("/ready")).await?;
        let json = reply.json()?;
        let degraded = json.get("degraded").and_then(serde_json::Value::as_array).context("no list")?;
        let is_named = degraded.iter().any(|trouble| trouble.get("cause").is_some_and(|known| known == cause));
        ensure!(is_named && reply.status == 200, "{} {json}", reply.status);
        Ok(())
    });
    named.await.map_err(|error| scene.with_logs(error))
}
