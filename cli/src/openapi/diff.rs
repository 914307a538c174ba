//! `tributary openapi diff`: where traffic and a hand-written document disagree.
//!
//! The crate `tributary-openapi` compares; here is what goes in and out.

use std::{collections::BTreeSet, fs, path::PathBuf, time::Duration};

use anyhow::{Context, anyhow};
use clap::{Args, ValueEnum};
use jiff::Timestamp;
use tokio::task::spawn_blocking;
use tributary_http_types::HttpExchange;
use tributary_openapi::diff::{Comparison, Contract, Drift};
use tributary_topic::{Reader, Start};

use super::{
    args::{HostPattern, Since},
    publish::named,
    spec, stopped_before_the_end,
};
use crate::{
    args::EXIT_CODES,
    failure::Failure,
    kafka::KafkaArgs,
    lines::{Input, Line, Lines, MAX_LINE_BYTES},
    stop::Stop,
    terminal::notice,
    whole_file,
};

/// How long a stopped command may take to end.
const STOP_GRACE: Duration = Duration::from_secs(5);

/// Hosts that are remembered, for the message that none of them is meant: they come from the traffic.
const MAX_REMEMBERED_HOSTS: usize = 1_000;

/// Say where traffic and a hand-written OpenAPI document disagree.
///
/// Reads exchanges from a recordings file, or from the topic to where it ends now, and lays them beside the document
/// (3.0 or 3.1, JSON or YAML): undocumented paths, methods, statuses, parameters and properties, what is required and
/// missing, wrong types. Each disagreement stands once, with the id of an exchange that shows it; no value of the
/// traffic is told. Ends with 1 if there is one, with 0 if traffic and document agree. If there was nothing to compare,
/// a warning on stderr says so; a host that no exchange went to ends with 64.
#[derive(Debug, Args)]
#[command(after_help = format!("{EXAMPLES}\n\n{EXIT_CODES}"))]
pub(crate) struct DiffArgs {
    /// The document
    #[arg(value_name = "SPEC")]
    spec: PathBuf,

    /// A recordings file, or - for standard input; without it the topic is read
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,

    /// Begin with exchanges of this age (30m, 1h, 7d) or time (2026-01-31T12:00:00Z); left out: with the oldest
    #[arg(long, env = "TRIBUTARY_SINCE", value_name = "WHEN")]
    since: Option<Since>,

    /// Compare only exchanges of this host; * stands for anything, without a port any port fits; repeatable
    #[arg(long, env = "TRIBUTARY_HOST", value_name = "PATTERN", value_delimiter = ',')]
    host: Vec<HostPattern>,

    /// How to write what was found
    #[arg(long, env = "TRIBUTARY_FORMAT", value_name = "FORMAT", value_enum, default_value_t = Format::Text)]
    format: Format,

    /// Where to write it; left out: standard output
    #[arg(long, short = 'o', env = "TRIBUTARY_OUT", value_name = "FILE")]
    out: Option<PathBuf>,

    #[command(flatten)]
    kafka: KafkaArgs,
}

const EXAMPLES: &str = "\
Examples:
  tributary openapi diff shop.yaml recordings.jsonl
  tributary openapi diff shop.yaml --brokers kafka:9092 --since 1h --host shop.example
  tributary openapi diff shop.yaml recordings.jsonl --format sarif --out drift.sarif";

/// `--format`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people
    Text,
    /// One object
    Json,
    /// SARIF 2.1.0, for code scanners
    Sarif,
}

/// Reads, compares, and writes what was found.
///
/// # Errors
/// A [`Failure`]: there is drift; document or input cannot be used; Kafka cannot be worked with; the user has stopped it.
pub(super) async fn run(args: DiffArgs) -> Result<(), Failure> {
    if args.file.is_some() && args.since.is_some() {
        let told = "--since is for the topic, and FILE is given: leave one of them out";
        return Err(Failure::usage(anyhow!(told)));
    }
    let name = args.spec.display().to_string();
    let contract = Contract::of(spec::read(&args.spec)?);
    let contract = contract.with_context(|| format!("{name} cannot be compared with")).map_err(Failure::data)?;
    let mut stop = Stop::on_signals(STOP_GRACE, 1).map_err(Failure::fault)?;
    let drift = match &args.file {
        Some(file) => {
            let reading = of_lines(Input::of(file), contract, args.host.clone())?;
            tokio::select! {
                drift = reading => drift?,
                () = stop.told() => return Err(stopped_before_the_end()),
            }
        }
        None => of_topic(&args, &contract, &mut stop).await?,
    };
    write(&args, &drift)?;
    if drift.is_none() { Ok(()) } else { Err(Failure::incomplete()) }
}

