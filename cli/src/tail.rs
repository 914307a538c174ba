//! `tributary tail`: prints the exchanges of the topic as they come.

mod filter;
mod human;
mod printer;
mod repeats;

use std::{
    io::{self, IsTerminal},
    time::Duration,
};

use clap::{Args, builder::BoolishValueParser};
use tokio::time::{MissedTickBehavior, interval};
use tributary_http_types::Method;
use tributary_topic::{Delivered, Reader, Start, TopicError};

use crate::{
    args::EXIT_CODES,
    failure::Failure,
    kafka::{KafkaArgs, open_patiently, tell_outage},
    stop::Stop,
    terminal::{Color, Stdout, notice},
};
use filter::{Filter, PathPattern, Statuses};
use human::{HEADING, Palette};
use printer::{Form, Printer};
use repeats::Repeats;

/// How often to look whether Kafka is there and somebody still reads our output.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How long a stopped command may take to end: it may wait in a write to a pipe that nobody empties.
const STOP_GRACE: Duration = Duration::from_secs(2);

/// Print the exchanges of the topic as they come.
///
/// Each exchange is a line: when, method, status, how long it took, size of both bodies, host and path, and in
/// brackets what is odd about it (no response, memory was short, bodies that were cut, Envoy's flags). No consumer group is
/// joined, so nobody else's position moves. Records that are no exchanges are named on stderr and skipped.
///
/// Ends with Ctrl-C, or when nobody reads its output any more. If the topic is missing or Kafka away, it waits.
#[derive(Debug, Args)]
#[command(after_help = format!("{EXAMPLES}\n\n{EXIT_CODES}"))]
pub(crate) struct TailArgs {
    /// Begin with the oldest exchange in the topic, not with the next one
    #[arg(long, env = "TRIBUTARY_FROM_BEGINNING", value_parser = BoolishValueParser::new())]
    from_beginning: bool,

    /// End where the topic ends now (with --from-beginning); do not wait for Kafka or the topic
    #[arg(long, env = "TRIBUTARY_UNTIL_END", value_parser = BoolishValueParser::new())]
    until_end: bool,

    /// End after so many exchanges
    #[arg(long, short = 'n', env = "TRIBUTARY_COUNT", value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,

    /// Print the lines exactly as they are in the topic: HTTP Types, JSON Lines
    #[arg(long, env = "TRIBUTARY_JSON", value_parser = BoolishValueParser::new())]
    json: bool,

    /// Show only this method; repeatable, or several joined by ","
    #[arg(long, env = "TRIBUTARY_METHOD", value_name = "METHOD", value_parser = filter::method, value_delimiter = ',')]
    method: Vec<Method>,

    /// Show only this status: 200, 4xx, 500-599, or none (no response); repeatable, or several joined by ","
    #[arg(long, env = "TRIBUTARY_STATUS", value_name = "STATUS", value_delimiter = ',')]
    status: Vec<Statuses>,

    /// Show only this path and all below it: /users; with stars the whole path: /users/*/posts, **/posts; repeatable
    ///
    /// `*` stands for any part of one segment, `**` for anything. The query does not count.
    #[arg(long, env = "TRIBUTARY_PATH", value_name = "PATTERN")]
    path: Vec<PathPattern>,

    /// Drop exchanges that came before, and say at the end how many
    ///
    /// Known by source and number, however long ago; those of other programs by `meta.id`, the last 100,000 of them.
    #[arg(long, env = "TRIBUTARY_DEDUPE", value_parser = BoolishValueParser::new())]
    dedupe: bool,

    /// When to colour the lines
    #[arg(long, env = "TRIBUTARY_COLOR", value_name = "WHEN", value_enum, default_value_t = Color::Auto)]
    color: Color,

    #[command(flatten)]
    kafka: KafkaArgs,
}

const EXAMPLES: &str = "\
Examples:
  tributary tail
  tributary tail --from-beginning --status 4xx,5xx --path /users
  tributary tail --from-beginning --until-end --json --dedupe > recordings.jsonl
  tributary tail --json --method post --count 1 | jq .request
  tributary tail --brokers kafka.example.com:9093 --kafka-config security.protocol=SSL";

impl TailArgs {
    fn filter(&self) -> Filter {
        Filter { methods: self.method.clone(), statuses: self.status.clone(), paths: self.path.clone() }
    }

    fn form(&self) -> Form {
        match (self.json, self.color.on_stdout()) {
            (true, _) => Form::Json,
            (false, true) => Form::Human(Palette::coloured()),
            (false, false) => Form::Human(Palette::plain()),
        }
    }
}

