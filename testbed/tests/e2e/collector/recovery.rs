//! What an operator breaks and repairs at Kafka: a password, a right, a certificate, a limit. The collector says what is
//! wrong, promises nothing meanwhile, and recovers without a restart.

use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use serde_json::json;
use tokio::sync::OnceCell;
use tributary_testbed::{
    certificates::{Authority, Flaw},
    collector::Collector,
    kafka::{Door, Kafka},
    message::Call,
    process::Scratch,
    recordings::Recordings,
    stack::Bed,
    wait,
};

use super::{accepted, busy, came_out, ended, line, readiness, topic};

/// For anything here, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// From the repair to the first post that is taken: the promise.
const RECOVERS_WITHIN: Duration = Duration::from_secs(30);

/// A broker with passwords and rights.
#[derive(Default)]
pub(super) struct GuardedBroker(OnceCell<Kafka>);

impl GuardedBroker {
    async fn get(&self) -> Result<&Kafka> {
        self.0.get_or_try_init(async || Kafka::builder().door(Door::Guarded).start().await).await
    }
}

const PASSWORD: &str = "s3cret-of-this-test";
const OTHER_PASSWORD: &str = "longer-than-the-s3cret-of-this-test";

/// What the collector's user needs.
const RIGHTS: [&str; 3] = ["Create", "Describe", "Write"];

/// A collector behind the guarded door, on a topic that it makes itself; and the file with its password.
async fn guarded(kafka: &Kafka, scratch: &Scratch, user: &str, topic: &str) -> Result<(Collector, PathBuf)> {
    kafka.set_password(user, PASSWORD).await?;
    kafka.grant(user, &RIGHTS, topic).await?;
    let file = scratch.file("kafka.conf");
    write_settings(&file, user, PASSWORD)?;
    let path = file.to_string_lossy().into_owned();
    let builder = Collector::builder().kafka(kafka.door()?, topic).args(&["--kafka-config-file", &path]);
    let collector = builder.start().await?;
    collector.ready(PATIENCE).await.map_err(|error| collector.process().with_log(error))?;
    accepted(&collector.post(ended([line("/before", "")])).await?, 1, json!([]))?;
    Ok((collector, file))
}

fn write_settings(file: &Path, user: &str, password: &str) -> Result<()> {
    let settings = format!(
        "security.protocol=sasl_plaintext\nsasl.mechanism=SCRAM-SHA-256\nsasl.username={user}\n\
         sasl.password={password}\n"
    );
    std::fs::write(file, settings).context("write the settings of Kafka")
}

/// The password is another one at Kafka: the next time that it is asked for, the collector is not let in. It goes on when the
/// old one counts again; and when it changes for good, as soon as the new one stands in the collector's file.
pub(super) async fn changed_password_is_named_and_recovered_from(broker: &GuardedBroker) -> Result<()> {
    let (kafka, topic, user) = (broker.get().await?, topic("password"), "with-password");
    let scratch = Scratch::new("password")?;
    let (collector, file) = guarded(kafka, &scratch, user, &topic).await?;

    kafka.set_password(user, OTHER_PASSWORD).await?;
    until_degraded(&collector, "credentials").await?;
    busy(&collector.post(ended([line("/meanwhile", "")])).await?)?;
    wait::until("an alarm in the log", PATIENCE, async || {
        // It looks twice a second while there is trouble, and tells what it sees then.
        ensure!(collector.log().has("Kafka takes no exchanges until somebody acts."), "{}", collector.log().tail(5));
        Ok(())
    })
    .await?;
    kafka.set_password(user, PASSWORD).await?;
    recovered(&collector).await?;

    kafka.set_password(user, OTHER_PASSWORD).await?;
    until_degraded(&collector, "credentials").await?;
    write_settings(&file, user, OTHER_PASSWORD)?;
    recovered(&collector).await?;
    let log = collector.log().text();
    ensure!(!log.contains(PASSWORD) && !log.contains(OTHER_PASSWORD), "a password is in the log");
    only_before_and_after(kafka, &topic).await
}

