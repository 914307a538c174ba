//! `tributary send`: puts the exchanges of a recordings file into the topic.

mod batch;
mod delivery;
mod report;

use std::{
    cell::RefCell,
    path::PathBuf,
    thread,
    time::{Duration, Instant},
};

use anyhow::anyhow;
use clap::Args;
use jiff::SignedDuration;
use tokio::{sync::mpsc, time::sleep};
use tributary_topic::{Cause, Problem, TopicError, Writer, WriterConfig};

use crate::{
    args::EXIT_CODES,
    failure::{self, Failure},
    kafka::KafkaArgs,
    lines::{Input, MAX_LINE_BYTES},
    stop::Stop,
    terminal::notice,
};
use batch::{Batch, Key, feed};
use delivery::deliver;
use report::Report;

/// How long a stopped command may take to end: the batch under way has its delivery timeout.
const STOP_GRACE: Duration = Duration::from_secs(15);

/// The pause between two attempts to find Kafka at the start.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Put the exchanges of a recordings file into the topic.
///
/// The file holds HTTP Types, JSON Lines: one exchange on each line. Lines go into the topic byte for byte, with the
/// key and the headers that the collector gives. What is not delivered is named on stderr with its line number and
/// the reason; a bad line never stops the good ones, blank lines are passed over. The topic is created if missing.
///
/// What Kafka does not acknowledge is tried again, so a record may be in the topic twice; consumers know it by its id.
#[derive(Debug, Args)]
#[command(after_help = format!("{EXAMPLES}\n\n{EXIT_CODES}"))]
pub(crate) struct SendArgs {
    /// The recordings file, or - for standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,

    /// What decides on the partition of an exchange
    #[arg(long, env = "TRIBUTARY_KEY", value_name = "KEY", value_enum, default_value_t = Key::Id)]
    key: Key,

    /// Give up when Kafka has taken nothing for so long; from 1s to 1h, like 30s or 5m
    #[arg(long, env = "TRIBUTARY_GIVE_UP_AFTER", value_name = "DURATION", default_value = "60s", value_parser = duration)]
    give_up_after: Duration,

    /// How many partitions the topic gets if it has to be created
    #[arg(
        long,
        env = "TRIBUTARY_PARTITIONS",
        value_name = "N",
        default_value_t = 3,
        value_parser = clap::value_parser!(i32).range(1..=10_000)
    )]
    partitions: i32,

    #[command(flatten)]
    kafka: KafkaArgs,
}

const EXAMPLES: &str = "\
Examples:
  tributary send recordings.jsonl
  zcat recordings.jsonl.gz | tributary send - --topic replayed
  tributary tail --from-beginning --until-end --json | tributary send - --brokers other:9092
  tributary send recordings.jsonl --key host --give-up-after 5m";

/// A value of a time option: 1 s to 1 h, with its unit.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let read = text.parse::<SignedDuration>().ok().and_then(|duration| Duration::try_from(duration).ok());
    read.filter(|duration| (Duration::from_secs(1)..=Duration::from_secs(3600)).contains(duration))
        .ok_or_else(|| "it must be a duration from 1s to 1h, like 30s or 5m".to_owned())
}

/// Sends all lines, tells what was not delivered, and sums up.
///
/// # Errors
/// A [`Failure`]: input or settings cannot be used, Kafka cannot be worked with, or some lines were not delivered.
pub(crate) async fn run(args: SendArgs) -> Result<(), Failure> {
    let stop = Stop::on_signals(STOP_GRACE, 1).map_err(Failure::fault)?;
    let input = Input::of(&args.file);
    let (bytes, size) = input.open()?;
    let mut config = WriterConfig::new(&args.kafka.brokers, &args.kafka.topic);
    config.settings = args.kafka.settings();
    let writer = Writer::new(config)?;
    if !ensure_topic(&args, &writer, stop.clone()).await? {
        notice("stopped; nothing was sent");
        return Err(Failure::incomplete());
    }

    // One batch under way and two at hand: bounded memory, and Kafka never waits for the disk.
    let (send_batch, batches) = mpsc::channel(1);
    let key = args.key;
    thread::Builder::new()
        .name("input".into())
        .spawn(move || feed(bytes, MAX_LINE_BYTES, key, &send_batch))
        .map_err(Failure::fault)?;
    let mut report = Report::new(input.name(), size);
    send_all(&args, &writer, batches, stop, &mut report).await;
    report.finish(&args.kafka.topic, &args.kafka.brokers);
    if report.is_complete() { Ok(()) } else { Err(Failure::incomplete()) }
}