/// Prints until told to stop, or until the end that the arguments set.
///
/// # Errors
/// A [`Failure`]: the arguments contradict each other, Kafka cannot be worked with, or the output cannot be written.
/// A pipe that nobody reads any more is none.
pub(crate) async fn run(args: TailArgs) -> Result<(), Failure> {
    if args.until_end && !args.from_beginning {
        let told = "--until-end needs --from-beginning: what is written from now on has no end";
        return Err(Failure::usage(anyhow::anyhow!(told)));
    }
    let stop = Stop::on_signals(STOP_GRACE, 0).map_err(Failure::fault)?;
    let repeats = args.dedupe.then(Repeats::default);
    let output = Stdout::open().map_err(Failure::fault)?;
    let mut printer = Printer::new(output, io::stderr(), args.form(), args.filter()).dropping(repeats);
    let printed = print(&args, stop, &mut printer).await;
    let outcome = printed.and_then(|()| printer.flush().map_err(Failure::fault));
    if printer.skipped() > 0 {
        notice(&format!("records skipped because they are no exchanges: {}", printer.skipped()));
    }
    if let Some(repeats) = printer.repeats() {
        notice(&format!("repeated exchanges dropped: {repeats}"));
    }
    match outcome {
        Err(failure) if is_closed_pipe(&failure) => Ok(()),
        other => other,
    }
}

fn is_closed_pipe(failure: &Failure) -> bool {
    let cause = failure.error.as_ref().and_then(|error| error.downcast_ref::<io::Error>());
    cause.is_some_and(|cause| cause.kind() == io::ErrorKind::BrokenPipe)
}

type StdPrinter = Printer<Stdout, io::Stderr>;

async fn print(args: &TailArgs, mut stop: Stop, printer: &mut StdPrinter) -> Result<(), Failure> {
    if !args.json && io::stdout().is_terminal() {
        printer.heading(HEADING).map_err(Failure::fault)?;
    }
    let mut start = if args.from_beginning { Start::Beginning } else { Start::End };
    loop {
        let opened = tokio::select! {
            () = stop.told() => return Ok(()),
            opened = open(args, start.clone(), printer.output()) => opened?,
        };
        let Some(reader) = opened else { return Ok(()) };
        match follow(args, reader, &mut stop, printer).await? {
            Ended::Done => return Ok(()),
            // All that a topic made anew holds is newer than this command.
            Ended::TopicGone => start = Start::Beginning,
        }
    }
}

/// Why a reader is no longer followed.
enum Ended {
    /// There is nothing more to print.
    Done,
    /// The topic was deleted.
    TopicGone,
}

/// Opens the topic; waits for it, and for Kafka, unless the arguments set an end. `None`: nobody reads our output.
async fn open(args: &TailArgs, start: Start, output: &Stdout) -> Result<Option<Reader>, Failure> {
    let config = args.kafka.reader(start);
    match args.until_end {
        true => Ok(Some(Reader::open(config).await?)),
        false => open_patiently(config, || !output.is_closed()).await,
    }
}

/// Prints what the reader delivers.
async fn follow(
    args: &TailArgs,
    mut reader: Reader,
    stop: &mut Stop,
    printer: &mut StdPrinter,
) -> Result<Ended, Failure> {
    let mut looks = interval(LOOK_EVERY);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut away = false;
    while args.count.is_none_or(|count| printer.printed() < count) {
        let received = tokio::select! {
            biased;
            () = stop.told() => return Ok(Ended::Done),
            _ = looks.tick() => {
                if printer.output().is_closed() {
                    return Ok(Ended::Done);
                }
                tell_outage(&mut away, reader.is_unreachable(), &args.kafka.brokers);
                continue;
            }
            received = next(&mut reader, args.until_end) => received,
            // Nothing more is there at the moment: show what is.
            () = std::future::ready(()), if printer.is_unflushed() => {
                printer.flush().map_err(Failure::fault)?;
                continue;
            }
        };
        match received {
            Ok(Some(delivered)) => printer.print(&delivered).map_err(Failure::fault)?,
            Ok(None) => break,
            Err(error @ TopicError::TopicMissing { .. }) if !args.until_end => {
                notice(&format!("the topic was deleted: {error}"));
                return Ok(Ended::TopicGone);
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(Ended::Done)
}

async fn next(reader: &mut Reader, until_end: bool) -> Result<Option<Delivered>, TopicError> {
    match until_end {
        true => reader.next_before_end().await,
        false => reader.next().await.map(Some),
    }
}