/// The right to write is taken away, which no look at the topic shows; then it is granted again.
pub(super) async fn lost_right_is_named_and_recovered_from(broker: &GuardedBroker) -> Result<()> {
    let (kafka, topic, user) = (broker.get().await?, topic("rights"), "with-rights");
    let scratch = Scratch::new("rights")?;
    let (collector, _) = guarded(kafka, &scratch, user, &topic).await?;

    kafka.revoke(user, &["Write"], &topic).await?;
    wait::until("a post that is refused", PATIENCE, async || {
        busy(&collector.post(ended([line("/meanwhile", "")])).await?)
    })
    .await?;
    until_degraded(&collector, "not_allowed").await?;

    kafka.grant(user, &["Write"], &topic).await?;
    recovered(&collector).await?;
    only_before_and_after(kafka, &topic).await
}

/// The broker comes back with a certificate of another host, then with one that has expired, each time followed by a good
/// one.
pub(super) async fn wrong_certificate_is_named_and_recovered_from(_: &Bed) -> Result<()> {
    let scratch = Scratch::new("certificates")?;
    let (authority, keystore) = (Authority::new(scratch.path())?, scratch.file("broker.pem"));
    authority.write_keystore(&keystore, Flaw::None)?;
    let mut kafka = Kafka::builder().door(Door::Tls(keystore.clone())).start().await?;
    let topic = topic("certificate");
    let location = format!("ssl.ca.location={}", authority.file().display());
    let settings = ["--kafka-config", "security.protocol=ssl", "--kafka-config", &location];
    let collector = Collector::builder().kafka(kafka.door()?, &topic).args(&settings).start().await?;
    collector.ready(PATIENCE).await.map_err(|error| collector.process().with_log(error))?;
    accepted(&collector.post(ended([line("/before", "")])).await?, 1, json!([]))?;

    for flaw in [Flaw::OtherName, Flaw::Expired] {
        kafka.stop().await?;
        authority.write_keystore(&keystore, flaw)?;
        kafka.start_again().await?;
        until_degraded(&collector, "certificate").await.with_context(|| format!("{flaw:?}"))?;
        busy(&collector.post(ended([line("/meanwhile", "")])).await?)?;

        kafka.stop().await?;
        authority.write_keystore(&keystore, Flaw::None)?;
        kafka.start_again().await?;
        recovered(&collector).await.with_context(|| format!("{flaw:?}"))?;
    }
    only_before_and_after(&kafka, &topic).await
}

/// Waits until `/ready` names this cause and says why and since when, and the metrics say the same.
async fn until_degraded(collector: &Collector, cause: &str) -> Result<()> {
    let what = format!("{cause} in /ready");
    let degraded = wait::until(&what, PATIENCE, async || {
        let (_, causes) = readiness(collector).await?;
        ensure!(causes.iter().any(|known| known == cause), "{causes:?}");
        let json = collector.call(&Call::get("/ready")).await?.json()?;
        let said = |key| json["degraded"][0][key].as_str().is_some_and(|text| !text.is_empty());
        ensure!(said("why") && said("since"), "{json}");
        let metric = format!("tributary_collector_degraded{{cause=\"{cause}\"}} 1");
        let metrics = collector.call(&Call::get("/metrics")).await?;
        ensure!(String::from_utf8_lossy(&metrics.body).contains(&metric), "no {metric}");
        Ok(())
    });
    degraded.await.map_err(|error| collector.process().with_log(error))
}

/// A post is taken within the promised time, and nothing is called wrong after it.
async fn recovered(collector: &Collector) -> Result<()> {
    let repaired = Instant::now();
    let taken = wait::until("a post that is taken", RECOVERS_WITHIN, async || {
        accepted(&collector.post(ended([line("/after", "")])).await?, 1, json!([]))
    });
    taken.await.map_err(|error| collector.process().with_log(error))?;
    eprintln!("recovered {} ms after the repair", repaired.elapsed().as_millis());
    let (status, causes) = readiness(collector).await?;
    ensure!(status == 200 && causes.is_empty(), "{status} {causes:?}");
    Ok(())
}

/// What was acknowledged is there. What was refused may be: nothing was promised.
async fn only_before_and_after(kafka: &Kafka, topic: &str) -> Result<()> {
    let mut lines = Recordings::of_topic(kafka.brokers(), topic).await?.read().await?.to_vec();
    lines.retain(|found| found.bytes != line("/meanwhile", "").as_bytes());
    let after = lines.len().saturating_sub(1).max(1);
    let expected: Vec<String> =
        std::iter::once(line("/before", "")).chain(std::iter::repeat_n(line("/after", ""), after)).collect();
    came_out(&lines, &expected)
}