/// Waits until the topic is there, created if need be. `false`: the user has stopped it.
async fn ensure_topic(args: &SendArgs, writer: &Writer, mut stop: Stop) -> Result<bool, Failure> {
    let begun = Instant::now();
    let mut told = false;
    loop {
        let outcome = tokio::select! {
            outcome = writer.ensure_topic(args.partitions, -1) => outcome,
            () = stop.told() => return Ok(false),
        };
        if let (Err(_), Some(refusal)) = (&outcome, refusal(writer)) {
            return Err(Failure::unavailable(anyhow!(
                "kafka at {} refuses the credentials: {}",
                args.kafka.brokers,
                refusal.why
            )));
        }
        match outcome {
            Ok(_) => return Ok(true),
            Err(error @ (TopicError::Unreachable { .. } | TopicError::Kafka { .. }))
                if begun.elapsed() < args.give_up_after =>
            {
                if !told {
                    notice(&format!("{}; trying for {:?}", failure::told(&error.into()), args.give_up_after));
                    told = true;
                }
            }
            Err(error) => return Err(error.into()),
        }
        tokio::select! {
            () = sleep(LOOK_EVERY) => {}
            () = stop.told() => return Ok(false),
        }
    }
}

/// Why Kafka refuses the credentials, if it does: a look at the topic says only that nobody answered.
fn refusal(writer: &Writer) -> Option<Problem> {
    let is_refusal = |cause| matches!(cause, Cause::Credentials | Cause::Certificate);
    writer.health().into_iter().find(|problem| is_refusal(problem.cause))
}

/// Takes batch after batch, in order, until the input ends, Kafka takes no more, or the user stops it.
async fn send_all(
    args: &SendArgs,
    writer: &Writer,
    mut batches: mpsc::Receiver<Batch>,
    stop: Stop,
    report: &mut Report,
) {
    let mut stop_here = stop.clone();
    let mut stop = Some(stop);
    let told = RefCell::new(Vec::new());
    let write = async |records: &[_]| {
        let verdicts = writer.write(records).await;
        if verdicts.iter().any(Result::is_err) {
            // It learns by looking: how large batches may be, and that Kafka is back. Its health has what it saw.
            let _ = writer.ensure_topic(args.partitions, -1).await;
            tell_problems(writer, &mut told.borrow_mut());
        }
        verdicts
    };
    loop {
        let batch = tokio::select! {
            biased;
            () = stop_here.told() => return report.stopped(!matches!(batches.try_recv(), Err(mpsc::error::TryRecvError::Disconnected))),
            batch = batches.recv() => batch,
        };
        let Some(Batch { entries, refused, blank, read_bytes, input_error }) = batch else { return };
        let last_line = entries.iter().map(|entry| entry.line).chain(refused.iter().map(|(line, _)| *line)).max();
        report.refused(refused);
        let outcome = deliver(entries, args.give_up_after, &mut stop, &write).await;
        let given_up = outcome.given_up;
        report.sent(outcome, blank, last_line, read_bytes);
        if let Some(error) = input_error {
            return report.input_failed(&error);
        }
        if given_up {
            let more = !matches!(batches.try_recv(), Err(mpsc::error::TryRecvError::Disconnected));
            return report.stopped(more);
        }
    }
}

/// Says what keeps Kafka from taking records, each kind of trouble once; the lines' own reasons say only that it did.
fn tell_problems(writer: &Writer, told: &mut Vec<Cause>) {
    for problem in writer.health() {
        if !told.contains(&problem.cause) {
            notice(&format!("kafka does not take records at present: {}", problem.why));
            told.push(problem.cause);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn duration_has_a_unit_and_bounds() {
        assert_eq!(duration("30s"), Ok(Duration::from_secs(30)));
        assert_eq!(duration("5m"), Ok(Duration::from_secs(300)));
        assert_eq!(duration("1h"), Ok(Duration::from_secs(3600)));
        for bad in ["30", "999ms", "-5s", "61m", "", "soon"] {
            assert!(duration(bad).is_err(), "{bad:?}");
        }
    }
}
