//! `tributary audit`: the consumer's side of the account. Is everything there that should be?

mod ledger;
mod read;
mod report;
mod verdict;

use std::{io::Write as _, path::PathBuf, time::Duration};

use clap::{Args, builder::BoolishValueParser};

use crate::{args::EXIT_CODES, failure::Failure, kafka::KafkaArgs, terminal::Stdout};
use ledger::Beginning;
use read::Topics;

/// Check that nothing is missing: each gap in the numbers of a source must be explained.
///
/// Every exchange has a source and a number; a gap is an exchange that is not there. The filter counts what it drops, and
/// the collector keeps these counts beside the exchanges, in the topic TOPIC.accounts or the file FILE.accounts. Audit
/// reads both to their present end and says for each source: how many different exchanges are there, how many came again,
/// how many are absent, and how many of those are explained: dropped (by reason), rejected, or pending when the source was
/// heard last.
///
/// What is left is unexplained: it was acknowledged and is not there, or nothing is known of it. It may be a loss, or lie
/// in the spool of a collector that has not reached Kafka yet; in that case a later audit finds it.
///
/// Numbers that may have been deleted with the beginning of the topic (retention) are not judged, and counted apart. No
/// consumer group is joined. Needs READ and DESCRIBE on the topics.
#[derive(Debug, Args)]
#[command(after_help = format!("{EXAMPLES}\n\n{EXIT_CODES}"))]
pub(crate) struct AuditArgs {
    /// Audit these files of exchanges instead of a topic: all files that a collector wrote, in any order
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,

    /// With FILE: the file of accounts [default: FILE.accounts]
    #[arg(long, env = "TRIBUTARY_ACCOUNTS", value_name = "FILE")]
    accounts: Option<PathBuf>,

    /// The topic of accounts [default: TOPIC.accounts]; "" for none, then no gap is explained
    #[arg(long, env = "TRIBUTARY_ACCOUNTS_TOPIC", value_name = "TOPIC", help_heading = "Kafka")]
    accounts_topic: Option<String>,

    /// The topic of dead letters [default: TOPIC.dead-letter]; "" for none
    #[arg(long, env = "TRIBUTARY_DEAD_LETTER_TOPIC", value_name = "TOPIC", help_heading = "Kafka")]
    dead_letter_topic: Option<String>,

    /// Judge also what may have been deleted with the beginning of the topic
    #[arg(long, env = "TRIBUTARY_WHOLE_TOPIC", value_parser = BoolishValueParser::new())]
    whole_topic: bool,

    /// How many seconds to wait for accounts that are on their way, 0 to 600
    #[arg(
        long,
        env = "TRIBUTARY_SETTLE_SECONDS",
        value_name = "SECONDS",
        default_value_t = 5,
        value_parser = clap::value_parser!(u64).range(0..=600)
    )]
    settle_seconds: u64,

    /// Print the verdict as one JSON object
    #[arg(long, env = "TRIBUTARY_JSON", value_parser = BoolishValueParser::new())]
    json: bool,

    #[command(flatten)]
    kafka: KafkaArgs,
}

const EXAMPLES: &str = "\
Examples:
  tributary audit
  tributary audit --brokers kafka.example.com:9092 --topic http_recordings --json | jq .unexplainedGaps
  tributary audit exchanges.jsonl
  tributary audit exchanges.jsonl exchanges.jsonl.1 --accounts exchanges.jsonl.accounts";

impl AuditArgs {
    fn topics(&self) -> Topics {
        let beside = |chosen: &Option<String>, suffix: &str| {
            chosen.clone().unwrap_or_else(|| format!("{}.{suffix}", self.kafka.topic))
        };
        Topics {
            brokers: self.kafka.brokers.clone(),
            exchanges: self.kafka.topic.clone(),
            accounts: Some(beside(&self.accounts_topic, "accounts")).filter(|topic| !topic.is_empty()),
            dead_letters: Some(beside(&self.dead_letter_topic, "dead-letter")).filter(|topic| !topic.is_empty()),
            settings: self.kafka.settings(),
            settle: Duration::from_secs(self.settle_seconds),
        }
    }
}

/// Reads, judges, prints.
///
/// # Errors
/// A [`Failure`]: something is unexplained, Kafka or a file cannot be read, or the output cannot be written.
pub(crate) async fn run(args: AuditArgs) -> Result<(), Failure> {
    if args.files.is_empty() && args.accounts.is_some() {
        return Err(Failure::usage(anyhow::anyhow!("--accounts needs FILE; for a topic it is --accounts-topic")));
    }
    let (ledger, beginning) = match args.files.is_empty() {
        true => read::topics(&args.topics()).await?,
        false => (read::files(&args.files, args.accounts.as_deref())?, Beginning::Whole),
    };
    let beginning = if args.whole_topic { Beginning::Whole } else { beginning };
    let verdict = ledger.judge(beginning);
    let text = if args.json { report::json(&verdict) } else { report::human(&verdict) };
    let mut stdout = Stdout::open().map_err(Failure::fault)?;
    stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()).map_err(Failure::fault)?;
    if verdict.explained { Ok(()) } else { Err(Failure::incomplete()) }
}
