//! `tributary openapi` on the topic of a real Kafka.

use std::{
    fs,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use libtest_mimic::Trial;
use tributary_http_types::Timestamp;
use tributary_testbed::{ports::Port, process::Scratch, recordings::Recordings, stack::Bed, wait};
use tributary_topic::{Reader, ReaderConfig, Start, TopicError};

use super::{document, exchanges, operations, read, shop};
use crate::{
    harness::trials,
    program::{ended, run, start, terminate},
};

/// For what takes a while: reading much, compacting.
const LONG: Duration = Duration::from_secs(200);

pub(super) fn trials(bed: &Arc<Bed>) -> Vec<Trial> {
    trials!(bed, "openapi::topic":
        hundred_thousand_exchanges_are_read_while_more_arrive,
        topic_is_followed_and_the_document_is_whole_at_any_time,
        compacted_topic_is_described_by_what_is_left,
        exchanges_of_an_age_are_described_alone,
        missing_topic_and_absent_kafka_are_told,
    )
}

/// From three partitions; what comes after the end that was there at the start does not hold it up.
async fn hundred_thousand_exchanges_are_read_while_more_arrive(bed: &Bed) -> Result<()> {
    const COUNT: u64 = 100_000;
    let at = fresh(bed, "many").await?;
    for first in (0..COUNT).step_by(10_000) {
        at.send(&shop::lines(first..first + 10_000), &[]).await?;
    }
    let more = {
        let at = at.clone();
        tokio::spawn(async move {
            for batch in 0.. {
                let first = COUNT + batch * 500;
                at.send(&shop::lines(first..first + 500), &[]).await?;
            }
            anyhow::Ok(())
        })
    };

    let described = at.run_long(&[]).await;
    more.abort();
    let described = described?;

    let document = document(&described)?;
    assert_eq!(operations(&document), shop::OPERATIONS);
    let told = String::from_utf8(described.stderr)?;
    assert!(!told.contains("repeated") && !told.contains("skipped"), "{told}");
    // All that was there when it began; of what came later, what its other partitions gave before the last one's end.
    let seen = exchanges(&document);
    assert!(seen >= COUNT, "{seen} of {COUNT} exchanges: {told}");
    assert!(document["paths"]["/billing/accounts/{accountId}"]["get"].is_object(), "{}", document["paths"]);
    Ok(())
}

async fn topic_is_followed_and_the_document_is_whole_at_any_time(bed: &Bed) -> Result<()> {
    let at = fresh(bed, "followed").await?;
    let scratch = Scratch::new("openapi-follow")?;
    let out = scratch.file("openapi.json");
    // The topic is not there yet: it is waited for.
    let mut following = start(&at.arguments(&["--follow", "--out", &out.to_string_lossy()]))?;

    for (seqs, expected) in [(0..1, 1), (1..50, 50), (50..500, 500)] {
        at.send(&shop::lines(seqs), &[]).await?;
        let probe = async || {
            ensure!(out.exists(), "no document yet");
            let seen = exchanges(&read(&out)?);
            ensure!(seen == expected, "{seen} exchanges instead of {expected}");
            Ok(())
        };
        wait::until("the document of all that was sent", LONG, probe).await?;
    }

    assert_eq!(operations(&read(&out)?), shop::OPERATIONS);
    terminate(&following)?;
    assert_eq!(ended(&mut following).await?.code(), Some(0));
    assert_eq!(exchanges(&read(&out)?), 500);
    assert_eq!(fs::read_dir(scratch.path())?.count(), 1, "something is left beside the document");
    Ok(())
}

/// Compaction leaves gaps in the offsets, also right before the end.
async fn compacted_topic_is_described_by_what_is_left(bed: &Bed) -> Result<()> {
    let at = fresh(bed, "compacted").await?;
    let create = ["--bootstrap-server", &at.brokers, "--create", "--topic", &at.topic, "--partitions", "1"];
    let settings =
        ["cleanup.policy=compact", "segment.ms=100", "min.cleanable.dirty.ratio=0.01", "max.compaction.lag.ms=100"];
    let settings = settings.iter().flat_map(|setting| ["--config", setting]);
    topics(bed, &create.into_iter().chain(settings).collect::<Vec<_>>()).await?;

    // One key for all: of each segment that is closed, the newest is left. Another batch closes the one before.
    let mut sent = 0;
    let deadline = Instant::now() + LONG;
    let left = loop {
        at.send(&shop::lines(sent..sent + 100), &["--key", "host"]).await?;
        sent += 100;
        let left = Recordings::of_topic(&at.brokers, &at.topic).await?.read().await?.len() as u64;
        if left < sent {
            break left;
        }
        ensure!(Instant::now() < deadline, "nothing was compacted of {sent} records");
    };

    let described = run(&at.arguments(&[]), "").await?;

    let seen = exchanges(&document(&described)?);
    ensure!((1..=left).contains(&seen), "{seen} exchanges, and {left} of {sent} are left");
    Ok(())
}

async fn exchanges_of_an_age_are_described_alone(bed: &Bed) -> Result<()> {
    let at = fresh(bed, "since").await?;
    at.send(&shop::lines(0..30), &[]).await?;
    let between = newest(&at).await? + 1;
    at.send(&shop::lines(30..50), &[]).await?;

    let later = run(&at.arguments(&["--since", &Timestamp::from_unix_millis(between).to_string()]), "").await?;
    let all = run(&at.arguments(&["--since", "1h"]), "").await?;
    let none = run(&at.arguments(&["--since", "2100-01-01T00:00:00Z"]), "").await?;

    let seen = [later, all, none].iter().map(|ended| Ok(exchanges(&document(ended)?))).collect::<Result<Vec<_>>>()?;
    assert_eq!(seen, [20, 50, 0]);
    Ok(())
}

async fn missing_topic_and_absent_kafka_are_told(bed: &Bed) -> Result<()> {
    let at = fresh(bed, "missing").await?;
    let nobody = At { brokers: Port::tcp()?.address().to_string(), ..at.clone() };

    for (at, words) in
        [(&at, format!("topic {} does not exist", at.topic)), (&nobody, "no answer from kafka".to_owned())]
    {
        let ended = run(&at.arguments(&[]), "").await?;

        let told = String::from_utf8(ended.stderr)?;
        ensure!(ended.status.code() == Some(69) && told.contains(&words), "{:?}: {told}", ended.status);
        ensure!(ended.stdout.is_empty(), "a document was written");
    }
    Ok(())
}

/// The time that Kafka keeps with the newest record, in milliseconds since 1970.
async fn newest(at: &At) -> Result<i64> {
    let (mut reader, mut newest) = (Reader::open(at.reader()).await?, 0);
    while let Some(record) = reader.next_before_end().await? {
        newest = newest.max(record.timestamp_millis.context("no time")?);
    }
    Ok(newest)
}

/// Deletes the topic and waits until it is gone.
pub(super) async fn delete(bed: &Bed, at: &At) -> Result<()> {
    topics(bed, &["--bootstrap-server", &at.brokers, "--delete", "--topic", &at.topic]).await?;
    let gone = async || match Reader::open(at.reader()).await {
        Err(TopicError::TopicMissing { .. }) => Ok(()),
        Err(error) => Err(error.into()),
        Ok(_) => anyhow::bail!("it is still there"),
    };
    wait::until("the end of the topic", LONG, gone).await
}

/// Kafka's own tool for topics.
async fn topics(bed: &Bed, arguments: &[&str]) -> Result<()> {
    let scratch = Scratch::new("topics")?;
    let tool = bed.kafka().await?.tool("org.apache.kafka.tools.TopicCommand")?;
    let tool = tool.args(arguments).start(&scratch.log("topics"))?;
    let status = wait::until("the end of Kafka's tool", LONG, async || tool.exit().context("it runs")).await?;
    ensure!(status.success(), "{}", tool.log().text());
    Ok(())
}

/// A topic of a Kafka.
#[derive(Clone)]
pub(super) struct At {
    pub(super) brokers: String,
    pub(super) topic: String,
}

/// A topic that is not there yet.
pub(super) async fn fresh(bed: &Bed, name: &str) -> Result<At> {
    let topic = format!("openapi-{name}-{}", uuid::Uuid::new_v4().simple());
    Ok(At { brokers: bed.kafka().await?.brokers().to_owned(), topic })
}

impl At {
    /// `tributary openapi` on it.
    pub(super) fn arguments<'a>(&'a self, further: &[&'a str]) -> Vec<&'a str> {
        [&["openapi", "--brokers", &self.brokers, "--topic", &self.topic][..], further].concat()
    }

    fn reader(&self) -> ReaderConfig {
        let (brokers, topic) = (self.brokers.clone(), self.topic.clone());
        ReaderConfig { brokers, topic, start: Start::Beginning, settings: Vec::new() }
    }

    /// Puts lines into it, with three partitions if it has to be made.
    pub(super) async fn send(&self, lines: &str, further: &[&str]) -> Result<()> {
        let arguments = [&["send", "-", "--brokers", &self.brokers, "--topic", &self.topic][..], further].concat();
        let sent = run(&arguments, lines).await?;
        ensure!(sent.status.success(), "{}", String::from_utf8_lossy(&sent.stderr));
        Ok(())
    }

    /// Runs `tributary openapi` on it, for as long as much may take.
    pub(super) async fn run_long(&self, further: &[&str]) -> Result<std::process::Output> {
        let child = start(&self.arguments(further))?;
        tokio::time::timeout(LONG, child.wait_with_output())
            .await
            .context("tributary openapi did not end")?
            .map_err(Into::into)
    }
}
