//! `tributary openapi`: the description of an API, from a recordings file or the topic.
//!
//! The crate `tributary-openapi` learns and describes; here is what goes in and out: lines and records, checkpoint,
//! documents. This file connects.

mod args;
mod checkpoint;
mod diff;
mod output;
mod progress;
mod publish;
mod spec;
mod study;
mod topic;

use std::time::Duration;

use anyhow::anyhow;
use jiff::Timestamp;
use tokio::task::spawn_blocking;

pub(crate) use args::OpenapiArgs;

use crate::{
    failure::Failure,
    lines::{Input, Line, Lines, MAX_LINE_BYTES},
    stop::Stop,
    terminal::notice,
};
use args::{Instead, Source};
use progress::Progress;
use publish::Publisher;
use study::Study;

/// How long a stopped command may take to end: it writes what it has learnt.
const STOP_GRACE: Duration = Duration::from_secs(15);

/// Lines between two looks at the clock.
const LINES_A_LOOK: u64 = 256;

/// Reads, learns, and writes the documents.
///
/// # Errors
/// A [`Failure`]: arguments or files cannot be used, Kafka cannot be worked with, the input holds no exchange at all, or
/// the user has stopped it before the end.
pub(crate) async fn run(args: OpenapiArgs) -> Result<(), Failure> {
    if let Some(Instead::Diff(args)) = args.instead {
        return diff::run(*args).await;
    }
    // All that can be wrong with the arguments, before anything is read.
    let source = args.source(Timestamp::now())?;
    let mut publisher = Publisher::new(&args)?;
    let mut stop = Stop::on_signals(STOP_GRACE, 1).map_err(Failure::fault)?;
    let (study, name) = match source {
        Source::Lines(input) => {
            let reading = read(input)?;
            let study = tokio::select! {
                study = reading => study?,
                () = stop.told() => return Err(stopped_before_the_end()),
            };
            (study, input.name())
        }
        Source::Topic { start, until } => {
            let checkpoint = args.checkpoint();
            let study = topic::learn(&args.kafka, start, until, checkpoint, &mut publisher, &mut stop).await?;
            (study, format!("topic {}", args.kafka.topic))
        }
    };
    if study.has_no_exchange() && study.skipped > 0 {
        let told = format!("{name} holds no exchange: all {} lines or records were skipped", study.skipped);
        return Err(Failure::data(anyhow!(told)));
    }
    notice(&study.told(&name));
    publisher.finish(&study.learner)
}

/// The user has stopped a command that was to read to an end; nothing is written then, for it would not be all.
fn stopped_before_the_end() -> Failure {
    notice("stopped before the end; no document was written");
    Failure::incomplete()
}

/// Learns from all lines, on a thread of its own, for reading blocks.
fn read(input: Input<'_>) -> Result<impl Future<Output = Result<Study, Failure>> + use<>, Failure> {
    let (bytes, size) = input.open()?;
    let name = input.name();
    let learnt = spawn_blocking(move || {
        let progress = Progress::of_bytes(size);
        let (mut study, mut lines) = (Study::default(), Lines::new(bytes, MAX_LINE_BYTES));
        loop {
            let line = match lines.next() {
                Ok(Some(line)) => line,
                Ok(None) => return Ok(study),
                Err(error) => {
                    return Err(Failure::fault(anyhow!(error).context(format!("cannot read {name} to its end"))));
                }
            };
            let number = match line {
                Line::Whole { number, text } => {
                    study.take(&text, &progress, || format!("{name}:{number}"));
                    number
                }
                Line::TooLong { number, bytes } => {
                    let reason = format!("line of {bytes} bytes; at most {MAX_LINE_BYTES} are allowed");
                    study.skip(&reason, &progress, || format!("{name}:{number}"));
                    number
                }
            };
            if number % LINES_A_LOOK == 0 {
                progress.is_at(lines.read_bytes(), study.learner.account().learnt);
            }
        }
    });
    Ok(async { learnt.await.map_err(Failure::fault)? })
}
