//! Area `collector`: what it costs to bring lines from HTTP into Kafka, beside the smallest program that does it (the floor)
//! and beside a Node service.
//!
//! All programs run at once, each with a topic of its own in one real Kafka; they take turns, and only the one whose turn it
//! is has anything to do. A turn posts a known number of lines, made ready before, and ends when each is acknowledged: CPU
//! by line is what the process spent, divided by the lines.

pub(crate) mod lines;
mod plan;
pub(crate) mod posting;
pub(crate) mod posts;
pub(crate) mod subject;

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, ensure};
use tributary_testbed::kafka::Kafka;

use crate::{cpu::Reading, report::Measure, run::Run, statistics};

use plan::{Case, Variant};
use posting::Posted;
use posts::Sender;
use subject::{Running, Subject};

const CPU: Measure = Measure::cost("CPU per line", "µs");
const BROKER_CPU: Measure = Measure::cost("broker CPU per line", "µs");
const RATE: Measure = Measure::yielded("lines per second", "");
const P99: Measure = Measure::cost("p99 of a post", "ms");
const RSS: Measure = Measure::cost("peak RSS", "MiB");

/// Bytes of each topic that the broker keeps, and how often it looks: the lines of a whole run need not lie on the disk.
pub(crate) const RETENTION: [(&str, &str); 4] = [
    ("log.retention.bytes", "67108864"),
    ("log.segment.bytes", "33554432"),
    ("log.retention.check.interval.ms", "5000"),
    ("log.segment.delete.delay.ms", "1000"),
];

/// Measures the area.
///
/// # Errors
/// A part is missing or does not start, a post is not acknowledged whole, or the collector's account is not exact.
pub(crate) async fn measure(run: &mut Run) -> Result<()> {
    let kafka = RETENTION.iter().fold(Kafka::builder(), |builder, (name, value)| builder.setting(name, value));
    let kafka = kafka.start().await?;
    let cases = plan::chosen(&run.options().collector, run.options().quick)?;
    let cases = run.options().wanted(cases, Case::name)?;
    let mut programs = Programs::start(run, &kafka, &cases).await?;
    for case in &cases {
        run.compare_with(&case.name(), &case.baseline);
    }
    let mut senders: Vec<Sender> = (0..plan::MOST_CONNECTIONS as u64).map(Sender::new).collect();
    for round in run.rounds() {
        for case in &cases {
            for variant in round.order(case.variants.len()).filter_map(|turn| case.variants.get(turn)) {
                let senders = senders.get_mut(..case.connections).context("too few senders")?;
                let turn = programs.turn(run, &kafka, case, variant, senders).await?;
                if let Some(turn) = turn.filter(|_| round.is_counted()) {
                    turn.report(run, &case.name(), &variant.name);
                }
            }
        }
    }
    programs.finish(run).await
}

/// The programs that run.
#[derive(Debug, Default)]
struct Programs {
    running: BTreeMap<String, (Subject, Running)>,
}

impl Programs {
    /// Starts all that the cases need. One of others that does not start is told as absent.
    async fn start(run: &mut Run, kafka: &Kafka, cases: &[Case]) -> Result<Programs> {
        let mut programs = Programs::default();
        for subject in cases.iter().flat_map(|case| &case.variants).map(|variant| &variant.subject) {
            if programs.running.contains_key(subject.name()) {
                continue;
            }
            match subject.start(kafka, run.options()).await {
                Ok(running) => drop(programs.running.insert(subject.name().to_owned(), (subject.clone(), running))),
                Err(error) if subject.is_needed() => return Err(error),
                Err(error) => run.absent(subject.name(), format!("{error:#}")),
            }
        }
        Ok(programs)
    }

    /// One turn; `None` for a program of others that is not there or did not get through it.
    async fn turn(
        &mut self,
        run: &mut Run,
        kafka: &Kafka,
        case: &Case,
        variant: &Variant,
        senders: &mut [Sender],
    ) -> Result<Option<Turn>> {
        let subject = &variant.subject;
        let Some((_, program)) = self.running.get(subject.name()) else { return Ok(None) };
        let lines = run.options().share(variant.lines(case.lines_a_post));
        let posts = posts::prepare(senders, case.lines_a_post, lines, variant.coding)?;
        match Turn::take(program, kafka, posts).await {
            Ok(turn) => Ok(Some(turn)),
            Err(error) if subject.is_needed() => {
                let error = program.process().with_log(error);
                Err(error).with_context(|| format!("{}, {}", case.name(), variant.name))
            }
            Err(error) => {
                run.absent(format!("{} from {} on", subject.name(), case.name()), format!("{error:#}"));
                self.running.remove(subject.name());
                Ok(None)
            }
        }
    }

    /// The memory of each, and whether the collectors' accounts hold.
    async fn finish(self, run: &mut Run) -> Result<()> {
        for (name, (_, program)) in &self.running {
            run.add("whole run", name, &RSS, mebibytes(program.process().peak_memory_bytes()?));
            if let Some(collector) = program.as_collector() {
                let account = collector.accounting().await?;
                ensure!(account.identity_exact, "the account of {name} is not exact: {account:?}");
                ensure!(account.rejected == 0, "{name} rejected {} lines", account.rejected);
            }
        }
        Ok(())
    }
}

/// What one turn has cost.
#[derive(Debug)]
struct Turn {
    posted: Posted,
    own_micros: f64,
    broker_micros: f64,
}

impl Turn {
    async fn take(program: &Running, kafka: &Kafka, posts: Vec<Vec<posts::Post>>) -> Result<Turn> {
        let (own, broker) = (program.process().id(), kafka.process()?.id());
        let before = (Reading::of(own)?, Reading::of(broker)?);
        let posted = posting::post_all(program.address(), posts).await?;
        let micros =
            |process, before: &Reading| Ok::<_, anyhow::Error>(Reading::of(process)?.since(before).as_secs_f64() * 1e6);
        Ok(Turn { own_micros: micros(own, &before.0)?, broker_micros: micros(broker, &before.1)?, posted })
    }

    fn report(mut self, run: &mut Run, case: &str, variant: &str) {
        let lines = self.posted.lines as f64;
        run.add(case, variant, &CPU, self.own_micros / lines);
        run.add(case, variant, &BROKER_CPU, self.broker_micros / lines);
        run.add(case, variant, &RATE, lines / self.posted.took.as_secs_f64());
        if let Some(nanos) = statistics::quantile(&mut self.posted.latencies, 0.99) {
            run.add(case, variant, &P99, nanos as f64 / 1e6);
        }
    }
}

fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}