/// Compares all lines, on a thread of its own, for reading blocks.
fn of_lines(
    input: Input<'_>,
    contract: Contract,
    hosts: Vec<HostPattern>,
) -> Result<impl Future<Output = Result<Drift, Failure>> + use<>, Failure> {
    let (bytes, _) = input.open()?;
    let name = input.name();
    let compared = spawn_blocking(move || {
        let (mut pair, mut lines) = (Pair::new(&contract, &hosts), Lines::new(bytes, MAX_LINE_BYTES));
        while let Some(line) =
            lines.next().with_context(|| format!("cannot read {name} to its end")).map_err(Failure::fault)?
        {
            match line {
                Line::Whole { number, text } => pair.take(&text, || format!("{name}:{number}")),
                Line::TooLong { number, bytes } => {
                    let reason = format!("line of {bytes} bytes; at most {MAX_LINE_BYTES} are allowed");
                    pair.skip(&reason, &format!("{name}:{number}"));
                }
            }
        }
        pair.finish(&name)
    });
    Ok(async { compared.await.map_err(Failure::fault)? })
}

/// Compares all records to where each partition ends now.
async fn of_topic(args: &DiffArgs, contract: &Contract, stop: &mut Stop) -> Result<Drift, Failure> {
    let start = args.since.map_or(Start::Beginning, |since| since.start(Timestamp::now()));
    let mut pair = Pair::new(contract, &args.host);
    let opening = Reader::open(args.kafka.reader(start));
    let mut reader = tokio::select! {
        reader = opening => reader?,
        () = stop.told() => return Err(stopped_before_the_end()),
    };
    loop {
        let record = tokio::select! {
            biased;
            () = stop.told() => return Err(stopped_before_the_end()),
            record = reader.next_before_end() => record?,
        };
        let Some(record) = record else { return pair.finish(&format!("topic {}", args.kafka.topic)) };
        pair.take(&record.value, || format!("partition {} offset {}", record.partition, record.offset));
    }
}

/// The comparison, and the lines that are none of its business.
struct Pair<'c> {
    comparison: Comparison<'c>,
    hosts: &'c [HostPattern],
    /// Those that exchanges went to, while none was meant.
    others: BTreeSet<String>,
    exchanges: u64,
    meant: u64,
    skipped: u64,
}

impl<'c> Pair<'c> {
    fn new(contract: &'c Contract, hosts: &'c [HostPattern]) -> Pair<'c> {
        let comparison = Comparison::with(contract);
        Pair { comparison, hosts, others: BTreeSet::new(), exchanges: 0, meant: 0, skipped: 0 }
    }

    fn take(&mut self, line: &[u8], place: impl Fn() -> String) {
        if line.trim_ascii().is_empty() {
            return;
        }
        let exchange = match HttpExchange::from_line(line) {
            Ok(exchange) => exchange,
            Err(error) => return self.skip(&error.to_string(), &place()),
        };
        self.exchanges += 1;
        let host = exchange.request.host.as_deref().unwrap_or_default();
        if self.hosts.is_empty() || self.hosts.iter().any(|pattern| pattern.matches(host)) {
            self.meant += 1;
            self.comparison.add(&exchange, place);
        } else if self.meant == 0 && self.others.len() < MAX_REMEMBERED_HOSTS {
            self.others.insert(host.to_owned());
        }
    }

    fn skip(&mut self, reason: &str, place: &str) {
        self.skipped += 1;
        notice(&format!("{place}: {reason}; skipped"));
    }

    /// # Errors
    /// All lines were skipped: the input is something else. Or no exchange went to a host that is meant: whoever
    /// misspells one must not read that there is no drift.
    fn finish(self, name: &str) -> Result<Drift, Failure> {
        if self.exchanges == 0 && self.skipped > 0 {
            let told = format!("{name} holds no exchange: all {} lines or records were skipped", self.skipped);
            return Err(Failure::data(anyhow!(told)));
        }
        if self.skipped > 0 {
            notice(&format!("{name}: {} lines or records are no exchanges and were skipped", self.skipped));
        }
        if self.exchanges > 0 && self.meant == 0 {
            let patterns = self.hosts.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
            let seen = named(self.others.iter().map(String::as_str));
            return Err(Failure::usage(anyhow!("--host {patterns}: there is traffic of {seen} only")));
        }
        let drift = self.comparison.drift();
        if self.exchanges == 0 {
            notice(&format!("warning: {name}: no exchange, so nothing was compared"));
        } else if drift.compared == 0 {
            let which = match self.meant {
                1 => "1 exchange, which tells nothing".to_owned(),
                count => format!("{count} exchanges, none of which tells anything"),
            };
            notice(&format!("warning: {name}: {which} about the interface, so nothing was compared"));
        }
        Ok(drift)
    }
}

fn write(args: &DiffArgs, drift: &Drift) -> Result<(), Failure> {
    let text = match args.format {
        Format::Text => drift.text(),
        Format::Json => pretty(&drift.json())?,
        Format::Sarif => {
            let text = fs::read_to_string(&args.spec).unwrap_or_default();
            pretty(&drift.sarif(&args.spec.to_string_lossy().replace('\\', "/"), &text))?
        }
    };
    match &args.out {
        Some(file) => whole_file::replace(file, text.as_bytes())
            .with_context(|| format!("cannot write {}", file.display()))
            .map_err(Failure::fault),
        None => {
            use std::io::Write as _;
            std::io::stdout()
                .write_all(text.as_bytes())
                .context("cannot write to standard output")
                .map_err(Failure::fault)
        }
    }
}

fn pretty(value: &serde_json::Value) -> Result<String, Failure> {
    serde_json::to_string_pretty(value).map(|text| text + "\n").map_err(Failure::fault)
}
